"""How far two distributions are apart: the population stability index, and how large chance alone makes it.

PSI = sum over bins of (a - b) x log(a / b), a and b the shares of the two samples. Of two samples of n and m rows of
one distribution over k bins it is close to (1/n + 1/m) x chi-squared with k - 1 degrees of freedom (Yurdakul and
Naranjo, "Statistical properties of the population stability index", Journal of Risk Model Validation 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

#: Bins that numbers are put into, by quantiles of the reference, beside one below all of it and one for null.
BINS = 10
#: Labels that have a bin of their own, the frequent ones; others share one.
LABELS = 20
#: Added to every bin that either sample has rows in, so that an empty one has a logarithm.
SMOOTH = 0.5


@dataclass(frozen=True)
class Bins:
    """Of one column: right-closed intervals between `edges` for numbers, `labels` for text; null comes last."""

    edges: tuple[float, ...] | None = None
    labels: tuple[str, ...] | None = None

    @classmethod
    def of(cls, values: np.ndarray) -> "Bins":
        """Of the reference's values, float64[n] with NaN or object[n] of text with NaN."""
        if values.dtype == object:
            known = values[values == values].astype(str)
            labels, counts = np.unique(known, return_counts=True)
            return cls(labels=tuple(labels[np.sort(np.argsort(-counts, kind="stable")[:LABELS])].tolist()))
        known = values[~np.isnan(values)]
        if len(known) == 0:
            return cls(edges=())
        cuts = np.quantile(known, np.linspace(0, 1, BINS + 1)[:-1], method="inverted_cdf")
        below = np.nextafter(cuts[0], -np.inf)  # nothing of the reference is as low
        return cls(edges=tuple(np.unique([below, *cuts]).tolist()))

    def __len__(self) -> int:
        return (len(self.edges) + 1 if self.edges is not None else len(self.labels or ()) + 1) + 1

    def place(self, values: np.ndarray) -> np.ndarray:
        """int64[n]: the bin of each value."""
        null = len(self) - 1
        if self.edges is not None:
            bins = np.searchsorted(np.array(self.edges), values, side="left")
            return np.where(np.isnan(values), null, bins)
        known = {label: at for at, label in enumerate(self.labels or ())}
        found = (null if value != value else known.get(str(value), null - 1) for value in values)
        return np.fromiter(found, np.int64, len(values))

    def count(self, values: np.ndarray) -> np.ndarray:
        """int64[bins]"""
        return np.bincount(self.place(values), minlength=len(self))

    def to_json(self) -> dict[str, Any]:
        return {"edges": self.edges} if self.edges is not None else {"labels": self.labels}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> "Bins":
        if said.get("edges") is not None:
            return cls(edges=tuple(map(float, said["edges"])))
        return cls(labels=tuple(map(str, said["labels"])))


def excess(a: Sequence[int] | np.ndarray, b: Sequence[int] | np.ndarray) -> float:
    """PSI of two samples' counts by bin, less what chance alone would make of it on average; may be below 0."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    used = (a + b) > 0
    p, q = _shares(a[used]), _shares(b[used])
    return float(((p - q) * np.log(p / q)).sum()) - (int(used.sum()) - 1) * _noise(a, b)


def chance(a: Sequence[int] | np.ndarray, b: Sequence[int] | np.ndarray, level: float) -> float:
    """What `excess` of two samples of one distribution is above with probability `level` at the most, about."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    free = int(((a + b) > 0).sum()) - 1
    return 0.0 if free < 1 else (float(chi2.isf(level, free)) - free) * _noise(a, b)


def _shares(counts: np.ndarray) -> np.ndarray:
    return (counts + SMOOTH) / (counts.sum() + SMOOTH * len(counts))


def _noise(a: np.ndarray, b: np.ndarray) -> float:
    return 1 / max(a.sum(), 1.0) + 1 / max(b.sum(), 1.0)
