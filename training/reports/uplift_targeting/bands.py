"""Intervals that hold for a whole curve at once.

The largest of k studentised errors that go together as the estimates do is below the returned number with the stated
chance, so `value +- number x error` covers all k truths at once.
Source: Montiel Olea and Plagborg-Moller, Journal of Applied Econometrics 34 (2019), the sup-t band.
"""

import numpy as np

DRAWS = 4000


def multiplier(covariance: np.ndarray, level: float) -> float:
    """Standard errors that a band of these estimates [k, k] reaches; seeded, so the same figures give the same band."""
    spread = np.sqrt(np.diag(covariance))
    there = spread > 0
    if not there.any():
        return 0.0
    together = covariance[np.ix_(there, there)] / np.outer(spread[there], spread[there])
    values, vectors = np.linalg.eigh(together)
    draws = np.random.default_rng(0).normal(size=(DRAWS, len(values)))
    errors = np.abs((draws * np.sqrt(values.clip(0))) @ vectors.T).max(axis=1)
    return float(np.quantile(errors, level))
