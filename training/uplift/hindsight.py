"""Columns that know what happened after the assignment, and so must not be inputs: other outcomes, copies of the arm.

Assignment comes first in a campaign: what settles the outcome, or happens in one group only, was recorded later. Each
rule gives its reason in words, and naming the inputs overrules all.
"""

import numpy as np
import scipy.stats

#: Where a column's p-value of "alike in every group" is below this, it differs.
DIFFERS = 0.01
#: Who knows the outcome of so large a share of pairs has been told it: nothing known before is that sure.
SURE = 0.99
#: Groups differ among those of the same outcome (in so many steps) where the p-value is below this.
STRATA, APART = 50, 0.001
#: So many exceptions must have been expected before none is called a rule.
EXPECTED = 15


def reason(values: np.ndarray, arm: np.ndarray, outcome: np.ndarray, label: bool) -> str | None:
    """Why a column (float64[n, inputs], as encoded) cannot be an input; None where nothing speaks against it.

    That a column differs by group is no reason: where customers were chosen, such columns are what an honest
    comparison needs most. The report names them instead.
    """
    if _names_the_arm(values, arm):
        return "says which group the customer was in"
    if (why := _recorded_later(values, arm, outcome, label)) is not None:
        return why
    told = not label and _knows(values[:, 0], outcome) and not _apart(values[:, 0], arm, outcome)
    return "all but tells the outcome" if told else None


def _recorded_later(values: np.ndarray, arm: np.ndarray, outcome: np.ndarray, label: bool) -> str | None:
    """By whether anything happened: a column that is there where the outcome is, or in one group."""
    if label and values.shape[1] > 1:
        return None  # several labels have no "nothing happened"
    there, responded = np.any(values != _usual(values), axis=1), outcome != 0
    if there.all() or not there.any():
        return None
    counts = np.bincount(arm[there], minlength=arm.max() + 1)
    absent = there.mean() * np.bincount(arm)[counts == 0]
    if len(absent) == len(counts) - 1 and absent.min() >= EXPECTED:
        return "is there in one group only"
    if responded.all():
        return None
    expected = there.sum() * (1 - responded.mean())
    if expected >= EXPECTED and not np.any(there & ~responded):
        return "is there only where the outcome is"
    missed = responded.sum() * (1 - there.mean())
    if missed >= EXPECTED and not np.any(responded & ~there) and differs(values, arm) < DIFFERS:
        return "is there wherever the outcome is, and differs by group"
    return None


def _knows(values: np.ndarray, outcome: np.ndarray) -> bool:
    """Whether the order of a column is that of the outcome: of a yes/no the share of pairs (AUC), else of ranks."""
    if len(np.unique(values)) < 3:
        return False  # exceptions are counted below
    if np.isin(outcome, (0.0, 1.0)).all():
        found = float(scipy.stats.mannwhitneyu(values[outcome == 1], values[outcome == 0]).statistic)
        share = found / max(1.0, float((outcome == 1).sum()) * float((outcome == 0).sum()))
        return max(share, 1 - share) >= SURE
    return abs(float(scipy.stats.spearmanr(values, outcome).statistic)) >= SURE


def _apart(values: np.ndarray, arm: np.ndarray, outcome: np.ndarray) -> bool:
    """Whether groups differ in a column among customers of the same outcome: not where it was copied from the outcome,
    but where the outcome was moved away from it, as from last year's amount. Of no effect at all, nobody can tell."""
    ranks, order = scipy.stats.rankdata(values), scipy.stats.rankdata(outcome)
    stratum = np.unique(np.floor(order * (STRATA / len(order))), return_inverse=True)[1]
    left = ranks - order * (np.cov(ranks, order)[0, 1] / order.var(ddof=1))
    left -= (np.bincount(stratum, left) / np.bincount(stratum))[stratum]
    if left.std() < 1e-6:
        return False
    groups = [left[arm == one] for one in range(arm.max() + 1)]
    return float(scipy.stats.f_oneway(*groups).pvalue) < APART


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
    single = values.shape[1] == 1  # rows take ten times as long to sort
    _, code = np.unique(values[:, 0] if single else values, axis=None if single else 0, return_inverse=True)
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
