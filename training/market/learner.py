"""What a contact adds, takes and spoils, learned from a randomised log; worth of every treatment, in money.

    bought      purchases within SOON days: exp(x b), x by action, channel, customer; what silence brings taken off;
                times how much more FULL days show of all contacts together. Means, where they foretell more (judged.py)
    redeemed    baskets' worth of a voucher that is used, also by those who would have come anyway: exp(x b)
    objected    opting out or complaining: a rate exp(x b), by channel, load and what customers said
    felt        what a contact does to the satisfaction that surveys tell, and what a point of satisfaction goes with in
                purchases over a year (satisfaction.py)

A contact also makes the next ones worth less. Its price is half of what the customer's best contact nets (pressure.py:
where the worth of the next contact falls in a straight line with the load, that is what a contact at the best rate
takes from those after it), by the load it adds. Load and what it does are learned, the weights are the policy's own.
"""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from scipy.sparse import csr_array

from features.interactions import CHANNELS
from features.simulate.actions import ACTIONS, CHANNEL_OF, COST_OF, OFF_OF
from training.market import judged, satisfaction
from training.market.contacts import WEIGHT_OF
from training.market.logbook import SOON, Logbook
from training.market.moved import ALIVE, BY_CHANNEL, LEVEL, LOAD, SLOPE, columns, lift, priors, shared_slice
from training.market.observed import SAID, Habit, Known, some_of
from training.market.regressions import lifts, rates
from training.market.spreads import spread_out

#: Of a basket, what is left after the goods: the company knows it.
MARGIN = 0.30
#: How long a lost permission counts, and the mean life of pressure (half-life 54 days).
YEAR, MEMORY = 365, 54 / np.log(2)
#: Where nothing is known, a channel moves by the root of how often it is answered: nobody listens, nobody moves.
HEARD = 0.5
#: Rows that each model of what happens anyway learns from: more change nothing.
MOST = 300_000


@dataclass(frozen=True)
class Learner:
    """Fitted on a logbook. `worth` says what each treatment is worth now."""

    habit: Habit
    anyway: tuple[lgb.Booster, ...]
    bought: np.ndarray
    longer: float
    redeemed: np.ndarray
    objected: np.ndarray
    felt: np.ndarray
    point: float
    answered: np.ndarray

    @classmethod
    def fit(cls, book: Logbook, seed: int = 0) -> "Learner":
        habit = Habit.fit(book.features).told(book.features, book.treatment, book.bought, SOON)
        known = Known.of(book.features, book.profile, habit)
        anyway, expected = _anyway(book, known, seed)
        hit = np.flatnonzero(book.treatment >= 0)
        treatment = book.treatment[hit].astype(np.int64)
        some = some_of(known, hit)
        log_alive = _alive(expected[hit], some)
        weight = 1.0 / (expected[hit] + 0.05)
        base = np.log(0.05)
        x = columns(some, log_alive, treatment)
        start = np.zeros(x.shape[1])
        start[: len(ACTIONS)] = base
        start[len(ACTIONS) : len(ACTIONS) + len(CHANNELS)] = HEARD * _heard(book)
        start[shared_slice()][BY_CHANNEL + ALIVE] = 1.0  # who has left is not moved
        bought = _bought(book, known, expected, x, weight, start)
        off = (OFF_OF[treatment] > 0) & ~np.isnan(book.saved[hit])
        longer = _longer(book, expected, hit, np.exp(x @ bought))
        z = _redeemed(some_of(some, off), expected[hit][off])
        used = book.saved[hit][off] / (some.basket[off] * OFF_OF[treatment[off]])
        begin = np.zeros(z.shape[1])
        begin[0] = -2.0
        redeemed = lifts(z, np.minimum(used, 4.0), np.full(int(off.sum()), 5.0), np.full(z.shape[1], LEVEL), begin)
        o = _objected(some, treatment)
        first = np.zeros(o.shape[1])
        first[: len(CHANNELS)] = np.log(book.objected[hit].mean() + 1e-6)
        wide = np.full(o.shape[1], SLOPE)
        wide[: len(CHANNELS)] = LEVEL
        objected = rates(o, book.objected[hit].astype(float), np.ones(len(hit)), wide, first)
        felt = satisfaction.feelings(book, known)
        point = satisfaction.point(book, known)
        usual = np.zeros(x.shape[1])
        usual[: len(ACTIONS)] = np.log(book.answered[hit].mean() + 1e-6)
        answered = rates(x, book.answered[hit].astype(float), np.ones(len(hit)), priors(x.shape[1]), usual)
        return cls(habit, anyway, bought, longer, redeemed, objected, felt, point, answered)

    def known(self, features: np.ndarray, profile: np.ndarray) -> Known:
        return Known.of(features, profile, self.habit)

    def expected(self, known: Known) -> np.ndarray:
        """Purchases in the SOON days if nobody contacts them."""
        x = _inputs(known)
        return np.asarray(np.mean([booster.predict(x, num_threads=1) for booster in self.anyway], axis=0))

    def worth(self, known: Known) -> "Worth":
        """Of every treatment, float64[n, treatments], in money."""
        n, expected = len(known.rate), self.expected(known)
        log_alive = _alive(expected, known)
        money = known.basket * MARGIN
        active = (np.exp(log_alive) * known.rate * money)[:, None]  # earned a day
        fresh = Known(**{**known.__dict__, "load": np.zeros(n), "trouble": np.zeros(n)})
        more, often = self.added(known, log_alive), self.added(fresh, log_alive, usual=True)
        used = np.exp(np.minimum(_redeemed(known, expected) @ self.redeemed, 1.0))
        lost = OFF_OF * (known.basket * used)[:, None]
        spoils = -self.point * self.feels(known) * active
        gross = often * money[:, None]
        net = gross - lost + self.point * self.feels(fresh) * active - COST_OF
        permit, price = _plan(net, np.maximum(gross, 1e-6), self._saturation(known))
        rows, best = np.arange(n), permit.argmax(axis=1)
        first, permit[rows, best] = permit[rows, best], 0.0
        permission = (first - permit.max(axis=1)) * np.exp(log_alive) * YEAR
        objects = self.objects(known)
        closes = objects * permission[:, None] * (CHANNEL_OF[best][:, None] == CHANNEL_OF)
        mixed = 1.0 + known.load  # channels in use together weigh more than each alone
        taken = (price[rows, best] * mixed)[:, None] * WEIGHT_OF
        return Worth(more * money[:, None] - lost, spoils + closes, taken, objects)

    def added(self, known: Known, log_alive: np.ndarray, usual: bool = False) -> np.ndarray:
        """Purchases that each treatment adds, float64[n, treatments]; `usual`: at any moment between two purchases."""
        return self.longer * lift(self.bought, known, log_alive, usual)

    def answers(self, known: Known) -> np.ndarray:
        """The probability that each treatment is clicked or accepted, float64[n, treatments]."""
        return np.minimum(lift(self.answered, known, _alive(self.expected(known), known)), 1.0)

    def objects(self, known: Known) -> np.ndarray:
        """The probability of opting out or complaining because of each treatment."""
        by = np.exp(satisfaction.touchy(known) @ self.objected[len(CHANNELS) :])
        return np.asarray(np.minimum(by[:, None] * np.exp(self.objected[CHANNEL_OF]), 0.5))

    def feels(self, known: Known) -> np.ndarray:
        """Points of satisfaction by treatment."""
        return satisfaction.feels(self.felt, known)

    def _saturation(self, known: Known) -> np.ndarray:
        """The share of its worth that a contact loses by each unit of load, at no load."""
        slopes = self.bought[shared_slice()]
        load, tolerant = slopes[BY_CHANNEL + LOAD : BY_CHANNEL + LOAD + 2]
        return np.clip(-(load + tolerant * known.said[:, SAID["news_appetite"]]), 0.1, 3.0)


@dataclass(frozen=True)
class Worth:
    """float64[n, treatments], money: gain, margin less what vouchers take; harm, lost activity and permission; price,
    what the load takes from later contacts. `objects`: the probability of opting out or complaining."""

    gain: np.ndarray
    harm: np.ndarray
    price: np.ndarray
    objects: np.ndarray


def _plan(net: np.ndarray, gross: np.ndarray, saturation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the best rate of each contact is worth a day, and the price of a unit of load under it (worth.py)."""
    good = np.maximum(net, 0.0)
    permit = good**2 / (4.0 * saturation[:, None] * gross * WEIGHT_OF * MEMORY)
    by_channel = np.zeros_like(permit)
    for c in np.unique(CHANNEL_OF):
        of = np.flatnonzero(c == CHANNEL_OF)
        top = of[permit[:, of].argmax(axis=1)]
        by_channel[np.arange(len(net)), top] = permit[np.arange(len(net)), top]
    return by_channel, good / (2.0 * WEIGHT_OF)


def _inputs(known: Known) -> np.ndarray:
    return np.column_stack([known.raw, known.said, np.log(known.rate), known.due]).astype(np.float32)


def _anyway(book: Logbook, known: Known, seed: int) -> tuple[tuple[lgb.Booster, ...], np.ndarray]:
    """Purchases where nobody was contacted, by two halves of customers, each foretold by the other's."""
    x, fold = _inputs(known), _halves(book)
    silent = book.treatment < 0
    parameters = {
        "objective": "poisson", "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 400, "verbose": -1,
        "num_threads": 1, "seed": seed, "deterministic": True, "poisson_max_delta_step": 0.7, "max_bin": 63,
        "feature_fraction": 0.7, "bagging_fraction": 0.5, "bagging_freq": 1,
    }  # fmt: skip
    boosters, expected = [], np.zeros(len(book))
    for half in (0, 1):
        rows = np.flatnonzero(silent & (fold != half))
        rows = rows[:: 1 + len(rows) // MOST]
        booster = lgb.train(parameters, lgb.Dataset(x[rows], book.bought[rows]), 80)
        there = fold == half
        expected[there] = booster.predict(x[there], num_threads=1)
        boosters.append(booster)
    if not judged.foretells(expected[silent], book.bought[silent]):
        means = parameters | {"min_data_in_leaf": len(book)}  # nothing is told apart
        boosters = [lgb.train(means, lgb.Dataset(x[silent], book.bought[silent]), 1)]
        expected[:] = boosters[0].predict(x, num_threads=1)
    return tuple(boosters), expected * (book.bought[silent].sum() / expected[silent].sum())


def _halves(book: Logbook) -> np.ndarray:
    """0 or 1: of customers."""
    return np.asarray((book.customer.astype(np.int64) * 2_654_435_761 >> 7) % 2)


def _bought(
    book: Logbook, known: Known, expected: np.ndarray, x: csr_array, weight: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Coefficients of what contacts add, x their columns in turn; the means of actions where what one half of customers
    tells foretells the other half's purchases worse (judged.py)."""
    hit, second, off = np.flatnonzero(book.treatment >= 0), _halves(book) == 1, book.bought - expected
    bought, precision = spread_out(x, off[hit], weight, start)
    taught = np.flatnonzero(~second[hit])
    taught = taught[:: 1 + len(taught) // MOST]
    half = lifts(x[taught], off[hit][taught], weight[taught], precision, start, bought)
    held = np.flatnonzero(second)
    held = held[:: 1 + len(held) // MOST]
    some, levels = some_of(known, held), judged.means(book.bought[~second], book.treatment[~second])
    if judged.worse(half, levels, some, _alive(expected[held], some), book.treatment[held], off[held]) < judged.BEYOND:
        return bought
    means = np.zeros(x.shape[1])
    means[: len(ACTIONS)] = judged.means(book.bought, book.treatment)
    return means


def _alive(expected: np.ndarray, known: Known) -> np.ndarray:
    """ln of the share of their own rate at which they still buy."""
    return np.clip(np.log(expected / (SOON * known.rate)), -5.0, 0.3)


def _longer(book: Logbook, expected: np.ndarray, hit: np.ndarray, added: np.ndarray) -> float:
    """The effect of a contact in FULL days, in multiples of that `added` in SOON days; from 1 to half as much again."""
    silent = np.flatnonzero((book.treatment < 0) & ~np.isnan(book.in_full))
    more = book.in_full[silent].sum() / expected[silent].sum()
    there = ~np.isnan(book.in_full[hit])
    e, f = expected[hit][there], added[there]
    off = book.in_full[hit][there] - more * e
    return float(np.clip((f * off / (e + 0.05)).sum() / (f * f / (e + 0.05)).sum(), 1.0, 1.5))


def _heard(book: Logbook) -> np.ndarray:
    """ln of how often contacts on a channel are answered, against all; 0 where there were none."""
    hit = book.treatment >= 0
    channel = CHANNEL_OF[book.treatment[hit]]
    made, answered = (np.bincount(channel, of, len(CHANNELS)) for of in (None, book.answered[hit].astype(float)))
    usual = answered.sum() / made.sum()
    return np.where(made > 0, np.log((answered + 10.0 * usual) / (made + 10.0) / usual), 0.0)


def _redeemed(known: Known, expected: np.ndarray) -> np.ndarray:
    offers = known.said[:, SAID["offers_interest"]]
    return np.column_stack([np.ones(len(offers)), np.log(expected + 0.02), offers, offers**2])


def _objected(known: Known, treatment: np.ndarray) -> np.ndarray:
    n, channels = len(treatment), len(CHANNELS)
    x = np.zeros((n, channels + 7))
    x[np.arange(n), CHANNEL_OF[treatment]] = 1.0
    x[:, channels:] = satisfaction.touchy(known)
    return x
