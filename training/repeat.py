"""A training run once more, from its log alone: the same data, settings and seed must give the same predictions.

A model of probabilities is fitted on the history that its record names; a model of effects is learned in a workspace
that is as it was then (former.py).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from features import catalogue as catalogues
from features.catalogue import Catalogue
from features.clock import parse_instant
from features.history import History
from features.workspace import Settings, Workspace, WorkspaceError
from serving.decisions.policy import Actions
from training import provenance
from training.dataset import COLUMNS
from training.fatigue.train import again as harm_again
from training.former import former
from training.tracking import Registry
from training.train import Tell, fit, silent
from training.uplift.logged.train import again as uplift_again

#: What was learned from, and what is said of it, once more: by kind of model.
EFFECTS: Mapping[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {"uplift": uplift_again, "fatigue": harm_again}


@dataclass(frozen=True)
class Repeated:
    """`same`: the probabilities of the test rows agree in every bit. `differs`: what is not as it was, in words."""

    kind: str
    run_id: str
    same: bool
    differs: tuple[str, ...]


def repeat(workspace: Workspace, run_id: str, tell: Tell = silent) -> Repeated:
    """Trains again and registers nothing. WorkspaceError where the log or the data it names are not there."""
    told = _record(workspace, run_id)
    if "data" not in told:
        raise WorkspaceError(f"run {run_id} cannot be repeated: it learned from a table that no history holds")
    if told["kind"] in EFFECTS:
        return _effects(workspace, run_id, told, tell)
    settings = Settings.model_validate(workspace.settings.model_dump(mode="json") | told["settings"])
    catalogue = catalogues.of(replace(workspace, settings=settings))
    _same_catalogue(run_id, told, catalogue)
    past = History(workspace).past(columns=COLUMNS, batches=told["data"])
    if past.interactions.num_rows == 0:
        raise WorkspaceError(f"{workspace.history} holds none of the batches that run {run_id} learned from")
    actions = Actions.model_validate({"actions": told["actions"]}).by_name
    test = parse_instant(told["test_cutoff"])
    fitted = fit(told["kind"], past, settings, actions, test, catalogue, tell=tell, parameters=told["parameters"])
    return _compared(run_id, told, fitted.dataset.fingerprint, provenance.digest(fitted.probability))


def _effects(workspace: Workspace, run_id: str, told: Mapping[str, Any], tell: Tell) -> Repeated:
    with former(workspace, told) as there:
        _same_catalogue(run_id, told, catalogues.of(there))
        learned_from, said = EFFECTS[told["kind"]](there, **told["asked"], tell=tell)
    return _compared(run_id, told, provenance.digest(learned_from), provenance.digest(said))


def _same_catalogue(run_id: str, told: Mapping[str, Any], now: Catalogue) -> None:
    if now.version != told["catalogue"]:
        raise WorkspaceError(
            f"run {run_id} used the catalogue {told['catalogue']}, this code has {now.version}:"
            f" check out {told['code']}"
        )


def _compared(run_id: str, told: Mapping[str, Any], fingerprint: str, predictions: str) -> Repeated:
    now = {"code": provenance.code_version(), "lock": provenance.lock(), "fingerprint": fingerprint}
    words = {"code": "the code", "lock": "what is installed", "fingerprint": "history, in what is left of its batches"}
    differs = tuple(f"{words[key]}: {told[key]} then, {value} now" for key, value in now.items() if told[key] != value)
    return Repeated(told["kind"], run_id, predictions == told["predictions"], differs)


def _record(workspace: Workspace, run_id: str) -> dict[str, Any]:
    import mlflow
    from mlflow.exceptions import MlflowException

    client = Registry(workspace).client
    try:
        uri = client.get_run(run_id).info.artifact_uri
        told: dict[str, Any] = json.loads(mlflow.artifacts.load_text(f"{uri}/{provenance.FILE}"))
    except (MlflowException, OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise WorkspaceError(f"run {run_id} cannot be repeated, for it has no {provenance.FILE}: {why}") from None
    if told.get("format") != provenance.FORMAT:
        raise WorkspaceError(
            f"run {run_id}: {provenance.FILE} has format {told.get('format')!r}; use the code that wrote it"
        )
    return told
