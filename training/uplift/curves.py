"""Qini and uplift curves and their areas, defined once.

Libraries disagree; here is ours. Customers are sorted by effect, the highest first; ties are one step. Among the first
k customers there are T treated and C control, whose outcomes sum to Yt and Yc.

    Qini curve    q(k) = Yt - Yc T / C           responses that the treatment caused, in treated customers' number
    uplift curve  u(k) = (Yt / T - Yc / C) k     responses caused had all k been treated

0 stands for a ratio over nobody, and both start at (0, 0). The area between the curve and the straight line from
(0, 0) to its end (random targeting), divided by the same area of a perfect order, is the **Qini coefficient** and the
**AUUC**. Perfect orders: for Qini, by outcome x treated - outcome x control, highest first; for the uplift curve,
treated with outcome and controls without before all others (`_perfect_uplift`). Both equal scikit-uplift 0.5's
`qini_auc_score` and `uplift_auc_score` on the same effects; causalml's and pylift's figures are others.
Source: Radcliffe, Direct Marketing Analytics Journal 1 (2007); Devriendt, Van Belle, Guns, Verbeke, IEEE TKDE (2020).

A randomised campaign is assumed: nothing here corrects for who was treated.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.evaluate import LEVEL, Interval

REPEATS = 200


@dataclass(frozen=True)
class Ranked:
    """Customers sorted by a score, highest first; `ends` are the last places of ties."""

    order: np.ndarray
    ends: np.ndarray
    outcome: np.ndarray
    treated: np.ndarray

    @classmethod
    def by(cls, score: np.ndarray, outcome: np.ndarray, treated: np.ndarray) -> "Ranked":
        """`outcome` float64[n], `treated` bool[n] or 0/1."""
        order = np.argsort(-np.asarray(score, np.float64), kind="stable")
        ranked = np.asarray(score, np.float64)[order]
        ends = np.concatenate([np.flatnonzero(np.diff(ranked)), [len(ranked) - 1]])
        return cls(order, ends, np.asarray(outcome, np.float64)[order], np.asarray(treated, np.float64)[order])

    def sums(self, weights: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """T, C, Yt, Yc at each end; `weights` are customers' counts in a bootstrap draw."""
        count = np.ones(len(self.order)) if weights is None else weights[self.order]
        parts = (self.treated, 1 - self.treated)
        numbers = [np.cumsum(count * part)[self.ends] for part in parts]
        return (*numbers, *(np.cumsum(count * part * self.outcome)[self.ends] for part in parts))


Curve = tuple[np.ndarray, np.ndarray]


def qini_curve(ranked: Ranked, weights: np.ndarray | None = None) -> Curve:
    """Customers reached and responses caused, from (0, 0) on."""
    treated, control, high, low = ranked.sums(weights)
    return _from_zero(treated + control, high - _ratio(low, control) * treated)


def uplift_curve(ranked: Ranked, weights: np.ndarray | None = None) -> Curve:
    """Customers reached and responses caused had all of them been treated, from (0, 0) on."""
    treated, control, high, low = ranked.sums(weights)
    reached = treated + control
    return _from_zero(reached, (_ratio(high, treated) - _ratio(low, control)) * reached)


def _ratio(sums: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return np.divide(sums, numbers, out=np.zeros_like(sums), where=numbers != 0)


def _from_zero(reached: np.ndarray, value: np.ndarray) -> Curve:
    return np.concatenate([[0.0], reached]), np.concatenate([[0.0], value])


def _above_random(curve: Curve) -> float:
    reached, value = curve
    return float(np.trapezoid(value, reached) - reached[-1] * value[-1] / 2)


def _perfect_qini(outcome: np.ndarray, treated: np.ndarray) -> np.ndarray:
    return outcome * treated - outcome * (1 - treated)


def _perfect_uplift(outcome: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """Agreement of outcome and treatment first; within, by whichever of outcome and treatment leaves fewer in doubt."""
    responders = np.sum((outcome == 1) & (treated == 0))
    idle = np.sum((outcome == 0) & (treated == 1))
    return 2.0 * (outcome == treated) + (outcome if responders > idle else treated)


def qini(score: np.ndarray, outcome: np.ndarray, treated: np.ndarray) -> float:
    """The Qini coefficient: 1 perfect, 0 random, below 0 worse. Shapes [n]."""
    return _normalised(qini_curve, _perfect_qini, score, outcome, treated).value()


def auuc(score: np.ndarray, outcome: np.ndarray, treated: np.ndarray) -> float:
    """The normalised area under the uplift curve: 1 perfect, 0 random."""
    return _normalised(uplift_curve, _perfect_uplift, score, outcome, treated).value()


def qini_interval(
    score: np.ndarray,
    outcome: np.ndarray,
    treated: np.ndarray,
    customer: np.ndarray | None = None,
    repeats: int = REPEATS,
) -> Interval:
    """The coefficient with a percentile bootstrap interval over customers, scores held.

    `customer` int[n] says whose each row is; None where each is a customer's only one.
    """
    return _normalised(qini_curve, _perfect_qini, score, outcome, treated).interval(customer, repeats)


def auuc_interval(
    score: np.ndarray,
    outcome: np.ndarray,
    treated: np.ndarray,
    customer: np.ndarray | None = None,
    repeats: int = REPEATS,
) -> Interval:
    """The same of the AUUC."""
    return _normalised(uplift_curve, _perfect_uplift, score, outcome, treated).interval(customer, repeats)


@dataclass(frozen=True)
class _Normalised:
    """The area of a curve over that of the perfect order."""

    curve: Callable[[Ranked, np.ndarray | None], Curve]
    ranked: Ranked
    perfect: Ranked

    def value(self, weights: np.ndarray | None = None) -> float:
        best = _above_random(self.curve(self.perfect, weights))
        return _above_random(self.curve(self.ranked, weights)) / best if best else float("nan")

    def interval(self, customer: np.ndarray | None, repeats: int) -> Interval:
        place = np.arange(len(self.ranked.order)) if customer is None else np.unique(customer, return_inverse=True)[1]
        rng, count = np.random.default_rng(0), int(place.max()) + 1
        draws = [
            self.value(np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)[place])
            for _ in range(repeats)
        ]
        low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(self.value(), float(low), float(high))


def _normalised(
    curve: Callable[[Ranked, np.ndarray | None], Curve],
    perfect: Callable[[np.ndarray, np.ndarray], np.ndarray],
    score: np.ndarray,
    outcome: np.ndarray,
    treated: np.ndarray,
) -> _Normalised:
    outcome, treated = np.asarray(outcome, np.float64), np.asarray(treated, np.float64)
    best = Ranked.by(perfect(outcome, treated), outcome, treated)
    return _Normalised(curve, Ranked.by(score, outcome, treated), best)
