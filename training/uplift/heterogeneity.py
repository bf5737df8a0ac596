"""Is there heterogeneity at all? A test, a proof of use, and effects by group with honest intervals.

Everything is computed from effect scores of customers and from effects that other customers taught, fold by fold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from training.evaluate import Interval
from training.uplift import errors
from training.uplift.choose import BLEND, CONSTANT, Choice, CrossFit, InTurn, within
from training.uplift.customers import among
from training.uplift.logged import clusters

LEVEL = 0.05
Z = float(norm.ppf(1 - LEVEL / 2))


@dataclass(frozen=True)
class Heterogeneity:
    """The test's slope and p-value, the best learner's gain over one effect for all, and what follows.

    `gain_p` is that of the best learner, times the number of learners tried. `shown` where both are below .05.
    """

    slope: Interval
    p: float
    gain_p: float

    @property
    def shown(self) -> bool:
        return self.p < LEVEL and self.gain_p < LEVEL


@dataclass(frozen=True)
class Group:
    """Customers of alike predicted effect: how many, the mean prediction, and the effect estimated among them."""

    customers: int
    predicted: float
    effect: Interval


def examine(fitted: CrossFit, arm: int, choice: Choice, told: InTurn) -> Heterogeneity:
    """Whether effects of `arm` differ by customer; `told`: what every learner says in turn (`choose.in_turn`).

    Two doors, because a rule for whom to contact costs more than treating all alike. The test asks whether the mean of
    all learners' standardised effects goes with the scores: no learner is picked for it, and each fold's effects are
    learned from the folds before it. Where folds teach each other, the same chance in two of them is counted from both
    sides: learners that can follow many inputs then find in one campaign of ten what is not there. The gain asks
    whether the best learner is closer to the scores than one effect for all, Bonferroni over the learners.
    """
    score = fitted.sample.effect_score(arm)
    judged, every = told
    effects = {name: found for name, found in every.items() if name not in (CONSTANT, BLEND)}
    fold = fitted.fold[judged]
    customer = among(fitted.sample.customer, judged)
    slope, p = best_linear_predictor(score[judged], proxy(effects, fold), fold, customer)
    best = choice.loss(choice.best)
    tried = len(choice.losses) - 1
    gain_p = min(1.0, tried * float(norm.sf(best.gain / best.error))) if best.error > 0 else 1.0
    return Heterogeneity(slope, p, gain_p)


def proxy(effects: Mapping[Any, np.ndarray], fold: np.ndarray) -> np.ndarray:
    """The mean of all learners' effects in units of each one's standard deviation within the fold: a learner of few
    customers is no louder for being wilder."""
    found = np.zeros(len(fold))
    for k in np.unique(fold):
        own = fold == k
        columns = [column[own] / column[own].std() for column in effects.values() if column[own].std() > 1e-12]
        if columns:
            found[own] = np.mean(columns, axis=0)
    return found


def best_linear_predictor(
    score: np.ndarray, effect: np.ndarray, fold: np.ndarray, customer: np.ndarray | None = None
) -> tuple[Interval, float]:
    """Slope of the scores on the effects within folds, and the one-sided p-value of a slope of zero.

    A slope of 1 says that effects differ as much as predicted, 0 that the prediction says nothing.
    Source: Chernozhukov, Demirer, Duflo, Fernandez-Val, Econometrica 93 (2025); errors robust to variance, and
    to what a customer's rows have in common (`customer` as in errors.py).
    """
    x, y = within(effect, fold), within(score, fold)
    spread = float(x @ x)
    if spread <= 1e-20 * len(x):
        return Interval(0.0, float("-inf"), float("inf")), 1.0
    if customer is not None:
        found = clusters.ratio(x * y, x * x, customer)
        return found.interval, found.above_zero
    slope = float(x @ y) / spread
    error = float(np.sqrt(np.sum((x * (y - slope * x)) ** 2))) / spread
    return Interval(slope, slope - Z * error, slope + Z * error), float(norm.sf(slope / error))


def groups(
    score: np.ndarray, effect: np.ndarray, fold: np.ndarray, count: int, customer: np.ndarray | None = None
) -> list[Group]:
    """Customers cut into `count` equal groups by effect, lowest first, within each fold; none where nothing varies
    or one customer would be a group.

    Intervals are honest for effects learned in turn (`choose.in_turn`). Source: sorted group effects, ibid.
    """
    if within(effect, fold).std() <= 1e-12:
        return []
    place = np.zeros(len(effect), np.int64)
    for k in np.unique(fold):
        own = np.flatnonzero(fold == k)
        place[own[np.argsort(effect[own], kind="stable")]] = np.arange(len(own)) * count // len(own)
    parts = [place == k for k in range(count)]
    found = [Group(int(own.sum()), float(effect[own].mean()), mean(score[own], among(customer, own))) for own in parts]
    return found if all(np.isfinite(one.effect.high) for one in found) else []


def mean(score: np.ndarray, customer: np.ndarray | None = None) -> Interval:
    """The mean with its 95 % interval, normal where each row is a customer."""
    if customer is not None and np.ptp(score) > 0:
        return clusters.mean(score, np.ones(len(score)), customer).interval
    value, error = float(score.mean()), errors.of_mean(score)
    return Interval(value, value - Z * error, value + Z * error)
