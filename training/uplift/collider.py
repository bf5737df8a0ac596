"""Columns recorded after the assignment that tell the outcome only in part, known by the company they keep.

A column that differs by group is either a reason for the choice or a consequence of it. Other columns tell which: had
customers been chosen by it, whatever goes with it would differ by group as well. Where columns that go with it are
alike in all groups, and unlike only among customers of one value of it, both they and the assignment come before it: it
is a collider. Not by a single column's word, because whoever chooses the best within each region makes regions alike.
Source: Spirtes, Glymour, Scheines, Causation, Prediction, and Search (2000), the orientation of v-structures.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.stats
from scipy.stats import norm

from training.uplift import hindsight, propensity

#: Columns differ plainly, and others are alike, where the p-value of "alike in every group" is below, above this.
PLAINLY, ALIKE = 1e-6, 0.05
#: Others, as far as they tell a column, differ among customers of one value of it where the p-value of "alike there" is
#: below the first, and without the one that tells most below the second.
TOLD, STILL_TOLD = 1e-6, 1e-3
RECORDED_LATER = "differs by group, but what goes with it does not: recorded after the assignment"


def unlike(numbers: Mapping[str, np.ndarray], arm: np.ndarray) -> list[str]:
    """Columns (float64[n, inputs] each) that tell the groups apart, the plainest first."""
    chance = {name: hindsight.differs(values, arm) for name, values in numbers.items()}
    return sorted((name for name, p in chance.items() if p < hindsight.DIFFERS), key=chance.__getitem__)


def alike(
    numbers: Mapping[str, np.ndarray], arm: np.ndarray, fold: np.ndarray, customer: np.ndarray | None = None
) -> bool:
    """Whether these columns together are alike in all groups; not where there are none."""
    if not numbers:
        return False
    return propensity.assignment(np.column_stack(list(numbers.values())), arm, fold, customer=customer).p > ALIKE


def recorded_later(numbers: Mapping[str, np.ndarray], arm: np.ndarray, differing: Sequence[str]) -> dict[str, str]:
    """Which of the differing columns are colliders, given that all others are alike in every group; why by column."""
    kept = [values for name, values in numbers.items() if name not in differing]
    others = np.column_stack(kept)
    owner = np.repeat(np.arange(len(kept)), [values.shape[1] for values in kept])
    plainly = [name for name in differing if hindsight.differs(numbers[name], arm) < PLAINLY]
    return {name: RECORDED_LATER for name in plainly if _collides(numbers[name], others, owner, arm)}


def unfit(numbers: Mapping[str, np.ndarray], by: np.ndarray, arm: np.ndarray) -> bool:
    """Whether columns that are alike in every group are too much so, as they go with another one: among customers of
    one value of it they are unlike, so nobody was chosen by it."""
    scaled, slopes = _going_with(by, np.column_stack(list(numbers.values())))
    return _within(by, arm)(scaled @ slopes) < ALIKE


def explained(numbers: Mapping[str, np.ndarray], by: np.ndarray, arm: np.ndarray) -> bool:
    """Whether these columns are alike in every group among customers of one value of another, by which these were
    chosen then."""
    others, stratum = np.column_stack(list(numbers.values())), _strata(by)
    count = np.bincount(stratum)
    means = [np.bincount(stratum, column) / count for column in others.T]
    return hindsight.differs(others - np.column_stack(means)[stratum], arm) >= hindsight.DIFFERS


def _collides(values: np.ndarray, others: np.ndarray, owner: np.ndarray, arm: np.ndarray) -> bool:
    """`owner` int[inputs]: which column each of the other inputs is of."""
    p, scaled, slopes = _within(values, arm), *_going_with(values, others)
    if p(scaled @ slopes) >= TOLD:
        return False
    alone = {one: p(scaled[:, owner == one] @ slopes[owner == one]) for one in np.unique(owner)}
    rest = owner != min(alone, key=alone.__getitem__)
    return p(scaled[:, rest] @ slopes[rest]) < STILL_TOLD


def _within(values: np.ndarray, arm: np.ndarray) -> Callable[[np.ndarray], float]:
    """The p-value of 'alike in every group among customers of one value', for any float64[n]."""
    stratum = _strata(values)
    count = np.bincount(stratum)

    def within(column: np.ndarray) -> np.ndarray:
        return column - (np.bincount(stratum, column) / count)[stratum]

    groups = [within((arm == one).astype(np.float64)) for one in range(1, arm.max() + 1)]

    def p(told: np.ndarray) -> float:
        left = within(told)
        return min(1.0, len(groups) * min(_p(group * left) for group in groups))

    return p


def _going_with(values: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Other columns float64[n, inputs] as scores, and the slopes by which these tell the order of a column's values."""
    spread = others.std(0)
    scaled = (others - others.mean(0)) / np.where(spread > 0, spread, 1)
    order = scipy.stats.rankdata(values @ np.arange(1, values.shape[1] + 1))
    return scaled, np.linalg.lstsq(scaled, order - order.mean(), rcond=None)[0]


def _p(products: np.ndarray) -> float:
    """The two-sided p-value of no covariance."""
    spread = float(np.sqrt(products @ products))
    return float(2 * norm.sf(abs(float(products.sum())) / spread)) if spread > 0 else 1.0


def _strata(values: np.ndarray) -> np.ndarray:
    """int[n]: customers of alike values; as many strata as the root of their number, so that little is left within."""
    if values.shape[1] > 1:
        return np.unique(values, axis=0, return_inverse=True)[1].ravel()
    rank = scipy.stats.rankdata(values[:, 0], method="min") - 1
    return np.unique(np.floor(rank / np.sqrt(len(rank))), return_inverse=True)[1]
