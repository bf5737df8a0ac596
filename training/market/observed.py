"""What a company makes of a customer's features before it models anything: habits, and scales of what they said."""

from dataclasses import dataclass, replace

import numpy as np

from features.interactions import CHANNELS
from features.simulate.traits import LEVELS, PROFILE
from training.market.catalogue import CATALOGUE, HALF_LIFE
from training.market.regressions import rates

COLUMN = {name: j for j, name in enumerate(CATALOGUE.names)}
SAID = {name: j for j, name in enumerate(PROFILE)}
#: Recency is not told beyond these days; who was seen in these is still there.
RECENT, SEEN = 400.0, 14.0
#: ln(rate x days since the last purchase) at which effects may bend.
KNOTS = np.array([-3.0, -2.0, -1.25, -0.5, 0.25, 1.0, 2.0])
#: Rate x days since, of somebody met at a random moment: middles of equally likely parts of the exponential.
DUES = -np.log(1 - (np.arange(16) + 0.5) / 16)


@dataclass(frozen=True)
class Habit:
    """Rates of buying are gamma(shape, days) among customers; a basket is its customer's mean, shrunk as if `weight`
    baskets of the `basket` of all had been seen as well; `comes`: what one does by oneself, rows a day; `signs`: how
    the ln of a rate follows from both (_signs); `usual`: the channels' parts of what all do by themselves."""

    shape: float
    days: float
    basket: float
    weight: float
    comes: float = 0.3
    signs: tuple[float, ...] = (0.0, 1.0, 0.0)
    usual: tuple[float, ...] = (1.0 / len(CHANNELS),) * len(CHANNELS)

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
        came, seen, _ = _lasted(features)
        by = _came(features).sum(axis=0) + 1.0
        return cls(
            shape=float(shape),
            days=float(shape * tenure / mean),
            basket=float(money.sum() / count.sum()),
            weight=float(within / each.var()),
            comes=float(came.sum() / seen.sum()),
            usual=tuple(map(float, by / by.sum())),
        )

    def told(self, features: np.ndarray, treatment: np.ndarray, bought: np.ndarray, days: int) -> "Habit":
        """With signs by what those `bought` in so many days whom nobody contacted (treatment -1), seen not long ago.

        Somebody who was seen is still there: so it is the rate while they stay.
        """
        silent = np.flatnonzero(treatment < 0)
        silent = silent[features[silent, COLUMN["recency_inbound"]] < SEEN]
        x, exposure = self._signs(features[silent]), np.full(len(silent), float(days))
        found = rates(x, bought[silent].astype(float), exposure, np.full(3, 10.0), np.array([0.0, 0.5, 0.5]))
        return replace(self, signs=tuple(map(float, found)))

    def rate(self, features: np.ndarray) -> np.ndarray:
        """Purchases a day of each customer while they stay."""
        return np.asarray(np.exp(self._signs(features) @ np.array(self.signs)))

    def _signs(self, features: np.ndarray) -> np.ndarray:
        """[n, 3]: 1, ln of purchases a day and of all that they did by themselves, as long as they were seen."""
        came, within, lasted = _lasted(features)
        buys = (self.shape + features[:, COLUMN["lifetime_count_purchase"]]) / (self.days + lasted)
        return np.column_stack([np.ones(len(came)), np.log(buys), np.log((3.0 + came) / (3.0 / self.comes + within))])


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
        rate = habit.rate(features)
        since = np.where(count > 0, np.minimum(column("recency_purchase", RECENT), known), known) + 0.5
        came, usual = _came(features), np.array(habit.usual)
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


def _came(features: np.ndarray) -> np.ndarray:
    """What customers did by themselves in a year, by channel, float64[n, channels]."""
    columns = [COLUMN[f"count_{channel}_inbound_365d"] for channel in CHANNELS]
    return np.nan_to_num(features[:, columns].astype(np.float64))


def _lasted(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What customers did by themselves in a year; in how many days of it, and of all, until they were seen last."""

    def column(name: str, null: float = 0.0) -> np.ndarray:
        return np.nan_to_num(features[:, COLUMN[name]].astype(np.float64), nan=null)

    known = column("tenure_inbound")
    last = np.minimum(column("recency_inbound", RECENT), known)
    within = np.minimum(np.maximum(365.0 - last, 0.0), known - last)
    return _came(features).sum(axis=1), within, known - last
