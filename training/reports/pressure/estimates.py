"""Intervals of the report: sums over customers, and shares of contacts that hang together by customer."""

import numpy as np
from scipy.stats import norm

from training.reports.pressure.artefact import Known, Total
from training.reports.statistics import CONFIDENCE, FEWEST_EXPECTED, SMALLEST_ARM, Sample, wilson

Z = float(norm.ppf(0.5 + CONFIDENCE / 2))


def total(values: np.ndarray, off: np.ndarray) -> Total:
    """What customers float64[n] come to, each by means that others told; `off` float64[parts]: by how much each part of
    those others moves it. No interval where either are too few.

    How many customers there are is chance as well, so that the variance is the sum of squares (compound Poisson), and
    that of the means comes to it.
    """
    value = float(values.sum())
    if min(len(values), len(off)) < SMALLEST_ARM:
        return Total(value=value)
    half = Z * float(np.sqrt((values**2).sum() + (off**2).sum()))
    return Total(value=value, low=value - half, high=value + half)


def share(hit: np.ndarray, who: np.ndarray) -> Known | None:
    """The share of rows bool[n] that were hit, of customers int[n]; None where there are too few to tell.

    Wilson's interval (1927) at the number of independent rows that vary as much as these do, customers as wholes.
    """
    n, hits = len(hit), int(hit.sum())
    if n < SMALLEST_ARM or min(hits, n - hits) < FEWEST_EXPECTED:
        return None
    p = hits / n
    _, place = np.unique(who, return_inverse=True)
    rest = np.bincount(place, hit - p)
    clusters = len(rest)
    variance = float((rest**2).sum()) / n**2 * clusters / max(clusters - 1, 1)
    rows = n if variance <= 0 else min(n, p * (1 - p) / variance)
    low, high = wilson(p, rows)
    return Known(value=p, low=low, high=high)


def difference(a: Sample, b: Sample) -> Known:
    """The mean of one group less that of another, with nobody in common."""
    value = a.mean - b.mean
    half = Z * float(np.sqrt(a.variance / a.n + b.variance / b.n))
    return Known(value=value, low=value - half, high=value + half)
