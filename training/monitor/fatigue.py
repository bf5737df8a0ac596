"""The champion of `fatigue` on decisions since its training: who they are about, and whether harm came true.

What a decision did cost is read as where a new model is judged on later decisions (training/fatigue/judge.py):
opt-outs, complaints and lost money at the prices that the champion was learned with.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features import catalogue as catalogues
from features.clock import isoformat
from features.decision_log import NoDecisions
from features.workspace import Workspace, WorkspaceError
from serving.decisions.effects.file import Model
from training.fatigue import judge
from training.fatigue.harm import Prices
from training.fatigue.log import Log, features_of, read
from training.fatigue.train import harms_said, later_of, sampled, until
from training.monitor import effects
from training.monitor.effects import kept
from training.monitor.found import BEFORE_KEPT, Found
from training.uplift.logged.inputs import levels_of

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from training.tracking import Registry


def look(workspace: Workspace, registry: "Registry", champion: "ModelVersion", now: int) -> Found:
    """As of `now` (microseconds), at decisions that are newer than those it learned from."""
    found = Found(str(champion.name))
    reference = kept(registry, champion)
    if reference is None:
        return found.unknown(BEFORE_KEPT)
    catalogue, levels = catalogues.of(workspace), levels_of(workspace)
    names = list(catalogue.names)
    try:
        model, told = _logged(registry, str(champion.run_id))
        effects.effects_of(model, names, levels)
    except WorkspaceError as error:
        return found.alarm(str(error))
    nothing = f"no decision since {isoformat(reference.until)[:10]} was left to chance"
    try:
        log = until(read(workspace, since=reference.until + 1), now)
    except NoDecisions:
        return found.unknown(nothing)
    except WorkspaceError as error:
        return found.alarm(f"{found.kind}: decisions since its training cannot be read: {error}")
    rows = sampled(log.decided, 0)
    if not len(rows):
        return found.unknown(nothing)
    features = features_of(workspace, log, rows, catalogue)
    effects.drifts(found, reference, harms_said(model, log, rows, features), names, workspace.settings.monitor)
    of = later_of(workspace, log, reference.until, rows, features, _prices(told, log))
    slope = judge.slope(of, judge.foretold(of, model))
    when = f"since {isoformat(reference.until)[:10]}"
    effects.slope(found, slope, len(of.trials), when, workspace.settings.monitor)
    return found


def _logged(registry: "Registry", run_id: str) -> tuple[Model, dict[str, Any]]:
    """The model and its report. WorkspaceError where they are damaged."""
    import mlflow

    _ = registry.client
    with tempfile.TemporaryDirectory() as folder:
        local = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="scorer", dst_path=folder))
        told: dict[str, Any] = json.loads((local / "report.json").read_bytes())
        return Model.read(local), told


def _prices(told: Mapping[str, Any], log: Log) -> Prices:
    """What the champion was learned with; a channel that it does not know is free."""
    costs = {name: float(one["opt_out_costs"]) for name, one in told["channels"].items()}
    of = np.array([costs.get(name, 0.0) for name in log.decided.channels])
    return Prices(float(told["margin"]), of, float(told["complaint_costs"]))
