"""Mean satisfaction of groups, with intervals that know that one customer's ratings are alike."""

import numpy as np
from scipy.stats import t

from features.journeys.figures import Mean

#: With ratings of fewer customers a mean says nothing about the others.
FEWEST = 10
_CONFIDENCE = 0.95
NOTHING = Mean(value=None, low=None, high=None, ratings=0, customers=0)


def means(group: np.ndarray, customer: np.ndarray, total: np.ndarray, rated: np.ndarray, groups: int) -> list[Mean]:
    """One mean a group of rows that hold `total` of `rated` ratings each, within 0..1.

    The variance of a ratio of totals over customers (linearised; Cochran, Sampling Techniques, 1977, section 6.3), with
    Student's t for as many customers less one.
    """
    if not len(group):
        return [NOTHING] * groups
    pair, place = np.unique(group.astype(np.int64) * (int(customer.max()) + 1) + customer, return_inverse=True)
    own_total, own_rated = np.bincount(place, total), np.bincount(place, rated)
    of = pair // (int(customer.max()) + 1)
    ratings, people = np.bincount(of, own_rated, groups), np.bincount(of, minlength=groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(of, own_total, groups) / ratings
        spread = np.bincount(of, (own_total - mean[of] * own_rated) ** 2, groups)
        half = t.ppf(0.5 + _CONFIDENCE / 2, people - 1) * np.sqrt(people / (people - 1) * spread) / ratings
    return [
        Mean(value=m, low=max(0.0, m - h), high=min(1.0, m + h), ratings=int(n), customers=int(k))
        if k >= FEWEST
        else Mean(value=None, low=None, high=None, ratings=int(n), customers=int(k))
        for m, h, n, k in zip(mean.tolist(), half.tolist(), ratings, people, strict=True)
    ]
