"""Columns that know what happened after the assignment, and so must not be inputs: other outcomes, copies of the arm.

Assignment comes first in a campaign: what differs by arm where assignment was random, or settles the outcome, was
recorded later. Each rule gives its reason in words, and the caller can keep the column by naming the inputs.
"""

from collections.abc import Mapping

import numpy as np
import scipy.stats

#: Chance of a false alarm by column for what alone is no proof, and where it is the only evidence.
DIFFERS, DIFFERS_ALONE = 0.01, 1e-6
#: So many exceptions must have been expected before none is called a rule.
EXPECTED = 15


def reasons(columns: Mapping[str, np.ndarray], arm: np.ndarray, outcome: np.ndarray) -> dict[str, str]:
    """Why columns (float64[n, inputs] each, as encoded) cannot be inputs; those not named have nothing against them.

    A column that merely differs by group is suspect only where nearly all others do not: elsewhere the groups were
    chosen, and what differs is what an honest comparison needs most.
    """
    found = {name: why for name, values in columns.items() if (why := _reason(values, arm, outcome))}
    chance = {name: differs(values, arm) for name, values in columns.items() if name not in found}
    unlike = sum(p < DIFFERS for p in chance.values())
    for name, p in chance.items():
        if p < DIFFERS_ALONE and unlike <= max(1, len(chance) // 5) and len(chance) > 2:
            found[name] = "differs by group where nearly nothing else does, so it was recorded afterwards"
    return found


def _reason(values: np.ndarray, arm: np.ndarray, outcome: np.ndarray) -> str | None:
    if _names_the_arm(values, arm):
        return "says which group the customer was in"
    there, responded = np.any(values != _usual(values), axis=1), outcome != 0
    if there.all() or responded.all():
        return None
    expected = there.sum() * (1 - responded.mean())
    if expected >= EXPECTED and not np.any(there & ~responded):
        return "is there only where the outcome is"
    missed = responded.sum() * (1 - there.mean())
    if missed >= EXPECTED and not np.any(responded & ~there) and differs(values, arm) < DIFFERS:
        return "is there wherever the outcome is, and differs by group"
    return None


def _usual(values: np.ndarray) -> np.ndarray:
    """What a column reads when nothing happened: zero, or its commonest value where it never is."""
    usual = np.zeros(values.shape[1])
    for k, one in enumerate(values.T):
        if not (one == 0).any():
            found, counts = np.unique(one, return_counts=True)
            usual[k] = found[counts.argmax()]
    return usual


def _names_the_arm(values: np.ndarray, arm: np.ndarray) -> bool:
    """Whether each distinct value occurs in one arm only, though values repeat."""
    _, code = np.unique(values, axis=0, return_inverse=True)
    code = code.ravel()
    if code.max() + 1 > max(20, 2 * (arm.max() + 1)):
        return False
    table = np.zeros((code.max() + 1, arm.max() + 1))
    np.add.at(table, (code, arm), 1)
    return bool(((table > 0).sum(1) == 1).all()) and len(table) > 1


def differs(values: np.ndarray, arm: np.ndarray) -> float:
    """The smallest p-value of 'alike in every arm' over a column's inputs, times their number."""
    groups = [values[arm == one] for one in range(arm.max() + 1)]
    varying = np.flatnonzero(values.std(0) > 0)
    found = [float(scipy.stats.f_oneway(*[group[:, k] for group in groups]).pvalue) for k in varying]
    return min(1.0, min(found, default=1.0) * values.shape[1])
