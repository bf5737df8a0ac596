"""What the runs behind champions keep beside their figures: calibration, effects, how much each action taught."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from features.step_words import on_channel
from training.evaluate import Interval
from training.reports.models.artefact import Effect, Tenth
from training.reports.wording import counted
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


def effects(registry: Registry, kind: str, champion: "ModelVersion", currency: str) -> tuple[str | None, list[Effect]]:
    """What the champion's own report says: of each action, or of each channel in money."""
    if kind not in ("uplift", "fatigue"):
        return None, []
    found = read(registry, champion, "scorer/report.json")
    if found is None:
        return None, []
    if kind == "uplift":
        arms = [Effect(name=each["action"], effect=_interval(each["effect"]), verdict=each["verdict"],
                       sentence=each["sentence"]) for each in found["actions"]]  # fmt: skip
        return str(found["unit"]), arms
    return "money", [_channel(name, each, currency) for name, each in found["channels"].items()]


def _channel(name: str, found: Mapping[str, Any], currency: str) -> Effect:
    rested, tolerable = (_cents(found["harm"][k], currency) for k in (0, 2))
    number = found["recommended_a_week"]
    pays = _pays(number) if found.get("recommended_told", True) else "how many pay cannot be told from its log"
    sentence = (
        f"One more contact {on_channel(name)} costs {rested} where there was none lately, and {tolerable} at the most "
        f"that is tolerable; {pays}."
    )
    return Effect(name=name, effect=None, verdict="costs", sentence=sentence)


def _cents(cost: float, currency: str) -> str:
    return f"less than 0.01 {currency}" if 0 < cost < 0.005 else f"{cost:,.2f} {currency}"


def _pays(a_week: float) -> str:
    """How many contacts a week pay, in words: a twentieth is one in 20 weeks."""
    if a_week < 0.01:
        return "there, no contact pays on average"
    if a_week < 2 / 3:  # more is about one a week
        return f"about one in {counted(round(1 / a_week), 'week')} pays"
    return f"about {counted(round(a_week), 'contact')} a week {'pays' if round(a_week) == 1 else 'pay'}"


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
