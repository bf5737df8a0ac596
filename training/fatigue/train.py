"""`tactful train fatigue`: learned from history, judged on later decisions, registered, promoted by the one rule."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features import catalogue as catalogues
from features.batch import FeatureMatrix
from features.catalogue import Catalogue
from features.clock import isoformat
from features.manifest import meaning
from features.workspace import Settings, Workspace, WorkspaceError
from serving.decisions.effects.file import Model
from training import provenance
from training.alike import alike
from training.fatigue import judge, report
from training.fatigue.curve import BANDS, bands
from training.fatigue.fit import Fitted, Sample, Stated, fit
from training.fatigue.harm import Prices
from training.fatigue.log import Log, features_of, policy_of, read
from training.fatigue.report import Judged
from training.fatigue.spending import spending
from training.fatigue.trials import Clock, Decided, Events, Happened, trials
from training.former import present
from training.monitor.effects import Asked, asked, reference
from training.monitor.reference import FILE as REFERENCE
from training.monitor.reference import Reference
from training.promote import Verdict, award
from training.propensity import listed
from training.tracking import CHAMPION, Registry

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

KIND = "fatigue"
Tell = Callable[[str], None]
#: Decisions whose features are looked at, and the share of all whose time is for judging.
SAMPLED, LATER = 60_000, 0.3
STAGES = ("reading the log", "features", "learning from earlier decisions", "judging on later ones",
          "learning from all", "registering")  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """What was learned from all decisions, how a fit on earlier ones did on later ones, and what became of it."""

    fitted: Fitted
    judged: Judged | None
    told: Mapping[str, Any]
    version: str
    run_id: str
    verdict: Verdict


def train(workspace: Workspace, since: int | None = None, seed: int = 0, tell: Tell = lambda _: None) -> Trained:
    """Raises WorkspaceError in a line where the log cannot tell, and says what is missing."""
    with present(workspace) as there:
        return _train(there, Registry(workspace), since, seed, tell)


def _train(workspace: Workspace, registry: Registry, since: int | None, seed: int, tell: Tell) -> Trained:
    tell(STAGES[0])
    log, catalogue = read(workspace, since), catalogues.of(workspace)
    tell(STAGES[1])
    rows = sampled(log.decided, seed)
    features = features_of(workspace, log, rows, catalogue)
    tell(STAGES[2])
    held = registry.holder(KIND, CHAMPION)
    judged, refusals, fine = _judged(workspace, registry, held, log, rows, features, catalogue, tell)
    tell(STAGES[4])
    fitted = _fit(workspace, log, rows, features)
    tell(STAGES[5])
    told = report.report(fitted, judged, log.left_out)
    model = model_of(fitted, workspace.settings, catalogue)
    said = harms_said(model, log, rows, features)
    kept = reference(model, model.bind(list(catalogue.names), features.levels), said, list(catalogue.names),
                     int(np.quantile(log.decided.at, 1 - LATER)))  # fmt: skip
    record = provenance.record_of_effects(workspace, KIND, {"since": since, "seed": seed}, learned_from(log), said.said)
    version, run_id = _register(registry, model, told, kept, record, log)
    over = None if held is None else str(held.version)
    return Trained(fitted, judged, told, version, run_id, award(registry, KIND, version, refusals, fine, over))


def again(
    workspace: Workspace, since: int | None, seed: int, tell: Tell = lambda _: None
) -> tuple[np.ndarray, np.ndarray]:
    """What stands for the decisions that were learned from, and what is said of them: to compare with a run's."""
    tell(STAGES[0])
    log, catalogue = read(workspace, since), catalogues.of(workspace)
    tell(STAGES[1])
    rows = sampled(log.decided, seed)
    features = features_of(workspace, log, rows, catalogue)
    tell(STAGES[4])
    model = model_of(_fit(workspace, log, rows, features), workspace.settings, catalogue)
    return learned_from(log), harms_said(model, log, rows, features).said


def learned_from(log: Log) -> np.ndarray:
    """float64[k]: instants and chances of the decisions, and when things happened."""
    decided, happened = log.decided, log.happened
    events = (happened.contacts, happened.opted_out, happened.complained, happened.purchases)
    return np.concatenate([decided.at, decided.chance.ravel(), *(each.at for each in events)]).astype(np.float64)


def clock_of(log: Log, settings: Settings) -> Clock:
    """As tactful.yaml states it."""
    stated = settings.fatigue
    days = (stated.soon_days, stated.sale_days, stated.lasts_days)
    return log.clock(*days)


def stated_of(workspace: Workspace, log: Log) -> Stated:
    """As tactful.yaml states it, a contact's cost as actions.yaml does: on each channel, that of its mean action."""
    rule = workspace.settings.fatigue
    costs: dict[str, list[float]] = {}
    for action in listed(workspace).values():
        for channel, treatment in action.channels.items():
            costs.setdefault(channel, []).append(float(treatment.cost))
    of = np.array([float(np.mean(costs.get(name, [0.0]))) for name in log.decided.channels])
    return Stated(rule.margin, rule.opt_out, rule.complaint, of)


def model_of(fitted: Fitted, settings: Settings, catalogue: Catalogue) -> Model:
    """The file that the service reads."""
    told: dict[str, dict[str, object]] = {}
    for name in fitted.channels:
        c = fitted.harm.pressure.channels.index(name)
        told[name] = {"contacts": int(fitted.contacts[c]), "decided_by_chance": int(fitted.by_chance[c])}
    return fitted.harm.model(
        fitted.channels,
        told,
        horizon_days=round(settings.fatigue.lasts_days),
        catalogue_version=catalogue.version,
        settings=meaning(settings),
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def sampled(decided: Decided, seed: int) -> np.ndarray:
    """Positions of so many decisions in which chance decided something."""
    open_ = np.flatnonzero((decided.chance.max(axis=1) > 0) & (decided.chance.max(axis=1) < 1))
    if len(open_) <= SAMPLED:
        return open_
    return np.sort(np.random.default_rng(seed).choice(open_, SAMPLED, replace=False))


@alike
def _fit(workspace: Workspace, log: Log, rows: np.ndarray, features: FeatureMatrix) -> Fitted:
    sample = Sample(rows, features.values, list(features.catalogue.names), features.levels)
    return fit(log.decided, log.happened, log.pressure, clock_of(log, workspace.settings), stated_of(workspace, log),
               sample)  # fmt: skip


def _judged(
    workspace: Workspace,
    registry: Registry,
    held: "ModelVersion | None",
    log: Log,
    rows: np.ndarray,
    features: FeatureMatrix,
    catalogue: Catalogue,
    tell: Tell,
) -> tuple[Judged | None, list[str], str]:
    """The fit on earlier decisions, judged against the champion `held`; why it may not be champion, or why it may."""
    at = log.decided.at
    cut = int(np.quantile(at, 1 - LATER))
    names, levels = list(features.catalogue.names), features.levels
    early = at[rows] < cut
    before = until(log, cut)
    try:
        earlier = fit(
            before.decided, before.happened, log.pressure, clock_of(log, workspace.settings),
            stated_of(workspace, log), Sample(np.searchsorted(np.flatnonzero(at < cut), rows[early]),
                                              features.values[early], names, levels),
        )  # fmt: skip
    except WorkspaceError:
        if held is None:
            return None, [], "the first model of its kind; too few decisions to judge it on later ones"
        return None, ["too few decisions to judge it on later ones"], ""
    tell(STAGES[3])
    of = later_of(workspace, log, cut, rows, features, earlier.harm.prices)
    if not len(of.trials):
        if held is None:
            return None, [], "the first model of its kind; its log ends too soon to judge it"
        return None, ["its log ends too soon to judge it"], ""
    ours = judge.foretold(of, model_of(earlier, workspace.settings, catalogue))
    stated = judge.stated(of, _policy_harm(workspace, log))
    result = Judged(len(of.trials), judge.slope(of, ours), judge.better(of, ours, stated))
    refusals, fine = _uncalibrated(result), "the first model of its kind"
    if held is not None:
        version = str(held.version)
        try:
            theirs = judge.foretold(of, _load(registry, str(held.run_id)))
        except WorkspaceError as error:
            return result, refusals, f"version {version} can serve no more: {error}"
        gain = judge.better(of, ours, theirs)
        result = replace(result, over_champion=gain, champion=version)
        against = f"than version {version} on {len(of.trials):,} later decisions (loss less by {gain:+.3g})"
        if gain.high < 0:
            refusals.append(f"foretells costs worse {against}")
        fine = f"not worse {against}"
    return result, refusals, fine


def _uncalibrated(found: Judged) -> list[str]:
    low, high = judge.SLOPES
    if found.slope.high < low or found.slope.low > high:
        return [f"out of calibration on later decisions: cost grows by {found.slope:.2f} with what is foretold"]
    return []


def later_of(
    workspace: Workspace, log: Log, cut: int, rows: np.ndarray, features: FeatureMatrix, prices: Prices
) -> judge.Later:
    """What decisions `rows` from `cut` (microseconds) on did cost at such prices; `features` are those of all rows."""
    clock = clock_of(log, workspace.settings)
    found = trials(log.decided, log.happened, log.pressure.weights, clock)
    cell = np.where(found.at >= cut, bands(found.pressure), -1)
    spent = spending(found, log.happened.purchases, log.happened.until, clock, cell, len(BANDS))
    late = found.at[rows] >= cut
    return judge.later(found, spent, rows[late], features.values[late], list(features.catalogue.names),
                       features.levels, log.happened.contacts, prices)  # fmt: skip


def harms_said(model: Model, log: Log, rows: np.ndarray, features: FeatureMatrix) -> Asked:
    """What a model says of decisions `rows`, on each of its channels, in order of time."""
    rows, values = rows[order := np.argsort(log.decided.at[rows], kind="stable")], features.values[order]
    bound, some = model.bind(list(features.catalogue.names), features.levels), log.decided.rows(rows)
    counts = judge.counted(bound, some, log.happened.contacts)
    return asked(model, bound, some.at, values, counts)


def until(log: Log, cut: int) -> Log:
    """What was known by then."""

    def events(of: Events) -> Events:
        return of.rows(of.at < cut)

    happened, decided = log.happened, log.decided.rows(log.decided.at < cut)
    past = Happened(events(happened.contacts), events(happened.opted_out), events(happened.complained),
                    events(happened.purchases), min(cut, happened.until))  # fmt: skip
    return replace(log, decided=decided, happened=past)


def _policy_harm(workspace: Workspace, log: Log) -> np.ndarray:
    """float64[C]: the first contact's harm as contact_policy.yaml states it, or its defaults."""
    stated = policy_of(workspace).harm
    return np.array([stated.channels.get(name, stated.contact) for name in log.decided.channels])


def _load(registry: Registry, run_id: str) -> Model:
    import mlflow

    _ = registry.client
    with tempfile.TemporaryDirectory() as folder:
        return Model.read(
            Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="scorer", dst_path=folder))
        )


def _register(
    registry: Registry,
    model: Model,
    told: Mapping[str, Any],
    kept: Reference,
    record: Mapping[str, Any],
    log: Log,
) -> tuple[str, str]:
    """A version without an alias, and its run."""
    import mlflow

    _ = registry.client
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with mlflow.start_run(experiment_id=registry.experiment(), run_name=f"{KIND} {now[:19]}") as run:
        run_id = str(run.info.run_id)
        own = {"kind": KIND, "catalogue_version": model.catalogue_version}
        mlflow.set_tags(own | provenance.tags(registry.workspace))
        span = f"{isoformat(int(log.decided.at.min()))[:10]} to {isoformat(int(log.decided.at.max()))[:10]}"
        mlflow.log_params({"decisions": told["decisions"], "span": span, "seed": record["asked"]["seed"],
                           "margin": told["margin"], "complaint_costs": told["complaint_costs"]})  # fmt: skip
        mlflow.log_metrics(_figures(told))
        mlflow.log_text(kept.text(), REFERENCE)
        mlflow.log_dict(dict(record), provenance.FILE)
        mlflow.log_text(provenance.installed(), provenance.INSTALLED)
        with tempfile.TemporaryDirectory() as folder:
            replace(model, mlflow_run_id=run_id).write(Path(folder))
            report.write(told, Path(folder) / "report.json")
            mlflow.log_artifacts(folder, "scorer")
    version = registry.register(KIND, f"runs:/{run_id}/scorer", run_id)
    return str(version.version), run_id


def _figures(told: Mapping[str, Any]) -> dict[str, float]:
    """Of each channel its harm without pressure and at the tolerable load, and how later decisions judged."""
    figures = dict[str, float]()
    for name, one in told["channels"].items():
        figures |= {f"harm_{name}": one["harm"][0], f"harm_{name}_full": one["harm"][2]}
    if (judged := told["judged"]) is not None:
        figures |= {
            f"slope{part}": judged["slope"][key] for key, part in (("value", ""), ("low", "_low"), ("high", "_high"))
        }
    return {name: float(value) for name, value in figures.items() if np.isfinite(value)}
