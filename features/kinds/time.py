"""What the calendar says at the cutoff."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from features.clock import DAY
from features.definitions import Feature, Operation
from features.kernel.jit import inlined

_YEAR = 365.2425  # mean Gregorian year, in days


@dataclass(frozen=True)
class Season(Feature):
    """Where in the year the cutoff lies, as a point on a circle: 31 December is next to 1 January."""

    part: Literal["sine", "cosine"]

    unit = "-1 to 1"
    sensitivity = "public"

    @property
    def name(self) -> str:
        return f"season_{self.part}"

    @property
    def text(self) -> str:
        return f"{self.part} of the season of the year"

    def operation(self) -> Operation:
        return Operation(number=int(self.part == "cosine"))

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        angle = 2.0 * np.pi * (t / DAY / _YEAR)
        return np.cos(angle) if b else np.sin(angle)
