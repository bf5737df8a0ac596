"""Effects beside those of the models: of all customers as they are, and of those alike by what may have come later."""

from collections.abc import Sequence

import numpy as np

from training.evaluate import Interval
from training.uplift import heterogeneity
from training.uplift.logged import clusters


def as_they_are(
    arm: np.ndarray, value: np.ndarray, customer: np.ndarray | None, arms: Sequence[str]
) -> dict[str, Interval]:
    """Each arm's mean outcome less that of control; `arm` int[n], `value` float64[n], `customer` as in errors.py."""
    return _among([np.ones(len(arm), bool)], arm, value, customer, arms)


def among_alike(
    gates: Sequence[np.ndarray], arm: np.ndarray, value: np.ndarray, customer: np.ndarray | None, arms: Sequence[str]
) -> dict[str, Interval]:
    """The same among customers alike in every gate (bool[n]), weighted by how many these are."""
    if not gates:
        return {}
    alike = np.unique(np.column_stack(gates), axis=0, return_inverse=True)[1].ravel()
    return _among([alike == one for one in np.unique(alike)], arm, value, customer, arms)


def _among(
    groups: Sequence[np.ndarray], arm: np.ndarray, value: np.ndarray, customer: np.ndarray | None, arms: Sequence[str]
) -> dict[str, Interval]:
    """Differences of means within groups, bool[n] each; none of an arm that no group of two and two has."""
    found = {}
    for k in range(1, len(arms)):
        pairs = [(own & (arm == k), own & (arm == 0)) for own in groups]
        pairs = [pair for pair in pairs if min(_count(there, customer) for there in pair) > 1]
        if not pairs:
            continue
        share = np.array([treated.sum() + control.sum() for treated, control in pairs], np.float64)
        share /= share.sum()
        middle = float(share @ [value[treated].mean() - value[control].mean() for treated, control in pairs])
        error = _error(pairs, share, value, customer)
        found[arms[k]] = Interval(middle, middle - heterogeneity.Z * error, middle + heterogeneity.Z * error)
    return found


def _count(there: np.ndarray, customer: np.ndarray | None) -> int:
    return int(there.sum()) if customer is None else len(np.unique(customer[there]))


def _error(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], share: np.ndarray, value: np.ndarray, customer: np.ndarray | None
) -> float:
    """The standard error of differences of means, weighted; what a customer's rows add to any of them is one thing."""
    if customer is None:
        variances = [sum(value[there].var(ddof=1) / there.sum() for there in pair) for pair in pairs]
        return float(np.sqrt(share**2 @ variances))
    parts = np.zeros(len(value))
    for (treated, control), part in zip(pairs, share, strict=True):
        parts[treated] += part * (value[treated] - value[treated].mean()) / treated.sum()
        parts[control] -= part * (value[control] - value[control].mean()) / control.sum()
    there = np.any([one for pair in pairs for one in pair], axis=0)
    sums = clusters.by(parts[there], customer[there])
    return float(np.sqrt(sums @ sums * len(sums) / (len(sums) - 1)))
