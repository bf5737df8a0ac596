"""What a company makes of a customer's features before it models anything: habits, and scales of what they said."""

from dataclasses import dataclass

import numpy as np

from features.interactions import CHANNELS
from features.simulate.traits import LEVELS, PROFILE
from training.market.catalogue import CATALOGUE, HALF_LIFE

COLUMN = {name: j for j, name in enumerate(CATALOGUE.names)}
SAID = {name: j for j, name in enumerate(PROFILE)}
#: ln(rate x days since the last purchase) at which effects may bend.
KNOTS = np.array([-3.0, -2.0, -1.25, -0.5, 0.25, 1.0, 2.0])
#: Rate x days since, of somebody met at a random moment: middles of equally likely parts of the exponential.
DUES = -np.log(1 - (np.arange(16) + 0.5) / 16)


@dataclass(frozen=True)
class Habit:
    """Rates of buying are gamma(shape, days) among customers; a basket is its customer's mean, shrunk as if `weight`
    baskets of the `basket` of all had been seen as well."""

    shape: float
    days: float
    basket: float
    weight: float

    @classmethod
    def fit(cls, features: np.ndarray) -> "Habit":
        """By the moments of how often those known for long have bought, and of what they spend."""
        count, known = features[:, COLUMN["lifetime_count_purchase"]], features[:, COLUMN["tenure_inbound"]]
        money = features[:, COLUMN["lifetime_value_purchase"]]
        long = known >= np.nanquantile(known, 0.6)
        mean, spread, tenure = count[long].mean(), count[long].var(), known[long].mean()
        shape = mean**2 / max(spread - mean, 0.05 * mean)
        often = count >= 4
        each = money[often] / count[often]
        one = money[count == 1]
        within = max(one.var() - each.var(), 0.05 * each.var())  # one basket varies by customer, and by itself
        return cls(
            float(shape), float(shape * tenure / mean), float(money.sum() / count.sum()), float(within / each.var())
        )


@dataclass(frozen=True)
class Known:
    """Columns of n customers: rate of buying a day while they stay; basket, mean money; due: ln(rate x days since the
    last purchase); load: pressure of contacts; trouble: 1 right after something went wrong, fading in a month; said:
    float32[n, questions], what they said of themselves, -1..1; share: ln of how much a channel is theirs [n, channels].
    """

    rate: np.ndarray
    basket: np.ndarray
    due: np.ndarray
    load: np.ndarray
    trouble: np.ndarray
    said: np.ndarray
    share: np.ndarray
    raw: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, profile: np.ndarray, habit: Habit) -> "Known":
        def column(name: str, null: float = 0.0) -> np.ndarray:
            return np.nan_to_num(features[:, COLUMN[name]].astype(np.float64), nan=null)

        count, known = column("lifetime_count_purchase"), column("tenure_inbound")
        rate = (habit.shape + count) / (habit.days + known)
        since = np.where(count > 0, column("recency_purchase"), known) + 0.5
        came = np.stack([column(f"count_{channel}_inbound_365d") for channel in CHANNELS], axis=1) + 0.0
        usual = came.sum(axis=0) / came.sum()
        share = np.log((came + 3.0 * usual) / (came.sum(axis=1, keepdims=True) + 3.0) / usual)
        return cls(
            rate=rate,
            basket=(column("lifetime_value_purchase") + habit.weight * habit.basket) / (count + habit.weight),
            due=np.log(rate * since),
            load=column(f"contact_pressure_{HALF_LIFE}d"),
            trouble=np.exp(-column("recency_trouble", 1e4) / 30.0),
            said=((profile.astype(np.float32) - (LEVELS + 1) / 2) / ((LEVELS - 1) / 2)),
            share=share,
            raw=features,
        )


def some_of(known: Known, rows: np.ndarray) -> Known:
    """Some of the customers."""
    return Known(**{name: column[rows] for name, column in known.__dict__.items()})


def hats(at: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """float64[n, knots]: linear between knots, constant beyond; rows add up to 1."""
    place = np.clip(np.interp(at, knots, np.arange(len(knots))), 0, len(knots) - 1)
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(len(knots))))
