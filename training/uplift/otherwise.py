"""Effects beside those of the models: of all customers as they are, and of those alike by what may have come later."""

from collections.abc import Sequence

import numpy as np

from training.evaluate import Interval
from training.uplift.heterogeneity import mean


def as_they_are(
    arm: np.ndarray, value: np.ndarray, customer: np.ndarray | None, arms: Sequence[str]
) -> dict[str, Interval]:
    """Each arm's mean outcome less that of control; `arm` int[n], `value` float64[n], `customer` as in errors.py."""
    everyone = np.ones(len(arm), bool)
    return {arms[k]: _difference(everyone, k, arm, value, customer) for k in range(1, len(arms))}


def among_alike(
    gates: Sequence[np.ndarray], arm: np.ndarray, value: np.ndarray, customer: np.ndarray | None, arms: Sequence[str]
) -> dict[str, Interval]:
    """The same among customers alike in every gate (bool[n]), weighted by how many these are."""
    if not gates:
        return {}
    alike = np.unique(np.column_stack(gates), axis=0, return_inverse=True)[1].ravel()
    found = {}
    for k in range(1, len(arms)):
        groups = [alike == one for one in np.unique(alike)]
        groups = [own for own in groups if min(np.sum(own & (arm == k)), np.sum(own & (arm == 0))) > 1]
        share = np.array([np.sum(own & ((arm == k) | (arm == 0))) for own in groups], np.float64)
        share /= share.sum()
        effects = [_difference(own, k, arm, value, customer) for own in groups]
        middle = float(share @ [one.value for one in effects])
        half = float(np.linalg.norm(share * [one.high - one.value for one in effects]))
        found[arms[k]] = Interval(middle, middle - half, middle + half)
    return found


def _difference(own: np.ndarray, k: int, arm: np.ndarray, value: np.ndarray, customer: np.ndarray | None) -> Interval:
    """Of two means among some, with its usual interval."""
    groups = (own & (arm == k), own & (arm == 0))
    one, other = (mean(value[there], None if customer is None else customer[there]) for there in groups)
    middle, half = one.value - other.value, float(np.hypot(one.high - one.value, other.high - other.value))
    return Interval(middle, middle - half, middle + half)
