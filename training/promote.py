"""Champion or not: a new model takes over only where nothing speaks against it; each refusal says why.

The rule, on data later than all training: not worse than the reigning model (customers resampled in pairs), calibrated
(calibration.py; a model that is out is let through only where the reigning one is out at least as far), no drift alarm
(training/monitor), and served by the catalogue that the service reads. The first model of its kind, and one that
replaces a champion that can no longer serve, need only the last; what else there is, is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from features import catalogue as catalogues
from features.past import Past
from features.workspace import Workspace, WorkspaceError
from serving.decisions.attributes import ATTRIBUTE
from training import calibration, pipeline, provenance
from training.evaluate import METRICS, auc, difference, evaluate, log_loss
from training.monitor import drift_alarm
from training.tracking import CHALLENGER, CHAMPION, REFUSED, Fitted, Registry, Unreadable

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

#: An AUC lower by more than this is worse, however wide the interval.
MARGIN = 0.005
_CALIBRATION = {name: METRICS[name] for name in ("calibration_slope", "brier_skill", "ece")}


@dataclass(frozen=True)
class Verdict:
    """The alias that a new version gets (empty: none), and the reason in words."""

    alias: str
    reason: str


class Promoted(NamedTuple):
    """The version that holds an alias now; `already` says since when and why, where it did before: nothing changed."""

    version: str
    already: str = ""


@dataclass(frozen=True)
class Reigning:
    """The champion, with its probabilities on the new model's test rows; `gone` says why it can serve no more."""

    version: str
    probability: np.ndarray | None = None
    gone: str = ""


def settle(registry: Registry, fitted: Fitted, new: "ModelVersion", past: Past | None = None) -> Verdict:
    """Judges a freshly logged version and gives it its alias. `past` spares reading history for the drift alarm."""
    unserved, reigning = _unserved_model(registry.workspace, fitted), reigning_over(registry, fitted)
    alarm = drift_alarm(registry.workspace, fitted, past)
    drifted = [] if alarm is None else [f"the newest customers differ from those it was judged on: {alarm}"]
    if reigning is None or reigning.probability is None:
        doubts = [*uncalibrated(fitted), *drifted]
        fine = "the first model of its kind" if reigning is None else f"version {reigning.version} {reigning.gone}"
        told = f"{fine}; mind: {'; '.join(doubts)}" if doubts else fine
        over = None if reigning is None else reigning.version
        return award(registry, fitted.dataset.kind, str(new.version), unserved, told, over)
    worse, fine = compared(fitted, reigning.probability, reigning.version)
    refusals = [*worse, *uncalibrated(fitted, reigning), *drifted, *unserved]
    return award(registry, fitted.dataset.kind, str(new.version), refusals, fine, reigning.version)


def award(registry: Registry, kind: str, version: str, refusals: Sequence[str], fine: str, over: str | None) -> Verdict:
    """Champion where there are no refusals, for the reason `fine`. Any kind of model is promoted through here.

    `over`: the champion that it was compared with (None: there was none); another one that somebody named meanwhile
    stays. A refused version becomes the challenger and plays no part, unless a challenger is playing: that one stays.
    """
    champion = registry.holder(kind, CHAMPION)
    now = None if champion is None else str(champion.version)
    if champion is not None and now == version:  # somebody did not wait for this
        return Verdict(CHAMPION, champion.tags.get("reason", "promoted by hand"))
    if now != over:
        refusals = [*refusals, _overtaken(kind, version, now, over)]
    verdict = Verdict(CHAMPION, fine) if not refusals else Verdict(CHALLENGER, "; ".join(refusals))
    if verdict.alias == CHALLENGER:
        held = registry.holder(kind, CHALLENGER)
        if held is not None and REFUSED not in held.tags:
            verdict = Verdict("", verdict.reason)
    registry.appoint(kind, version, verdict.alias, verdict.reason, refused=bool(refusals))
    return verdict


def _overtaken(kind: str, version: str, now: str | None, over: str | None) -> str:
    """The refusal where the champion changed while a version was judged."""
    since = f"version {now} became champion meanwhile" if now is not None else "there is no champion any more"
    judged = "as the first model of its kind" if over is None else f"against version {over}"
    return (
        f"{since}, and it was judged {judged}; train again, or run `tactful promote {kind} --version {version}` to make"
        " it champion as it is"
    )


def compared(fitted: Fitted, reigning: np.ndarray, version: str) -> tuple[list[str], str]:
    """Refusals, and the comparison in words, on the test window; `reigning` are the champion's probabilities there.

    Worse means: AUC lower beyond chance or by more than a margin, or log loss higher beyond chance.
    """
    test = fitted.dataset.test
    rank = difference(test.label, fitted.probability, reigning, test.customer, auc)
    loss = difference(test.label, fitted.probability, reigning, test.customer, log_loss)
    against = f"than version {version} on the same {len(test):,} later rows (AUC {rank:+.4f}, log loss {loss:+.4f})"
    if rank.high < 0 or rank.value < -MARGIN:
        return [f"ranks worse {against}"], ""
    if loss.low > 0:
        return [f"its probabilities are worse {against}"], ""
    return [], f"not worse {against}"


def uncalibrated(fitted: Fitted, reigning: Reigning | None = None) -> list[str]:
    """Refusals: where probabilities are significantly out, and not in place of some that are out as far."""
    test = fitted.dataset.test
    found = calibration.faults(test.label, fitted.probability, test.customer, fitted.metrics)
    if found and reigning is not None and reigning.probability is not None:
        rival = evaluate(test.label, reigning.probability, test.customer, 2, _CALIBRATION)
        if calibration.further_out(fitted.metrics, rival):
            return []
    return [f"out of calibration on later rows: {' and '.join(found)}"] if found else []


def reigning_over(registry: Registry, fitted: Fitted) -> Reigning | None:
    """The champion as it would do on the new model's test rows; None where there is none."""
    kind, frame = fitted.dataset.kind, fitted.dataset.test.frame
    held = registry.holder(kind, CHAMPION)
    if held is None:
        return None
    version = str(held.version)
    try:
        champion = registry.load(kind, version)
    except Unreadable as error:
        return Reigning(version, gone=f"can no longer be loaded: {error.why}")
    lacking = sorted(set(map(str, champion.feature_names_in_)) - set(map(str, frame.columns)))
    # an attribute that no action has any more is unknown to it, here as in the service
    if lacking := [name for name in lacking if not name.startswith(ATTRIBUTE)]:
        return Reigning(version, gone=f"needs features that are gone: {', '.join(lacking[:5])}")
    return Reigning(version, pipeline.probability(champion, pipeline.inputs(frame, champion)))


def _unserved_model(workspace: Workspace, fitted: Fitted) -> list[str]:
    """Refusals: what the service could not give the model."""
    served, dataset = catalogues.of(workspace), fitted.dataset
    inputs = set(map(str, fitted.pipeline[-1].feature_names_in_)) - set(dataset.action_features)
    if lacking := sorted(inputs - set(served.names)):
        return [f"needs features that the catalogue does not serve: {', '.join(lacking[:5])}"]
    return unserved(workspace, {"catalogue_version": dataset.catalogue.version})


def unserved(workspace: Workspace, tags: "dict[str, str]") -> list[str]:
    """Refusals by the tags of a run: the service computes other features than the model learned from."""
    served = {
        "catalogue_version": catalogues.of(workspace).version,
        "settings_version": provenance.settings_version(workspace.settings),
    }
    words = {"catalogue_version": "another catalogue of features", "settings_version": "other settings of features"}
    return [
        f"learned from {words[name]} ({tags[name]}) than the service reads ({now}): train it again"
        for name, now in served.items()
        if name in tags and tags[name] != now
    ]


def promote(registry: Registry, kind: str, version: str | None = None, alias: str = CHAMPION) -> Promoted:
    """Gives a version an alias by hand; default the challenger becomes champion. One that has it keeps what was said
    of it, unless it was refused.

    WorkspaceError where there is no such version, or the service could not use it.
    """
    if version is None:
        challenger = registry.holder(kind, CHALLENGER)
        if challenger is None or alias != CHAMPION:
            none = "" if challenger is not None else f"`{kind}` has no challenger to promote; "
            raise WorkspaceError(f"{none}name a version with --version (see `tactful models`)")
        version = str(challenger.version)
    champion, held = registry.holder(kind, CHAMPION), registry.holder(kind, alias)
    if alias != CHAMPION and champion is not None and str(champion.version) == version:
        raise WorkspaceError(f"version {version} of `{kind}` is the champion; promote another one first")
    _usable(registry, kind, version)
    if held is not None and str(held.version) == version and REFUSED not in held.tags:
        since, reason = held.tags.get("since", "?")[:16], held.tags.get("reason", "nobody said why")
        return Promoted(version, f"since {since}: {reason}")
    registry.appoint(kind, version, alias, "promoted by hand" if alias == CHAMPION else f"{alias} by hand")
    return Promoted(version)


def retire(registry: Registry, kind: str, alias: str) -> str:
    """Takes the alias of a challenger or a shadow away; returns the version that held it."""
    held = registry.holder(kind, alias)
    if held is None:
        raise WorkspaceError(f"`{kind}` has no {alias}; see `tactful models`")
    registry.client.delete_registered_model_alias(kind, alias)
    return str(held.version)


def roll_back(registry: Registry, kind: str) -> tuple[str, str]:
    """Makes whoever was champion before the present one champion again. Returns (version, the one it replaces).

    WorkspaceError where there is no champion, it is the first one, or the service could not use the one before.
    """
    champion = registry.holder(kind, CHAMPION)
    if champion is None:
        raise WorkspaceError(f"`{kind}` has no champion; run `tactful train {kind}`")
    left, line = str(champion.version), registry.champions(kind)
    if len(line) < 2:
        raise WorkspaceError(
            f"no other version of `{kind}` was champion before {left}; name one with --version (see `tactful models`)"
        )
    _usable(registry, kind, line[-2])
    return registry.roll_back(kind, f"rolled back from version {left}"), left


def _usable(registry: Registry, kind: str, version: str) -> None:
    """WorkspaceError where the service would refuse the version, and so keep the one that it has."""
    for known in registry.versions(kind):
        if str(known.version) == version:
            tags = dict(registry.client.get_run(str(known.run_id)).data.tags)
            if refusals := unserved(registry.workspace, tags):
                raise WorkspaceError(f"version {version} of `{kind}` {refusals[0]}")
