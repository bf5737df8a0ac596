"""Features as numbers of mean 0 and spread 1, which the line of differences is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serving.decisions.effects.bound import Bound
from serving.decisions.effects.inputs import Input
from training.uplift.logged.inputs import declared


@dataclass(frozen=True)
class Standard:
    """`inputs` [k] as the file of effects declares them; `mean`, `spread` [k] of the numbers that they make."""

    inputs: Sequence[Input]
    mean: np.ndarray
    spread: np.ndarray
    names: Sequence[str]
    levels: Mapping[str, Sequence[str] | None]

    @classmethod
    def of(cls, values: np.ndarray, names: Sequence[str], levels: Mapping[str, Sequence[str] | None]) -> "Standard":
        """From feature vectors float64[n, F] (NaN: null; a category is a position among its labels)."""
        made = declared(values, names, levels)
        numbers = Bound(made, {}, (0.0, np.inf), names, levels).inputs(values)
        varied = numbers.std(axis=0) > 1e-9
        kept = [one for one, some in zip(made, varied.tolist(), strict=True) if some]
        return cls(kept, numbers.mean(axis=0)[varied], numbers.std(axis=0)[varied], names, levels)

    def z(self, values: np.ndarray) -> np.ndarray:
        """float64[n, k]."""
        numbers = Bound(self.inputs, {}, (0.0, np.inf), self.names, self.levels).inputs(values)
        return np.asarray((numbers - self.mean) / self.spread)
