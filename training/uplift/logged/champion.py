"""New effects against the champion's, on the same later decisions: why they may take over, or why not."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features import catalogue as catalogues
from features.workspace import WorkspaceError
from serving.decisions import effects as served
from serving.decisions.effects.bound import Bound
from serving.decisions.policy import Playbook, load
from training.tracking import Registry
from training.uplift.logged.inputs import levels_of
from training.uplift.logged.judge import Rival, better
from training.uplift.logged.learn import Found

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from training.uplift.logged.train import Learned

#: Its name in the registry.
KIND = "uplift"


def compared(registry: Registry, held: "ModelVersion | None", found: "Learned") -> tuple[list[str], str]:
    """Why it may not be champion, or why it may: its loss on later decisions against the champion's, `held`."""
    refusals = []
    if found.over_prior.interval.high < 0:
        refusals.append(
            "its effects fit later decisions worse than the stated prior"
            f" (loss less by {found.over_prior.interval:+.3g})"
        )
    if held is None:
        return refusals, "the first model of its kind"
    version = str(held.version)
    try:
        theirs = read_model(registry, str(held.run_id))
        bound = theirs.bind(list(catalogues.of(registry.workspace).names), levels_of(registry.workspace))
    except WorkspaceError as error:
        return refusals, f"version {version} can serve no more: {error}"
    if theirs.catalogue_version != found.model.catalogue_version:
        return refusals, f"version {version} was learned from another catalogue of features"
    if theirs.unit != found.model.unit:
        return [*refusals, f"its effects are in {found.model.unit}, those of version {version} in {theirs.unit}"], ""
    known = {(each.action, each.channel) for each in found.treatments}
    offered = _offered(load(registry.workspace), registry.workspace.clock().now())
    if lost := [
        f"{arm.action} on {arm.channel}"
        for arm in theirs.arms
        if (arm.action, arm.channel) not in known and (arm.action, arm.channel) in offered
    ]:
        refusals.append(f"knows nothing of {', '.join(lost[:5])}, of which version {version} does")
    gain = better(found.world, found.treatments, [found.judged[e.action, e.channel] for e in found.treatments],
                  _of_model(bound, found.values))  # fmt: skip
    of = sum(len(found.judged[each.action, each.channel].later) for each in found.treatments)
    if not of:
        return [*refusals, "no later decision judges its effects"], ""
    if gain is None:
        return refusals, f"version {version} knows none of the treatments that were decided about later"
    if gain.value == 0 and not np.isfinite(gain.error):
        return refusals, f"has the same effects as version {version}"
    against = f"than version {version} on {of:,} later comparisons (loss less by {gain.interval:+.3g})"
    if gain.interval.high < 0:
        refusals.append(f"its effects fit worse {against}")
    return refusals, f"not worse {against}"


def _offered(playbook: Playbook, now: int) -> set[tuple[str, str | None]]:
    """Treatments that may still be made: what was retired needs no effect."""
    return {
        (action.name, channel)
        for action in playbook.actions.actions
        if (end := playbook.spans[action.name][1]) is None or end > now
        for channel in (*action.channels, None)
    }


def _of_model(bound: Bound, values: np.ndarray) -> Rival:
    def effects(one: Found, row: np.ndarray) -> np.ndarray:
        which = np.array([bound.place(one.action, one.channel)])
        found: np.ndarray = bound.effects(values[row], which)[:, 0]
        return found

    return effects


def read_model(registry: Registry, run_id: str) -> served.Model:
    """The effects that a run logged. WorkspaceError where the file is damaged."""
    import mlflow

    _ = registry.client
    with tempfile.TemporaryDirectory() as folder:
        mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="scorer", dst_path=folder)
        return served.Model.read(Path(folder) / "scorer")
