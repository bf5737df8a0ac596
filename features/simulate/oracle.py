"""A ceiling: who knows every effect and harm, and picks the best contact day by day."""

import numpy as np

from features.simulate.contacting import TREATED
from features.simulate.market import Market
from features.simulate.policy import Choice, View
from features.simulate.truth import best_contacts


class Oracle:
    """Gives each customer the treatment of the highest net worth (truth.py) where that is above 0.

    It looks ahead as far as the price of load does: a contact now makes the next ones worth less. That price is the one
    under the best steady plan (worth.py): this is the best contact day by day, not a proof that no plan earns more. The
    same truth weighed otherwise (prices or harm scaled, a threshold) earns no more beyond 3 % of its gain, as far as
    could be told (a slow test). It must decide for the very market that it plays on:
    `copy = market.copy(); copy.play(Oracle(copy), 90)`.
    """

    name = "oracle"

    def __init__(self, market: Market) -> None:
        self.market = market

    def decide(self, view: View) -> Choice:
        market, out = self.market, np.empty(view.customers, np.int16)
        if view.day != market.day:
            raise ValueError(f"this oracle knows day {market.day} of another market, not day {view.day}")
        best_contacts(market.parameters, market.traits, market.state, market.worth, TREATED, view.day, out)
        return Choice(out, np.ones(view.customers, np.float32))
