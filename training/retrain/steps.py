"""What each step of a retraining does. A step may be killed at any point and done again; a finished one never is.

A step returns what it came to, as JSON. A kind of model that the data do not allow is `refused`, with the reason: its
later steps are left out, and the other kinds go on.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from features import catalogue as catalogues
from features import faults
from features.history import History
from features.workspace import Workspace, WorkspaceError
from training import calibration, pipeline
from training.monitor.kept import keep
from training.monitor.look import monitor
from training.retrain import leftovers, parts
from training.retrain.basis import digest
from training.retrain.journal import Journal
from training.tracking import CHALLENGER, CHAMPION, Fitted, Registry
from training.train import learn, prepared, settled
from training.tuning import tuned

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

Result = dict[str, Any]
#: Figures that a summary shows.
SHOWN = ("auc", "brier_skill", "calibration_slope", "ece")


def at_hand(journal: Journal) -> bool:
    """Whether what finished steps keep for later ones can still be read: not after an upgrade, or where it is gone."""
    steps = journal.steps
    made = [name.removesuffix(": features") for name, found in steps.items() if "fingerprint" in found]
    return all(f"{kind}: promote" in steps or parts.usable(journal.work / kind) for kind in made)


def data(workspace: Workspace) -> str:
    """A fingerprint of history: which batches each log holds."""
    history = History(workspace)
    return digest({name: sorted(batches) for name, batches in history.held(history.logs).items()})


def features(workspace: Workspace, journal: Journal, kind: str) -> Result:
    """The data set of a kind, checked for leaks, on disk."""
    try:
        dataset, _ = prepared(workspace, kind)
    except WorkspaceError as error:
        return {"refused": str(error)}
    parts.write(journal.work / kind, dataset)
    return {"rows": {name: len(part) for name, part in dataset.parts.items()}, "fingerprint": dataset.fingerprint}


def train(workspace: Workspace, journal: Journal, kind: str) -> Result:
    """A fitted model, logged and registered without an alias."""
    registry = Registry(workspace)
    version = leftovers.version(registry, journal.id, kind)
    if version is None:
        dataset = parts.read(journal.work / kind, catalogues.of(workspace))
        fitted = learn(dataset, workspace.settings, tuned.parameters(workspace, kind))
        with leftovers.tagged(journal.id, kind):
            version = registry.log(fitted)
    return {"version": str(version.version), "run_id": str(version.run_id)}


def promote(workspace: Workspace, journal: Journal, kind: str) -> Result:
    """The version's alias, by the rule of promotion, and why."""
    registry = Registry(workspace)
    number = journal.steps[f"{kind}: train"]["version"]
    version = next(each for each in registry.versions(kind) if str(each.version) == number)
    if (judged := _judged(registry, kind, version)) is not None:
        return judged
    dataset = parts.read(journal.work / kind, catalogues.of(workspace))
    model = registry.load(kind, number)
    probability = pipeline.probability(model, dataset.test.frame)
    metrics = calibration.figures(dataset.test.label, probability, dataset.test.customer)
    trained = settled(registry, Fitted(dataset, model, metrics, probability), version)
    return _told(trained.verdict.alias, trained.verdict.reason, number, registry.metrics(version))


def effects(workspace: Workspace, journal: Journal, kind: str) -> Result:
    """Effects learned from logged decisions, registered and judged, where the log can tell them. Where their equations
    have no solution, that is no reason for the steps after it to be left out, run after run."""
    registry = Registry(workspace)
    version = leftovers.version(registry, journal.id, kind)
    if version is not None:
        if (judged := _judged(registry, kind, version)) is not None:
            return judged
        leftovers.disown(registry, kind, version)
    try:
        with leftovers.tagged(journal.id, kind):
            trained = _learner(kind)(workspace)
    except WorkspaceError as error:
        return {"refused": str(error)}
    except (np.linalg.LinAlgError, ArithmeticError) as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return {"refused": f"its equations cannot be solved on this log: {told}"}
    return _told(trained.verdict.alias, trained.verdict.reason, str(trained.version), {})


def _learner(kind: str) -> Callable[[Workspace], Any]:
    """Imported only where asked for."""
    if kind == "uplift":
        from training.uplift.logged.train import train as uplift

        return uplift
    from training.fatigue.train import train as fatigue

    return fatigue


def _judged(registry: Registry, kind: str, version: "ModelVersion") -> Result | None:
    """What was said of a version that has its alias: the judgement of a step that was killed afterwards stands."""
    for alias in (CHAMPION, CHALLENGER):
        holder = registry.holder(kind, alias)
        if holder is not None and str(holder.version) == str(version.version):
            return _told(alias, holder.tags["reason"], str(version.version), registry.metrics(version))
    return None


def _told(alias: str, reason: str, version: str, logged: Mapping[str, float]) -> Result:
    return {"alias": alias, "reason": reason, "version": version, "figures": _figures(logged)}


def _figures(logged: Mapping[str, float]) -> dict[str, list[float]]:
    """value, low, high"""
    found = {}
    for name in SHOWN:
        values = [logged.get(f"{name}{part}") for part in ("", "_low", "_high")]
        if None not in values:
            found[name] = [float(value) for value in values if value is not None]
    return found


def look(workspace: Workspace) -> Result:
    """`tactful monitor` on what is in use now. Where there is nothing to look at, that is what rings: the run ends, for
    one that was taken up again would go by the data that it began with."""
    try:
        report = monitor(workspace)
    except WorkspaceError as error:
        told = f"could not look: {error}"
        return {"alarm": True, "headline": told, "rings": [told]}
    keep(workspace, report)
    ringing = [check.sentence for check in report.checks if check.status == "alarm"]
    return {"alarm": report.alarm, "headline": report.headline, "rings": ringing}


def report(workspace: Workspace, kind: str) -> Result:
    """A report, kept for the console and logged to MLflow. One that cannot be made stops nobody: what was trained
    stands, and so does the report of before. Where that is no matter of the data, somebody should look."""
    from training.reports import jobs
    from training.reports.tracked import track

    try:
        artefact = jobs.make(workspace, kind).artefact
        track(workspace, artefact)
    except WorkspaceError as error:
        said = {"said": f"not made: {' '.join(str(error).split())[:300]}"}
        return said if faults.told(error) is None else said | {"broke": True}
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        return {"said": f"not made: {' '.join(told.split())[:300]}", "broke": True}
    return {"said": artefact.headline}
