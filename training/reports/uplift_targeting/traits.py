"""What customers of a group are like: of what they have more or less than the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.reports import statistics
from training.reports.statistics import Sample
from training.reports.uplift_targeting.artefact import Trait

MOST = 4
#: Below this many standard deviations nobody would call two groups different to look at.
SLIGHT = 0.3
#: Two features that go together so closely say one thing.
TOGETHER = 0.6


@dataclass(frozen=True)
class Described:
    """Customers' numbers [n, F], NaN where not known, and each column's name, meaning and unit."""

    values: np.ndarray
    names: Sequence[str]
    texts: Sequence[str]
    units: Sequence[str | None]


def of(described: Described, group: np.ndarray) -> list[Trait]:
    """The features in which a group, bool[n], differs most from all others, each saying something of its own."""
    found: list[tuple[int, Trait]] = []
    for column in range(described.values.shape[1]):
        values = described.values[:, column]
        known = np.isfinite(values)
        own, others = Sample.of(values[known & group]), Sample.of(values[known & ~group])
        if min(own.n, others.n) < statistics.SMALLEST_ARM or not (own.varies or others.varies):
            continue
        gap = statistics.standardised_difference(own, others)
        if abs(gap) >= SLIGHT:
            trait = Trait(
                feature=described.names[column], text=described.texts[column], unit=described.units[column],
                group=own.mean, others=others.mean, difference=gap,
            )  # fmt: skip
            found.append((column, trait))
    found.sort(key=lambda one: -abs(one[1].difference))
    kept: list[tuple[int, Trait]] = []
    for column, trait in found:
        if len(kept) == MOST:
            break
        if all(_together(described.values[:, column], described.values[:, other]) < TOGETHER for other, _ in kept):
            kept.append((column, trait))
    return [trait for _, trait in kept]


def _together(one: np.ndarray, other: np.ndarray) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    a, b = one[known], other[known]
    if len(a) < 3 or a.std() == 0 or b.std() == 0:
        return 0.0
    return abs(float(np.corrcoef(a, b)[0, 1]))
