"""Columns that know what happened after the assignment, and so must not be inputs: other outcomes, copies of the arm.

Assignment comes first in a campaign: what settles the outcome, or happens in one group only, was recorded later. Each
rule gives its reason in words, and naming the inputs overrules all.
"""

import numpy as np
import scipy.stats

#: Where a column's p-value of "alike in every group" is below this, it differs.
DIFFERS = 0.01
#: Who knows the outcome of so large a share of pairs, or the group of so large a share of each, has been told it:
#: nothing known before is that sure. What happens less than once where a hundred times were expected is an error.
SURE = 0.99
#: What tells the outcome of so large a share of pairs by how much there is of it, where there is any, holds part of it.
PART = 0.9
#: Groups differ among those of the same outcome (in so many steps) where the p-value is below this.
STRATA, APART = 50, 0.001
#: So many exceptions must have been expected before none is called a rule.
EXPECTED = 15
WHEREVER = "is there wherever the outcome is, and differs by group"


def reason(values: np.ndarray, gap: np.ndarray, arm: np.ndarray, outcome: np.ndarray, label: bool) -> str | None:
    """Why a column cannot be an input, None where nothing speaks against it: float64[n, inputs] as encoded; `gap`
    bool[n] where it is blank.

    That a column differs by group is no reason: where customers were chosen, such columns are what an honest
    comparison needs most. The report names them instead.
    """
    code = _codes(values, gap, label)
    happened, otherwise = _readings(code, label)
    if _names_the_arm(code, arm) or any(_splits(there, arm) for there in happened):
        return "says which group the customer was in"
    if any(_in_one_group(there, arm) for there in happened):
        return "is there in one group only"
    responded = outcome != 0
    if not responded.all() and any(_never(there, ~responded) for there in (*happened, *otherwise)):
        return "is there only where the outcome is"
    if _tells(code if label else np.minimum(code, 2), responded):
        return "all but tells the outcome"
    if label or not happened:
        return None
    number, there = values[:, 0], happened[-1]
    passed = gate(values, gap, arm, outcome, label)
    if passed is not None and _share(number[there], responded[there]) >= PART:
        return WHEREVER
    known = ~gap
    told = _knows(number[known], outcome[known]) and not _apart(number[known], arm[known], outcome[known])
    return "all but tells the outcome" if told else None


def gate(values: np.ndarray, gap: np.ndarray, arm: np.ndarray, outcome: np.ndarray, label: bool) -> np.ndarray | None:
    """bool[n], where a column is there, if nobody responded elsewhere and it differs by group; else None.

    It is a step on the way to the outcome, or what was needed for it, by which customers were chosen: who has no app
    buys nothing in it. Alone, both look alike.
    """
    happened, otherwise = _readings(_codes(values, gap, label), label)
    found = [*happened, *otherwise] if len(otherwise) == 1 else happened
    responded, told = outcome != 0, np.column_stack([values, gap]) if gap.any() else values
    passed = [there for there in found if not responded.all() and _never(responded, ~there)]
    return passed[0] if passed and differs(told, arm) < DIFFERS else None


def _codes(values: np.ndarray, gap: np.ndarray, label: bool) -> np.ndarray:
    """int[n]: which value a customer has; 0 is a blank, of a number 1 is what it reads when nothing happened."""
    if label:
        return np.where(gap, 0, 1 + (values @ np.arange(1, values.shape[1] + 1)).astype(np.int64))
    found, code, counts = np.unique(values[~gap, 0], return_inverse=True, return_counts=True)
    places = np.zeros(len(gap), np.int64)
    if len(found):
        usual = int(np.flatnonzero(found == 0)[0]) if (found == 0).any() else int(counts.argmax())
        rank = np.arange(len(found)) + 2 - (np.arange(len(found)) > usual)
        rank[usual] = 1
        places[~gap] = rank[code]
    return places


def _readings(code: np.ndarray, label: bool) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """bool[n] each: where something may have happened by a column. First what says so plainly: it is not blank, not
    zero, not the commoner of two. Then what else might, as any label may stand for "nothing happened"."""
    known = code > 0
    kinds, counts = np.unique(code[known], return_counts=True)
    there = [known] if not known.all() else []
    if label and len(kinds) > 2:
        return there, [known & (code != kind) for kind in kinds]
    if len(kinds) < 2:
        return there, []
    usual = kinds[counts.argmax()] if label else 1
    return [*there, known & (code != usual)], [known & (code == usual)] if len(kinds) == 2 else []


def _never(there: np.ndarray, where: np.ndarray) -> bool:
    """Whether one as good as never happens with the other, though chance would have it often."""
    expected = there.sum() * where.mean()
    return bool(expected >= EXPECTED and np.sum(there & where) <= (1 - SURE) * expected)


def _splits(there: np.ndarray, arm: np.ndarray) -> bool:
    """Whether it is there for nearly everyone in some groups, and for nearly nobody in the others."""
    sizes = np.bincount(arm)
    share = np.bincount(arm[there], minlength=len(sizes)) / sizes
    full, none = share >= SURE, share <= 1 - SURE
    return bool(full.any() and none.any() and (full | none).all() and sizes.min() >= EXPECTED)


def _in_one_group(there: np.ndarray, arm: np.ndarray) -> bool:
    counts, sizes = np.bincount(arm[there], minlength=arm.max() + 1), np.bincount(arm)
    absent = there.mean() * sizes[counts == 0]
    return len(absent) == len(counts) - 1 and bool(absent.min() >= EXPECTED)


def _tells(code: np.ndarray, responded: np.ndarray) -> bool:
    """Whether the values, in the order of how many responded, tell who did."""
    rate = np.bincount(code, responded) / np.maximum(1, np.bincount(code))
    return _share(rate[code], responded) >= SURE


def _share(values: np.ndarray, responded: np.ndarray) -> float:
    """Of pairs of one who responded and one who did not, the share that the values put in order or in reverse (AUC)."""
    pairs = float(responded.sum()) * float((~responded).sum())
    if pairs == 0:
        return 0.5
    found = float(scipy.stats.mannwhitneyu(values[responded], values[~responded]).statistic) / pairs
    return max(found, 1 - found)


def _knows(values: np.ndarray, outcome: np.ndarray) -> bool:
    """Whether the order of a column is that of the outcome: of a yes/no the share of pairs (AUC), else of ranks."""
    if len(np.unique(values)) < 3 or np.ptp(outcome) == 0:
        return False  # exceptions are counted instead
    if np.isin(outcome, (0.0, 1.0)).all():
        return _share(values, outcome == 1) >= SURE
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


def _names_the_arm(code: np.ndarray, arm: np.ndarray) -> bool:
    """Whether values, few as they are, tell the group of nearly everyone in each group."""
    table = np.zeros((code.max() + 1, arm.max() + 1))
    np.add.at(table, (code, arm), 1)
    if np.sum(table.sum(1) > 0) > max(20, 2 * table.shape[1]):
        return False
    size = table.sum(0)
    meant = (table / size).argmax(1)
    return all(table[meant == one, one].sum() >= SURE * size[one] for one in range(len(size)))


def differs(values: np.ndarray, arm: np.ndarray) -> float:
    """The smallest p-value of 'alike in every arm' over a column's inputs, times their number."""
    groups = [values[arm == one] for one in range(arm.max() + 1)]
    varying = np.flatnonzero(values.std(0) > 0)
    found = [float(scipy.stats.f_oneway(*[group[:, k] for group in groups]).pvalue) for k in varying]
    return min(1.0, min(found, default=1.0) * values.shape[1])
