"""Means, slopes and their errors where one customer counts several times: errors are added up by customer.

Source: Liang and Zeger, Biometrika 73 (1986), with the usual G / (G - 1) for G customers; t quantiles at the number of
customers that the sum of squares rests on, so that few heavy ones do not make an interval look sure.
"""

from typing import NamedTuple

import numpy as np
import scipy.stats

from training.evaluate import LEVEL, Interval


class Estimate(NamedTuple):
    """A figure, its standard error, and how many customers alike its error rests on."""

    value: float
    error: float
    freedom: float

    @property
    def interval(self) -> Interval:
        if not np.isfinite(self.error):
            return Interval(self.value, float("-inf"), float("inf"))
        half = float(scipy.stats.t.isf((1 - LEVEL) / 2, max(self.freedom, 1.0))) * self.error
        return Interval(self.value, self.value - half, self.value + half)

    @property
    def above_zero(self) -> float:
        """One-sided p-value of a figure of zero or less."""
        if not np.isfinite(self.error) or self.error <= 0:
            return 1.0
        return float(scipy.stats.t.sf(self.value / self.error, max(self.freedom, 1.0)))

    @property
    def not_zero(self) -> float:
        """Two-sided p-value of a figure of zero."""
        if not np.isfinite(self.error) or self.error <= 0:
            return 1.0
        return float(2 * scipy.stats.t.sf(abs(self.value) / self.error, max(self.freedom, 1.0)))


UNKNOWN = Estimate(0.0, float("inf"), 1.0)


def ratio(over: np.ndarray, under: np.ndarray, person: np.ndarray) -> Estimate:
    """sum(over) / sum(under), [n] each: a weighted mean or a slope through the origin, rows of one person together."""
    total = float(under.sum())
    if not len(over) or total <= 0:
        return UNKNOWN
    value = float(over.sum()) / total
    sums = by(over - value * under, person)
    squares = sums**2
    count, spread = len(sums), float(squares.sum())
    if count < 2 or spread <= 0:
        return Estimate(value, float("inf"), 1.0)
    error = np.sqrt(spread * count / (count - 1)) / total
    # Satterthwaite's idea: a chi-square of so many degrees is as uncertain as this sum of squares
    doubt = float((squares**2).sum()) - spread**2 / count
    freedom = 2 * spread**2 / doubt if doubt > 0 else count
    return Estimate(value, float(error), float(np.clip(freedom, 1.0, count - 1)))


def mean(values: np.ndarray, weight: np.ndarray, person: np.ndarray) -> Estimate:
    """The weighted mean."""
    return ratio(weight * values, weight, person)


def slope(values: np.ndarray, on: np.ndarray, weight: np.ndarray, person: np.ndarray) -> Estimate:
    """Of the weighted least squares line of `values` on `on`."""
    total = weight.sum()
    x = on - (weight @ on) / total
    y = values - (weight @ values) / total
    if (weight * x * x).sum() <= 1e-20 * total:
        return UNKNOWN
    return ratio(weight * x * y, weight * x * x, person)


def by(values: np.ndarray, person: np.ndarray) -> np.ndarray:
    """float64[persons]: the sum of each one's values, in the order of their numbers."""
    _, place = np.unique(person, return_inverse=True)
    return np.bincount(place, values)
