"""Mean satisfaction: its likely range holds the truth as often as it says."""

import numpy as np
from scipy.stats import binomtest

from features.journeys import ratings


def many(replications: int, customers: int, seed: int = 0):
    """Means of as many samples; each customer rates one to four times, more often the less satisfied they are."""
    rng = np.random.default_rng(seed)
    leaning = rng.beta(6, 3, (replications, customers))
    times = 1 + rng.binomial(3, 1 - leaning)
    group, customer = np.indices(leaning.shape).reshape(2, -1)
    row = np.repeat(np.arange(leaning.size), times.ravel())
    rating = np.clip(leaning.ravel()[row] + rng.normal(0, 0.05, len(row)), 0, 1)
    return ratings.means(group[row], customer[row], rating, np.ones(len(row), np.int32), replications)


def test_intervals_hold_the_truth_as_often_as_they_say():
    truth = np.mean([found.value for found in many(400, 2000, seed=1)])
    found = many(2000, 150)
    held = sum(each.low <= truth <= each.high for each in found)
    assert binomtest(held, len(found), 0.95).pvalue > 0.001, held
    assert {each.customers for each in found} == {150}


def test_one_sample_by_hand():
    """Eleven customers, of whom one rated three times, twice of that in one row."""
    group, customer = np.zeros(12, np.int64), np.array([*range(10), 0, 11])
    total, rated = np.full(12, 0.5), np.ones(12, np.int32)
    total[0], rated[0] = 1.8, 2
    found = ratings.means(group, customer, total, rated, 2)
    assert found[0].value == (1.8 + 11 * 0.5) / 13
    assert (found[0].ratings, found[0].customers) == (13, 11)
    assert found[1] == ratings.Mean(value=None, low=None, high=None, ratings=0, customers=0)


def test_too_few_customers_have_no_mean():
    customer = np.arange(ratings.FEWEST - 1)
    few = ratings.means(customer * 0, customer, customer * 0.1, np.ones(len(customer), np.int32), 1)[0]
    assert (few.value, few.low, few.customers) == (None, None, ratings.FEWEST - 1)
