"""What a trouble costs is found where it is known; where there is none, nothing."""

import numpy as np
import pytest

from features.simulate import events as ev
from training.market.aftermath import LAGS, PERIOD, Aftermath, cost

PEOPLE, DAYS, RATE = 10_000, 30 * PERIOD, 0.05


def lived(kept: float) -> np.ndarray:
    """Everybody comes once a period and buys at one rate; few get into trouble, and then buy at `kept` times it."""
    random, after = np.random.default_rng(3), Aftermath(PEOPLE)
    trouble = np.where(random.random(PEOPLE) < 0.06, random.integers(PERIOD, DAYS, PEOPLE), DAYS)
    for day in range(DAYS):
        bought = np.flatnonzero(random.random(PEOPLE) < RATE * np.where(day > trouble, kept, 1.0))
        came = np.arange(day % PERIOD, PEOPLE, PERIOD)
        hurt = np.flatnonzero(trouble == day)
        news = ev.room(len(bought) + len(came) + len(hurt))
        news.customer[:] = np.concatenate([bought, came, hurt])
        news.kind[:] = np.repeat([ev.PURCHASE, ev.PAGE_VIEW, ev.CASE_OPENED], [len(bought), len(came), len(hurt)])
        after.add(news)
    return after.sums(50.0, 50.0 / RATE)


@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_what_trouble_takes_is_found(kept):
    sums = lived(kept)
    lost = (1.0 - kept) * (LAGS + 0.5) * PERIOD
    assert cost(sums) == pytest.approx(lost, abs=20.0)
    assert cost(sums + sums) == pytest.approx(cost(sums))  # two markets of the same


def test_a_log_without_trouble_says_that_it_costs_nothing():
    assert cost(np.zeros((2, 2, LAGS))) == 0.0
    found = Aftermath(10)
    found.add(ev.room(0))
    assert found.sums(1.0, 50.0).sum() == 0.0
