"""One look at a workspace: the data, and each champion on the rows that are newer than its training."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from features import clock
from features.clock import isoformat
from features.past import Past
from features.workspace import Workspace, WorkspaceError
from training import pipeline
from training.dataset import before, read
from training.evaluate import Interval
from training.monitor import flow
from training.monitor import quality as matured_labels
from training.monitor.drift import Drift, compare
from training.monitor.effects import kept
from training.monitor.fatigue import look as look_at_harm
from training.monitor.found import BEFORE_KEPT, Found
from training.monitor.quality import Quality
from training.monitor.reference import SCORE, Reference
from training.monitor.report import Feature, Look, MonitorReport, headline, unknown
from training.monitor.rows import Source, weeks_back
from training.monitor.uplift import look as look_at_uplift
from training.tracking import CHAMPION, Registry, Unreadable

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from sklearn.pipeline import Pipeline

MODELS = ("churn", "propensity")
#: Of effects: nobody misses those that were never trained, for stated priors decide then.
EFFECTS = {"uplift": look_at_uplift, "fatigue": look_at_harm}
#: Cutoffs, a week apart, that are looked at: the newest ones, and the newest ones whose labels are known.
CUTOFFS, MATURED = 6, 4
Tell = Callable[[str], None]


def monitor(workspace: Workspace, as_of: int | None = None, tell: Tell = lambda _: None) -> MonitorReport:
    """Looks as of an instant (microseconds; default the workspace's now) at what was known by then.

    Raises WorkspaceError where history is empty or a champion's run cannot be read.
    """
    tell("reading history")
    now = workspace.clock().now() if as_of is None else as_of
    past = before(read(workspace), now)
    if not past.interactions.num_rows:
        raise WorkspaceError(f"history holds nothing before {isoformat(now)}; look from a later --as-of")
    tell("data")
    thresholds = workspace.settings.monitor
    checks = [*flow.silence(past.interactions, now, thresholds), *flow.responses(past, workspace.settings, now)]
    registry = Registry(workspace)
    versions: dict[str, str] = {}
    looks: list[Look] = []
    features: list[Feature] = []
    for kind in (*MODELS, *EFFECTS):
        tell(kind)
        champion = registry.holder(kind, CHAMPION)
        if champion is None:
            if kind in MODELS:
                text = f"{kind}: there is no champion; run `tactful train {kind}`"
                checks.append(unknown("model", kind, text))
            continue
        versions[kind] = str(champion.version)
        if kind in EFFECTS:
            found = EFFECTS[kind](workspace, registry, champion, now)
        else:
            found = _Model(workspace, registry, champion, past).look()
        checks += found.checks
        looks += found.looks
        features += found.features
    return MonitorReport(
        created_at=isoformat(clock.Clock().now()),
        as_of=isoformat(now),
        workspace=workspace.settings.name,
        headline=headline(checks),
        alarm=any(check.status == "alarm" for check in checks),
        models=versions,
        checks=checks,
        looks=looks,
        features=features,
    )


class _Model:
    """One champion of probabilities."""

    def __init__(self, workspace: Workspace, registry: Registry, champion: "ModelVersion", past: Past) -> None:
        self.kind = str(champion.name)
        self.thresholds = workspace.settings.monitor
        self.registry, self.champion = registry, champion
        self.source = Source.of(workspace, self.kind, past)
        self.found = Found(self.kind)

    def look(self) -> Found:
        reference = kept(self.registry, self.champion)
        if reference is None:
            return self.found.unknown(BEFORE_KEPT)
        try:
            newest, matured = self.source.newest, self.source.matured
        except WorkspaceError as error:
            return self.found.unknown(str(error))
        try:
            model = self.registry.load(self.kind, str(self.champion.version))
        except Unreadable as error:
            return self.found.alarm(str(error))
        lacking = sorted(set(reference.columns) - {SCORE} - set(self.source.catalogue.names))
        if lacking:
            text = f"{self.kind}: its champion needs features that are gone: {', '.join(lacking[:5])}; train it again"
            return self.found.alarm(text)
        known = weeks_back(matured, reference.until, MATURED)
        last: tuple[Drift | None, Quality | None] = (None, None)
        for cutoff in sorted({*weeks_back(newest, reference.until, CUTOFFS), *known}):
            drift, judged = self._at(cutoff, reference, model, cutoff in known)
            last = (drift if cutoff == newest else last[0], judged or last[1])
        self.found.moved(last[0], self.thresholds)
        run = self.registry.metrics(self.champion)
        when = matured_labels.which(known, last[1], reference.until, self.source.horizon)
        self.found.checks += matured_labels.checks(self.kind, last[1], run, when, self.thresholds)
        return self.found

    def _at(
        self, cutoff: int, reference: Reference, model: "Pipeline", known: bool
    ) -> tuple[Drift | None, Quality | None]:
        """One cutoff: how far its rows moved, and how they were judged where their labels are `known`."""
        rows = self.source.rows(self.source.pairs(cutoff, after=reference.until))
        if not len(rows.label):
            return None, None
        probability = pipeline.probability(model, pipeline.inputs(rows.frame, model))
        drift = compare(reference, rows.frame, probability, cutoff, self.thresholds)
        quality = Quality.of(rows.label, probability, rows.customer) if known else None
        judged = quality.judged if quality is not None else None
        furthest = drift.features[0] if drift is not None and drift.features else None
        self.found.looks.append(
            Look(
                model=self.kind,
                cutoff=isoformat(cutoff),
                rows=len(rows.label),
                score_psi=None if drift is None else drift.score.psi,
                drifted=None if drift is None else len(drift.drifted),
                furthest=None if furthest is None else furthest.name,
                furthest_psi=None if furthest is None else furthest.psi,
                rate=None if quality is None else quality.rate,
                predicted=float(np.mean(probability)),
                auc=_numbers(judged.auc) if judged is not None else None,
                slope=_numbers(judged.slope) if judged is not None else None,
                ece=None if judged is None else judged.ece,
            )
        )
        return drift, quality


def _numbers(interval: Interval | None) -> tuple[float, float, float] | None:
    return None if interval is None else (interval.value, interval.low, interval.high)
