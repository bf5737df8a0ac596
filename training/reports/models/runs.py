"""What the runs behind champions keep beside their figures: calibration, effects, how much each action taught."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from training.evaluate import Interval
from training.reports.models.artefact import Effect, Tenth
from training.tracking import CALIBRATION, Registry

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


def calibration(registry: Registry, champion: "ModelVersion") -> list[Tenth]:
    """Of its test rows; empty where its run is from before they were kept."""
    found = read(registry, champion, CALIBRATION)
    return [Tenth.model_validate(each) for each in (found or {}).get("tenths", ())]


def positives(registry: Registry, champion: "ModelVersion") -> Mapping[str, int] | None:
    """How many responses to each action a propensity model learned from; None where nobody counted."""
    found: Mapping[str, int] | None = (read(registry, champion, "scorer/scorer.json") or {}).get("positives")
    return found


def effects(registry: Registry, kind: str, champion: "ModelVersion") -> tuple[str | None, list[Effect]]:
    """What the champion's own report says: of each action, or of each channel."""
    if kind not in ("uplift", "fatigue"):
        return None, []
    found = read(registry, champion, "scorer/report.json")
    if found is None:
        return None, []
    if kind == "uplift":
        arms = [Effect(name=each["action"], effect=_interval(each["effect"]), verdict=each["verdict"],
                       sentence=each["sentence"]) for each in found["actions"]]  # fmt: skip
        return str(found["unit"]), arms
    return "money", [_channel(name, each) for name, each in found["channels"].items()]


def _channel(name: str, found: Mapping[str, Any]) -> Effect:
    rested, tolerable = found["harm"][0], found["harm"][2]
    sentence = (
        f"One more contact on {name.replace('_', ' ')} costs {rested:.3g} where none was lately, and {tolerable:.3g} "
        f"at the tolerable load; about {found['recommended_a_week']:.2g} a week pay."
    )
    return Effect(name=name, effect=None, verdict="costs", sentence=sentence)


def _interval(found: Mapping[str, float | None]) -> Interval | None:
    """JSON has no infinities: an end that is not known is null."""
    values = [found.get(name) for name in ("value", "low", "high")]
    return None if None in values else Interval(*(float(value) for value in values if value is not None))


def read(registry: Registry, version: "ModelVersion", path: str) -> dict[str, Any] | None:
    """A JSON file of the run behind a version; None where it keeps none, or it cannot be fetched now."""
    import mlflow

    _ = registry.client
    try:
        found: dict[str, Any] = json.loads(mlflow.artifacts.load_text(f"runs:/{version.run_id}/{path}"))
    except Exception:  # of whatever keeps the artefacts: the report is none the worse for one picture less
        return None
    return found
