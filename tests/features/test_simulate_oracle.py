"""The oracle as a ceiling: who reads the same truth and weighs it otherwise earns no more. Slow."""

import numpy as np
import pytest

from features.simulate.market import Market
from features.simulate.oracle import Oracle
from features.simulate.policy import SILENCE, Choice, Silent, Uniform

CUSTOMERS, DAYS = 6_000, 90


class Otherwise:
    """The treatment of the highest net worth, with the price of load or all harm scaled, or a threshold."""

    name = "otherwise"

    def __init__(self, market, price=1.0, harm=1.0, above=0.0):
        self.market, self.price, self.harm, self.above = market, price, harm, above

    def decide(self, view):
        truth = self.market.truth()
        net = truth.net + (1 - self.price) * truth.price + (1 - self.harm) * (truth.harm + truth.lost)
        net = np.nan_to_num(net, nan=-np.inf)
        best = np.where(net.max(axis=1) > self.above, net.argmax(axis=1), SILENCE)
        return Choice(best, np.ones(view.customers))


@pytest.fixture(scope="module", params=[0.0, 0.03], ids=["rested", "tired"])
def played(request):
    """A market, rested or after 60 days of random contacts; what silence and the oracle earn there."""
    market = Market(CUSTOMERS, "usual", seed=12)
    market.run(90)
    market.run(60, Uniform(request.param))
    knowing = market.copy()
    return market, market.copy().play(Silent(), DAYS), knowing.play(Oracle(knowing), DAYS)


@pytest.mark.slow
def test_weighed_otherwise_the_same_truth_earns_no_more(played):
    market, silent, oracle = played
    reach = oracle.above(silent)[0]
    for scaled in ({"price": 1.0}, {"price": 0.6}, {"price": 1.15}, {"price": 2.0}, {"harm": 1.3}, {"above": 0.05}):
        copy = market.copy()
        more, error = copy.play(Otherwise(copy, **scaled), DAYS).above(oracle)
        print(f"{scaled}: {more:+.3f} +- {1.96 * error:.3f} of {reach:.3f}")
        assert more < 0.03 * reach + 2 * error, scaled
        if scaled == {"price": 1.0}:
            assert more == 0.0  # the same rule
        if scaled in ({"price": 0.6}, {"price": 2.0}):
            assert more + 2 * error < 0, scaled  # the price is about right: either way it costs
