"""Intervals for the mean of an estimator's terms.

Terms of a weighted log are skewed: mostly 0, rarely large. `normal` is right for light weights and large logs; for the
rest there is `likelihood`, which leans to the side where a rare large term may be missing.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.optimize
import scipy.stats

from training.offpolicy.estimators import Estimate

Kind = Literal["likelihood", "normal", "bootstrap", "bernstein"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CONFIDENCE = 0.95
_STEPS = 50


@dataclass(frozen=True)
class Interval:
    """A value and where it likely lies. An end is infinite where the terms do not bound it."""

    value: float
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def widened(self, by: float) -> "Interval":
        """By a bias that is known to be no larger."""
        return Interval(self.value, self.low - by, self.high + by)


def interval(
    estimate: Estimate,
    kind: Kind = "likelihood",
    confidence: float = CONFIDENCE,
    reach: float | None = None,
    seed: int = 0,
) -> Interval:
    """Of one estimate; widened by the bias that clipping may have. `reach`: the range of terms, for `bernstein`."""
    terms = estimate.terms
    if len(terms) < 2 or not np.isfinite(terms).all():
        return Interval(estimate.value, -np.inf, np.inf)
    if kind == "normal":
        found = normal(terms, confidence)
    elif kind == "bootstrap":
        found = bootstrap(terms, confidence, seed=seed)
    elif kind == "bernstein":
        found = bernstein(terms, float(np.ptp(terms)) if reach is None else reach, confidence)
    else:
        found = likelihood(terms, confidence)
    return found.widened(estimate.bias)


def normal(terms: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Student's t."""
    mean, error = float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(len(terms)))
    half = float(scipy.stats.t.ppf((1 + confidence) / 2, len(terms) - 1)) * error
    return Interval(mean, mean - half, mean + half)


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


def likelihood(terms: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Empirical likelihood of a mean (Owen, Biometrika 1988; for bandits Karampatziakis, Langford and Mineiro, 2020).

    The means that some reweighting of the terms gives without being too unlikely: -2 log ratio at most the quantile of
    F(1, n - 1), which is wider than chi-square's in small samples.
    """
    mean, spread = float(terms.mean()), float(terms.std(ddof=1))
    if spread == 0.0:
        return Interval(mean, mean, mean)
    scaled = (terms - mean) / spread
    limit = float(scipy.stats.f.ppf(confidence, 1, len(terms) - 1))
    ends = [_end(scaled, side, limit) for side in (-1.0, 1.0)]
    return Interval(mean, mean + spread * ends[0], mean + spread * ends[1])


def _end(scaled: np.ndarray, side: float, limit: float) -> float:
    """Where the ratio reaches the limit, between the mean (0) and the outermost term."""
    own = side * scaled
    most = float(own.max()) * (1 - 1e-9)
    low, high = 0.0, min(most, 2.0 / np.sqrt(len(own)))
    while _ratio(own - high) < limit and high < most:
        low, high = high, min(most, 1.5 * high)
    found = scipy.optimize.brentq(lambda at: _ratio(own - at) - limit, low, high, xtol=1e-3 / np.sqrt(len(own)))
    return side * float(found)


def _ratio(gaps: np.ndarray) -> float:
    """-2 log of the empirical likelihood ratio of 'the mean gap is 0': 2 max over l of sum log(1 + l gap)."""
    low, high = float(gaps.min()), float(gaps.max())
    if low >= 0.0 or high <= 0.0:
        return 1e9
    left, right = -(1 - 1e-12) / high, -(1 - 1e-12) / low  # 1 + l gap stays positive in between
    at = 0.0
    for _ in range(_STEPS):  # Newton's, kept inside; the sum is concave in l
        share = gaps / (1.0 + at * gaps)
        slope = float(share.sum())
        if slope > 0:
            left = at
        else:
            right = at
        step = at + slope / float(share @ share)
        step = step if left < step < right else (left + right) / 2
        if abs(step - at) < 1e-10 * (1 + abs(at)):
            break
        at = step
    return 2.0 * float(np.log1p(at * gaps).sum())
