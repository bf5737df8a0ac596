"""The file `effects.json`: written by training, read by the service and by whoever plays its decisions.

What its keys mean is said in the package's text.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from features.workspace import WorkspaceError
from serving.decisions.effects import forms, inputs
from serving.decisions.effects.bound import Bound
from serving.decisions.effects.forms import Effects
from serving.decisions.effects.inputs import Contacts, Input

FORMAT, FILE = 1, "effects.json"
UPLIFT, FATIGUE = "uplift", "fatigue"
RESPONSES, MONEY = "responses", "money"
#: Effects of a kind and unit are kept within these bounds.
WITHIN = {
    (UPLIFT, RESPONSES): (-1.0, 1.0),
    (UPLIFT, MONEY): (-np.inf, np.inf),
    (FATIGUE, MONEY): (0.0, np.inf),
}


@dataclass(frozen=True)
class Arm:
    """What is caused by an action on a channel; None stands for any. `told` is for people."""

    action: str | None
    channel: str | None
    effects: Effects
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A model of effects; ValueError where it contradicts itself."""

    kind: str
    unit: str
    inputs: Sequence[Input]
    arms: Sequence[Arm]
    horizon_days: int
    catalogue_version: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    mlflow_run_id: str = ""
    trained_at: str = ""

    def __post_init__(self) -> None:
        if (self.kind, self.unit) not in WITHIN:
            raise ValueError(f"there is no model of {self.kind!r} in {self.unit!r}")
        if self.kind == UPLIFT and any(isinstance(one, Contacts) for one in self.inputs):
            raise ValueError("a model of uplift asks about features alone, not about contacts")
        keys = [(arm.action, arm.channel) for arm in self.arms]
        if len(set(keys)) != len(keys):
            raise ValueError("two arms are about the same action and channel")
        for action, _ in keys:
            if (action is None) == (self.kind == UPLIFT):
                raise ValueError("an arm of uplift names its action, one of fatigue is about the channel alone")

    def bind(self, names: Sequence[str], levels: Mapping[str, Sequence[str] | None]) -> Bound:
        """To the catalogue's features; WorkspaceError where it lacks what is asked about."""
        arms = {(arm.action, arm.channel): arm.effects for arm in self.arms}
        try:
            return Bound(self.inputs, arms, WITHIN[self.kind, self.unit], names, levels)
        except (WorkspaceError, ValueError, KeyError, IndexError) as error:
            text = f"the {self.kind} model is not served: {error}: retrain it with `tactful train {self.kind}`"
            raise WorkspaceError(" ".join(text.split())) from None

    def write(self, folder: Path) -> None:
        """As `effects.json`, atomically; ValueError where a number is not finite or a form is not served."""
        for arm in self.arms:
            forms.parts(arm.effects)
        told = {
            "format": FORMAT,
            "kind": self.kind,
            "unit": self.unit,
            "horizon_days": self.horizon_days,
            "catalogue_version": self.catalogue_version,
            "settings": dict(self.settings),
            "mlflow_run_id": self.mlflow_run_id,
            "trained_at": self.trained_at,
            "inputs": [inputs.as_dict(one) for one in self.inputs],
            "arms": [
                {"action": arm.action, "channel": arm.channel, "effect": arm.effects.as_dict(), "told": dict(arm.told)}
                for arm in self.arms
            ],
        }
        text = json.dumps(told, indent=1, allow_nan=False)
        own = folder / f"{FILE}.part"
        own.write_text(text + "\n", encoding="utf-8")
        own.replace(folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> "Model":
        """Raises WorkspaceError where the folder holds no such file, or it is damaged."""
        path = folder / FILE
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["format"] != FORMAT:
                raise WorkspaceError(f"{path}: has format {told['format']!r}, {FORMAT} is read here: retrain it")
            return cls(
                kind=told["kind"],
                unit=told["unit"],
                inputs=[inputs.read(one) for one in told["inputs"]],
                arms=[
                    Arm(one["action"], one["channel"], forms.read(one["effect"]), one.get("told", {}))
                    for one in told["arms"]
                ],
                horizon_days=int(told["horizon_days"]),
                catalogue_version=told["catalogue_version"],
                settings=told.get("settings", {}),
                mlflow_run_id=told.get("mlflow_run_id", ""),
                trained_at=told.get("trained_at", ""),
            )
        except OSError as error:
            raise WorkspaceError(f"{path}: cannot be read ({error.strerror}): retrain the model") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise WorkspaceError(f"{path}: is damaged or no model of effects ({text}): retrain it") from None
