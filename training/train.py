"""One training from history to registry, as a plain function that command line and notebooks share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features import batch
from features import catalogue as catalogues
from features.catalogue import DEFAULT, Catalogue
from features.past import Past
from features.workspace import Settings, Workspace, WorkspaceError
from serving.decisions.policy import Action
from training import calibration, leakage, pipeline
from training.churn import churn
from training.dataset import Compute, Dataset, read
from training.evaluate import Interval
from training.prebuilt import Prebuilt
from training.promote import Verdict, settle
from training.propensity import listed, propensity
from training.tracking import Fitted, Registry
from training.tuning import tuned

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

KINDS = ("churn", "propensity")
#: What is being done, for a progress bar.
STAGES = ("features and labels", "looking for leaks", "fitting", "evaluating", "logging to MLflow", "comparing")

Tell = Callable[[str], None]


def silent(_stage: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Trained:
    """What one training came to; `calibration` says whether its probabilities are on target."""

    kind: str
    version: str
    run_id: str
    verdict: Verdict
    metrics: Mapping[str, Interval]
    rows: Mapping[str, int]
    rate: float
    calibration: str


def train(
    workspace: Workspace,
    kind: str,
    test: int | None = None,
    past: Past | None = None,
    catalogue: Catalogue | None = None,
    tell: Tell = silent,
    features: Sequence[Path] = (),
) -> Trained:
    """Trains, judges, logs and registers one model. `test` is the test cutoff in microseconds.

    Without a `catalogue`, the workspace's. `features` are tables that `tactful features build` wrote, to be read
    instead of computed.

    Raises WorkspaceError where the data do not allow it: nothing is registered then.
    """
    catalogue = catalogues.of(workspace) if catalogue is None else catalogue
    past = read(workspace) if past is None else past
    actions = listed(workspace) if kind == "propensity" else {}
    built = Prebuilt.open(features, workspace, past, catalogue) if features else None
    parameters = tuned.parameters(workspace, kind)
    fitted = fit(
        kind, past, workspace.settings, actions, test, catalogue, tell=tell, built=built, parameters=parameters
    )
    tell("logging to MLflow")
    registry = Registry(workspace)
    version = registry.log(fitted)
    tell("comparing")
    return settled(registry, fitted, version, past)


def settled(registry: Registry, fitted: Fitted, version: "ModelVersion", past: Past | None = None) -> Trained:
    """A registered version gets its alias. `past` spares reading history."""
    verdict = settle(registry, fitted, version, past)
    return Trained(
        fitted.dataset.kind,
        str(version.version),
        str(version.run_id),
        verdict,
        fitted.metrics,
        {name: len(part) for name, part in fitted.dataset.parts.items()},
        float(fitted.dataset.test.label.mean()),
        fitted.calibration,
    )


def fit(
    kind: str,
    past: Past | pa.Table,
    settings: Settings,
    actions: Mapping[str, Action] | None = None,
    test: int | None = None,
    catalogue: Catalogue = DEFAULT,
    compute: Compute = batch.compute_at,
    tell: Tell = silent,
    built: Prebuilt | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Fitted:
    """Everything up to the registry: data set, leakage guard, pipeline, figures on the test window.

    `parameters` of the trees are used instead of the defaults.
    """
    tell("features and labels")
    past, actions = Past.of(past), actions or {}
    dataset = _noted(build(kind, past, settings, actions, test, catalogue, compute, built), past, actions)
    tell("looking for leaks")
    leakage.check(dataset, past, settings, compute)
    return learn(dataset, settings, parameters, tell)


def learn(
    dataset: Dataset, settings: Settings, parameters: Mapping[str, Any] | None = None, tell: Tell = silent
) -> Fitted:
    """The model of a data set, with its figures on the test window."""
    tell("fitting")
    fitted = pipeline.fit(pipeline.make(dataset, habit_of(dataset, settings), parameters=parameters), dataset)
    tell("evaluating")
    probability = pipeline.probability(fitted, dataset.test.frame)
    figures = calibration.figures(dataset.test.label, probability, dataset.test.customer)
    return Fitted(dataset, fitted, figures, probability)


def prepared(workspace: Workspace, kind: str) -> tuple[Dataset, Mapping[str, Any] | None]:
    """The data set that a training would use now, checked for leaks, and the habit of its model."""
    catalogue, past = catalogues.of(workspace), read(workspace)
    actions = listed(workspace) if kind == "propensity" else {}
    dataset = _noted(build(kind, past, workspace.settings, actions, None, catalogue), past, actions)
    leakage.check(dataset, past, workspace.settings, batch.compute_at)
    return dataset, habit_of(dataset, workspace.settings)


def _noted(dataset: Dataset, past: Past, actions: Mapping[str, Action]) -> Dataset:
    """With what it was made from, for the run's record: by the time of logging, more may have come in."""
    if past.batches is None:
        return dataset
    stated = [each.model_dump(mode="json", by_alias=True) for each in actions.values()]
    data = {name: list(batches) for name, batches in past.batches.items()}
    return replace(dataset, made_from={"data": data, "actions": stated})


def habit_of(dataset: Dataset, settings: Settings) -> dict[str, Any] | None:
    """The smooth term's columns, where the model is of silence."""
    if dataset.kind != "churn" or not settings.churn.silence:
        return None
    return pipeline.habit_of(dataset.catalogue, settings.churn.qualifying, dataset.horizon_days)


def build(
    kind: str,
    past: Past | pa.Table,
    settings: Settings,
    actions: Mapping[str, Action],
    test: int | None = None,
    catalogue: Catalogue = DEFAULT,
    compute: Compute = batch.compute_at,
    built: Prebuilt | None = None,
) -> Dataset:
    """The data set of a kind of model."""
    if kind == "churn" and built is not None:
        with built.named():
            return churn(past, settings, test, catalogue, built.compute, built.cutoffs)
    if kind == "churn":
        return churn(past, settings, test, catalogue, compute)
    if kind == "propensity" and built is not None:
        raise WorkspaceError(
            "propensity looks at customers at the instant of each offer, which no table of cutoffs holds;"
            " leave --features out, it computes what it needs"
        )
    if kind == "propensity":
        return propensity(past, settings, actions, test, catalogue, compute)
    raise WorkspaceError(f"there is no model `{kind}`; choose one of {', '.join(KINDS)}")
