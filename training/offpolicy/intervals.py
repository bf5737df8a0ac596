"""Intervals for the mean of an estimator's terms.

Terms of a weighted log are skewed: mostly 0, rarely large. `normal` is right for light weights and large logs; for the
rest there is `likelihood`, which leans to the side where a rare large term may be missing, and `cautious`, which also
knows that a spread is hardly told where few terms make it.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.optimize
import scipy.stats

from training import evaluate
from training.offpolicy.estimators import Estimate

Kind = Literal["likelihood", "normal", "bootstrap", "bernstein", "cautious"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CONFIDENCE = 0.95
_STEPS = 50


@dataclass(frozen=True)
class Interval(evaluate.Interval):
    """A value and where it likely lies. An end is infinite where the terms do not bound it."""

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def widened(self, by: float) -> "Interval":
        """By a bias that is known to be no larger."""
        return Interval(self.value, self.low - by, self.high + by)


def interval(estimate: Estimate, kind: Kind = "likelihood", confidence: float = CONFIDENCE, seed: int = 0) -> Interval:
    """Of one estimate; widened by the bias that clipping may have."""
    terms = estimate.terms
    if len(terms) < 2 or not np.isfinite(terms).all():
        return Interval(estimate.value, -np.inf, np.inf)
    if kind == "normal":
        found = normal(terms, confidence)
    elif kind == "bootstrap":
        found = bootstrap(terms, confidence, seed=seed)
    elif kind == "bernstein":
        found = bernstein(terms, _reach(estimate), confidence)
    else:
        found = likelihood(terms, confidence, estimate.support)
        if kind == "cautious":
            found = _around(found, normal(terms, confidence, degrees(terms)))
    return found.widened(estimate.bias)


def _reach(estimate: Estimate) -> float:
    """How far terms may lie apart."""
    low, high = estimate.support or (float(estimate.terms.min()), float(estimate.terms.max()))
    return high - low


def normal(terms: np.ndarray, confidence: float = CONFIDENCE, degrees: float | None = None) -> Interval:
    """Student's t; `degrees` of freedom, one fewer than terms where not given."""
    mean, error = float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(len(terms)))
    freedom = len(terms) - 1 if degrees is None else degrees
    half = float(scipy.stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Interval(mean, mean - half, mean + half)


def degrees(terms: np.ndarray) -> float:
    """How many degrees of freedom the variance of `terms` float[n] has: 2 n / (kurtosis - 1), in [2, n - 1].

    Those of the scaled chi-square that varies as the variance does (Satterthwaite, 1946): the few terms that stand out
    where weights are heavy are all that tells of the spread.
    """
    gaps = terms - terms.mean()
    square = float((gaps**2).mean())
    most = len(terms) - 1.0
    if square == 0.0:
        return most
    excess = float((gaps**4).mean()) / square**2 - 1.0
    return float(np.clip(2.0 * len(terms) / max(excess, 1e-9), min(2.0, most), most))


def _around(one: Interval, other: Interval) -> Interval:
    return Interval(one.value, min(one.low, other.low), max(one.high, other.high))


def bootstrap(terms: np.ndarray, confidence: float = CONFIDENCE, draws: int = 999, seed: int = 0) -> Interval:
    """Studentised: quantiles of (resampled mean - mean) / resampled error, turned round (Efron, Tibshirani 1993)."""
    random, n = np.random.default_rng(seed), len(terms)
    mean, error = float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(n))
    if error == 0.0:
        return Interval(mean, mean, mean)
    found = np.empty(draws)
    for at in range(draws):
        some = terms[random.integers(0, n, n)]
        own = some.std(ddof=1) / np.sqrt(n)
        # a draw without any of the rare terms has no error of its own; it stands for the far end
        found[at] = (some.mean() - mean) / own if own > 0 else np.sign(some.mean() - mean) * np.inf
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2], method="inverted_cdf")
    return Interval(mean, mean - high * error, mean - low * error)


def bernstein(terms: np.ndarray, reach: float, confidence: float = CONFIDENCE) -> Interval:
    """Holds for every sample size where terms range over at most `reach` (Maurer and Pontil, COLT 2009); wide."""
    n, mean = len(terms), float(terms.mean())
    log = np.log(4.0 / (1.0 - confidence))
    half = float(np.sqrt(2.0 * terms.var(ddof=1) * log / n) + 7.0 * reach * log / (3.0 * (n - 1)))
    return Interval(mean, mean - half, mean + half)


def likelihood(
    terms: np.ndarray, confidence: float = CONFIDENCE, support: tuple[float, float] | None = None
) -> Interval:
    """Empirical likelihood of a mean (Owen, Biometrika 1988), with terms up to the ends of `support` allowed for.

    The means that some reweighting gives without being too unlikely: -2 log ratio at most the quantile of F(1, n - 1).
    What could have been drawn and was not, a rare heavy weight, may be a part of that reweighting (Karampatziakis,
    Langford and Mineiro, NeurIPS 2020); without a `support`, only what was drawn.
    """
    if np.ptp(terms) == 0.0:
        return unvaried(terms, confidence, support)
    mean, spread = float(terms.mean()), float(terms.std(ddof=1))
    scaled = (terms - mean) / spread
    low, high = (float(scaled.min()), float(scaled.max()))
    if support is not None:
        low, high = min(low, (support[0] - mean) / spread), max(high, (support[1] - mean) / spread)
    limit = float(scipy.stats.f.ppf(confidence, 1, len(terms) - 1))
    return Interval(mean, mean - spread * _end(-scaled, -low, limit), mean + spread * _end(scaled, high, limit))


def unvaried(terms: np.ndarray, confidence: float = CONFIDENCE, support: tuple[float, float] | None = None) -> Interval:
    """Of terms float[n] that are all alike: with this confidence at most a share of 1 - (1 - confidence)^(1/n), about
    3/n, is otherwise (the rule of three; Hanley and Lippman-Hand, JAMA 1983), and lies at an end of `support`. Without
    one nothing bounds the mean.
    """
    mean = float(terms.mean())
    if support is None:
        return Interval(mean, -np.inf, np.inf)
    share = 1.0 - (1.0 - confidence) ** (1.0 / len(terms))
    low, high = (mean + share * (end - mean) for end in support)
    return Interval(mean, min(low, mean), max(high, mean))


def _end(scaled: np.ndarray, most: float, limit: float) -> float:
    """Where the ratio reaches the limit, above the mean (0) and below the largest possible term."""
    last = most * (1 - 1e-9)
    low, high = 0.0, min(last, 2.0 / np.sqrt(len(scaled)))
    while _ratio(scaled - high, most - high) < limit and high < last:
        low, high = high, min(last, 1.5 * high)
    if _ratio(scaled - high, most - high) < limit:
        return high
    return float(
        scipy.optimize.brentq(
            lambda at: _ratio(scaled - at, most - at) - limit, low, high, xtol=1e-3 / np.sqrt(len(scaled))
        )
    )


def _ratio(gaps: np.ndarray, most: float) -> float:
    """-2 log of the empirical likelihood ratio of 'the mean gap is 0', gaps being up to `most`, and mostly below 0.

    That is 2 max over l of sum log(1 + l gap), where 1 + l gap > 0 for all that may be: from -1 / most to 0.
    """
    left, right = -(1 - 1e-12) / most, 0.0
    at = 0.0
    for _ in range(_STEPS):  # Newton's, kept inside; the sum is concave in l
        share = gaps / (1.0 + at * gaps)
        slope = float(share.sum())
        left, right = (at, right) if slope > 0 else (left, at)
        step = at + slope / float(share @ share)
        step = step if left < step < right else (left + right) / 2
        if abs(step - at) < 1e-10 * (1 + abs(at)):
            break
        at = step
    return 2.0 * float(np.log1p(at * gaps).sum())
