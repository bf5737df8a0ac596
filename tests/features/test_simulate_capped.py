"""Randomised cap levels in the market: drawn once, kept, and never exceeded."""

from itertools import pairwise

import numpy as np
import pytest

from features.simulate.capped import LEVELS, Capped
from features.simulate.decided import decisions
from features.simulate.market import Market
from features.simulate.policy import SILENCE
from features.workspace import WorkspaceError

CUSTOMERS, DAYS = 400, 40


def test_no_level_is_exceeded_and_looser_ones_get_more():
    market, policy, made, days = Market(CUSTOMERS, seed=2), Capped(0.6, seed=3, most=2, window=14), [], []

    def day_over(day):
        days.append(day)
        made.append(day.made != SILENCE)

    market.run(DAYS, policy, day_over)
    contacts, level = np.array(made).astype(int), policy.level(CUSTOMERS)
    for begin in range(DAYS - 14 + 1):
        assert (contacts[begin : begin + 14].sum(axis=0) <= np.maximum(2 * level, 1)).all()
    means = [contacts[:, level == one].sum(axis=0).mean() for one in LEVELS]
    assert all(b > 1.2 * a for a, b in pairwise(means))
    table = decisions(days[-1], policy.name)
    who = np.array([int(name[1:]) for name in table["customer_id"].to_pylist()])
    assert np.array_equal(table["cap_level"].to_numpy(), level[who])
    capped = np.array([len(cells) == 1 for cells in table["distribution"].to_pylist()])
    assert capped.any()
    assert not contacts[-1][who[capped]].any()


def test_levels_are_drawn_by_customer_alike_many():
    level = Capped(0.5, seed=9).level(20_000)
    assert np.array_equal(level, Capped(0.1, every=3, seed=9).level(20_000))
    assert np.allclose([(level == one).mean() for one in LEVELS], 0.25, atol=0.015)


@pytest.mark.parametrize(("rate", "every"), [(1.5, 1), (0.5, 0)])
def test_what_makes_no_sense_is_refused(rate, every):
    with pytest.raises(WorkspaceError, match=r"decisions that are contacts|every 1, 2"):
        Capped(rate, every)
