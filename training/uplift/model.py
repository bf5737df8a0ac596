"""A fitted model of effects as one JSON file: the table's encoding, and the effects of every arm.

Keys of `effects.json`: `format` 1; `treatment`, `outcome`, `control`; `columns`, see `encode.Column`; `arms`: `{arm:
{"learner": name, "form": ..., ...}}`, see `effects.py` for the forms and their arithmetic. Boosters are LightGBM text.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.whole import whole
from features.workspace import WorkspaceError
from serving.decisions.effects.forms import Effects
from training.uplift import effects
from training.uplift.encode import Encoder

FORMAT, FILE = 1, "effects.json"


@dataclass(frozen=True)
class Model:
    """Effects of each arm against control, from a table's columns."""

    treatment: str
    outcome: str
    control: str
    encoder: Encoder
    learners: Mapping[str, str]
    effects: Mapping[str, Effects]

    def effect(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """float64[n] by arm; the frame needs the columns the model was fitted on, others do no harm."""
        lacking = [column.name for column in self.encoder.columns if column.name not in frame.columns]
        if lacking:
            raise WorkspaceError(f"the table lacks {', '.join(map(repr, lacking[:5]))}, which the model was fitted on")
        inputs = self.encoder.transform(frame)
        return {arm: found.effect(inputs) for arm, found in self.effects.items()}

    def write(self, path: Path) -> None:
        """As JSON, atomically."""
        told = {
            "format": FORMAT,
            "treatment": self.treatment,
            "outcome": self.outcome,
            "control": self.control,
            "columns": self.encoder.as_dict(),
            "arms": {arm: {"learner": self.learners[arm], **found.as_dict()} for arm, found in self.effects.items()},
        }
        with whole(path) as own:
            own.write_text(json.dumps(told, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Model":
        """Raises WorkspaceError where the file is no such model."""
        if path.is_dir():
            path = path / FILE
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["format"] != FORMAT:
                raise WorkspaceError(f"{path}: format {told['format']} is not read here; fit the model again")
            arms = {arm: dict(one) for arm, one in told["arms"].items()}
            learners = {arm: one.pop("learner") for arm, one in arms.items()}
            found = {arm: effects.read(one) for arm, one in arms.items()}
            encoder = Encoder.read(told["columns"])
            return cls(told["treatment"], told["outcome"], told["control"], encoder, learners, found)
        except OSError as error:
            raise WorkspaceError(f"{path}: cannot be read: {error.strerror}; `tactful uplift fit` writes it") from None
        except (ValueError, KeyError, TypeError) as error:
            raise WorkspaceError(f"{path}: is no model of effects ({error}); `tactful uplift fit` writes one") from None
