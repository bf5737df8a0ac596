"""What a contact adds, takes and spoils, learned from a randomised log; worth of every treatment, in money.

    bought      purchases within SOON days: exp(x b), x by action, channel, customer; what silence brings taken off;
                times how much more FULL days show of all contacts together
    redeemed    baskets' worth of a voucher that is used, also by those who would have come anyway: exp(x b)
    objected    opting out or complaining: a rate exp(x b), by channel, load and what customers said
    felt        what a contact does to the satisfaction that surveys tell; and what a point of satisfaction goes with in
                purchases over a quarter. A contact's lasting effect on activity is too small to be seen in 60 days of
                purchases; it shows in satisfaction ten times as clearly (a surrogate: Athey and others, 2019).

A contact also makes the next ones worth less. Its price is half of what the customer's best contact nets (pressure.py:
where the worth of the next contact falls in a straight line with the load, that is what a contact at the best rate
takes from those after it), by the load it adds. Load and what it does are learned, the weights are the policy's own.
"""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from scipy.sparse import csr_array

from features.interactions import CHANNELS, PRESSURE
from features.simulate.actions import ACTION_OF, ACTIONS, CHANNEL_OF, COST_OF, OFF_OF
from training.market.logbook import SOON, Logbook
from training.market.observed import COLUMN, DUES, KNOTS, SAID, Habit, Known, hats
from training.market.regressions import lifts, line, rates

#: Of a basket, what is left after the goods: the company knows it.
MARGIN = 0.30
#: How long a loss of satisfaction is followed, and the mean life of pressure (half-life 54 days).
YEAR, MEMORY = 365, 54 / np.log(2)
#: Prior spread of slopes and of levels, in logarithms.
SLOPE, LEVEL = 0.5, 1.5
#: Where nothing is known, a channel moves by the root of how often it is answered: nobody listens, nobody moves.
HEARD = 0.5
#: Rows that each model of what happens anyway learns from: more change nothing.
MOST = 300_000
WEIGHT_OF = np.array([PRESSURE[CHANNELS[c]] for c in CHANNEL_OF])
_AGES = np.array([0.0, 45.0, 90.0, 180.0, 365.0])


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
        habit = Habit.fit(book.features)
        known = Known.of(book.features, book.profile, habit)
        anyway, expected = _anyway(book, known, seed)
        hit = np.flatnonzero(book.treatment >= 0)
        treatment = book.treatment[hit].astype(np.int64)
        some = _some(known, hit)
        log_alive = _alive(expected[hit], some)
        weight = 1.0 / (expected[hit] + 0.05)
        base = np.log(0.05)
        x = _bought(some, log_alive, treatment)
        start = np.zeros(x.shape[1])
        start[: len(ACTIONS)] = base
        start[len(ACTIONS) : len(ACTIONS) + len(CHANNELS)] = HEARD * _heard(book)
        bought = lifts(x, book.bought[hit] - expected[hit], weight, _priors(x.shape[1]), start)
        off = (OFF_OF[treatment] > 0) & ~np.isnan(book.saved[hit])
        longer = _longer(book, expected, hit, np.exp(x @ bought))
        z = _redeemed(_some(some, off), expected[hit][off])
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
        felt = _feelings(book, known)
        point = _point(book, known)
        usual = np.zeros(x.shape[1])
        usual[: len(ACTIONS)] = np.log(book.answered[hit].mean() + 1e-6)
        answered = rates(x, book.answered[hit].astype(float), np.ones(len(hit)), _priors(x.shape[1]), usual)
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
        used = np.exp(np.minimum(_redeemed(known, 2.0 * expected) @ self.redeemed, 1.0))
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
        return self.longer * _lift(self.bought, known, log_alive, usual)

    def answers(self, known: Known) -> np.ndarray:
        """The probability that each treatment is clicked or accepted, float64[n, treatments]."""
        return np.minimum(_lift(self.answered, known, _alive(self.expected(known), known)), 1.0)

    def objects(self, known: Known) -> np.ndarray:
        """The probability of opting out or complaining because of each treatment."""
        by = np.exp(_touchy(known) @ self.objected[len(CHANNELS) :])
        return np.asarray(np.minimum(by[:, None] * np.exp(self.objected[CHANNEL_OF]), 0.5))

    def feels(self, known: Known) -> np.ndarray:
        """Points of satisfaction by treatment: being contacted pleases nobody; somebody who helps may."""
        spoils = np.minimum(_spoiling(known) @ self.felt[:-_CALMING], 0.0)
        found = spoils[:, None] * (4.0 * WEIGHT_OF)
        calms = _calming(known)
        for k, action in enumerate(CARING):
            found[:, action == ACTION_OF] += (calms @ self.felt[-_CALMING:].reshape(len(CARING), -1)[k])[:, None]
        return found

    def _saturation(self, known: Known) -> np.ndarray:
        """The share of its worth that a contact loses by each unit of load, at no load."""
        slopes = self.bought[_shared_slice()]
        load, tolerant = slopes[_BY_CHANNEL + _LOAD : _BY_CHANNEL + _LOAD + 2]
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


def _some(known: Known, rows: np.ndarray) -> Known:
    return Known(**{name: column[rows] for name, column in known.__dict__.items()})


def _inputs(known: Known) -> np.ndarray:
    return np.column_stack([known.raw, known.said, np.log(known.rate), known.due]).astype(np.float32)


def _anyway(book: Logbook, known: Known, seed: int) -> tuple[tuple[lgb.Booster, ...], np.ndarray]:
    """Purchases where nobody was contacted, by two halves of customers, each foretold by the other's."""
    x, fold = _inputs(known), (book.customer.astype(np.int64) * 2_654_435_761 >> 7) % 2
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
    return tuple(boosters), expected * (book.bought[silent].sum() / expected[silent].sum())


def _alive(expected: np.ndarray, known: Known) -> np.ndarray:
    """ln of the share of their own rate at which they still buy."""
    return np.clip(np.log(expected / (SOON * known.rate)), -5.0, 0.3)


# Slopes that all actions share: by the channel first, then by the customer; then each action's own.
_BY_CHANNEL, _SHARED, _LOAD, _OWN = 2, 9, 3, 5
#: Actions that calm, and the last columns of what is felt: those of each.
CARING = tuple(i for i, action in enumerate(ACTIONS) if action.name in ("loyalty_call", "service_recovery"))
_CALMING = 3 * len(CARING)


def _shared_slice() -> slice:
    first = len(ACTIONS) + len(CHANNELS)
    return slice(first, first + _SHARED)


def _own_slice() -> slice:
    first = _shared_slice().stop
    return slice(first, first + len(ACTIONS) * _OWN)


def _due_slice() -> slice:
    first = _own_slice().stop
    return slice(first, first + len(ACTIONS) * len(KNOTS))


def _likes(known: Known) -> np.ndarray:
    first = SAID["likes_web"]
    return known.said[:, first : first + len(CHANNELS)]


def _alike(known: Known, log_alive: np.ndarray) -> tuple[np.ndarray, ...]:
    """What moves the effects of all actions alike."""
    often, news = SOON * known.rate, known.said[:, SAID["news_appetite"]]
    private = known.said[:, SAID["privacy_concern"]]
    return often, np.log(often), log_alive, known.load, known.load * news, known.trouble, private


def _own(known: Known) -> tuple[np.ndarray, ...]:
    """What moves them each in its own way."""
    offers, service = known.said[:, SAID["offers_interest"]], known.said[:, SAID["service_expectation"]]
    return offers, offers**2, service, known.said[:, SAID["likes_store"]], known.trouble


def _bought(known: Known, log_alive: np.ndarray, treatment: np.ndarray) -> csr_array:
    """The columns that `added` has coefficients of, sparse: levels of actions and channels, slopes, bends by due."""
    n, actions = len(treatment), len(ACTIONS)
    action, channel = ACTION_OF[treatment].astype(np.int32), CHANNEL_OF[treatment].astype(np.int32)
    row, ones, shared = np.arange(n), np.ones(n), _shared_slice().start
    slopes = (_likes(known)[row, channel], known.share[row, channel], *_alike(known, log_alive))
    columns = [
        (action, ones),
        (actions + channel, ones),
        *((np.full(n, shared + k, np.int32), column) for k, column in enumerate(slopes)),
        *((_own_slice().start + action * _OWN + k, column) for k, column in enumerate(_own(known))),
        *((_due_slice().start + action * len(KNOTS) + k, bend) for k, bend in enumerate(hats(known.due, KNOTS).T)),
    ]
    data = np.stack([column for _, column in columns], axis=1).astype(np.float32)
    where = np.stack([place for place, _ in columns], axis=1).astype(np.int32)
    edges = np.arange(n + 1, dtype=np.int64) * len(columns)
    return csr_array((data.ravel(), where.ravel(), edges), shape=(n, _due_slice().stop))


def _lift(b: np.ndarray, known: Known, log_alive: np.ndarray, usual: bool = False) -> np.ndarray:
    """exp(x b) of every treatment, x the columns of `_bought`, without writing them down."""
    actions, shared = len(ACTIONS), b[_shared_slice()]
    alike = np.stack(_alike(known, log_alive), axis=1) @ shared[_BY_CHANNEL:]
    own, due = b[_own_slice()].reshape(actions, -1), b[_due_slice()].reshape(actions, -1)
    bends = np.exp(hats(known.due, KNOTS) @ due.T)
    if usual:
        bends = np.exp(hats(np.log(DUES), KNOTS) @ due.T).mean(axis=0)
    acts = np.exp(b[:actions] + np.stack(_own(known), axis=1) @ own.T) * bends
    reaches = b[actions : actions + len(CHANNELS)] + shared[0] * _likes(known) + shared[1] * known.share
    return np.asarray(np.exp(alike)[:, None] * acts[:, ACTION_OF] * np.exp(reaches)[:, CHANNEL_OF])


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


def _priors(width: int) -> np.ndarray:
    prior = np.full(width, SLOPE)
    prior[: len(ACTIONS)] = LEVEL
    prior[_shared_slice()] = 1.0
    return prior


def _redeemed(known: Known, expected: np.ndarray) -> np.ndarray:
    offers = known.said[:, SAID["offers_interest"]]
    return np.column_stack([np.ones(len(offers)), np.log(expected + 0.02), offers, offers**2])


def _objected(known: Known, treatment: np.ndarray) -> np.ndarray:
    n, channels = len(treatment), len(CHANNELS)
    x = np.zeros((n, channels + 7))
    x[np.arange(n), CHANNEL_OF[treatment]] = 1.0
    x[:, channels:] = _touchy(known)
    return x


def _touchy(known: Known) -> np.ndarray:
    """What makes a contact less welcome."""
    privacy = known.said[:, SAID["privacy_concern"]]
    return np.column_stack(
        [
            known.load,
            known.load**2,
            known.load * known.said[:, SAID["news_appetite"]],
            privacy,
            np.maximum(privacy - 1 / 3, 0.0) * 3.0,
            privacy > 0.9,
            known.trouble,
        ]
    )


def _spoiling(known: Known) -> np.ndarray:
    return np.column_stack([np.ones(len(known.rate)), _touchy(known)])


def _calming(known: Known) -> np.ndarray:
    trouble = known.trouble
    return np.column_stack([np.ones(len(trouble)), trouble, trouble * known.said[:, SAID["service_expectation"]]])


def _felt(known: Known, treatment: np.ndarray) -> np.ndarray:
    """A contact's effect on satisfaction: by its weight and who it is for; and what calms."""
    spoils = _spoiling(known) * (4.0 * WEIGHT_OF[treatment])[:, None]
    calms = [_calming(known) * (ACTION_OF[treatment] == action)[:, None] for action in CARING]
    return np.column_stack([spoils, *calms])


def _feelings(book: Logbook, known: Known) -> np.ndarray:
    """Coefficients of `_felt`, beside what satisfaction would be anyway."""
    rows = np.flatnonzero(~np.isnan(book.felt))
    some, treatment = _some(known, rows), book.treatment[rows].astype(np.int64)
    made = (treatment >= 0)[:, None]
    anyway = np.column_stack(
        [np.ones(len(rows)), _touchy(some), _last(some), some.said, some.raw[:, COLUMN["open_cases"]]]
    )
    x = np.column_stack([anyway, made * _felt(some, treatment)])
    prior = np.full(x.shape[1], 0.02)
    prior[-_CALMING:] = 0.1  # what calms, calms much
    prior[: anyway.shape[1]] = 10.0
    noise = 0.1
    return line(x, book.felt[rows].astype(float), np.full(len(rows), 1 / noise**2), prior)[anyway.shape[1] :]


def _trouble_then(known: Known) -> tuple[np.ndarray, np.ndarray]:
    """Of the last answer of each: how fresh trouble was when it was given (1 to 0, fading in a month), and its age."""
    age, since = (known.raw[:, j].astype(float) for j in (COLUMN["recency_answer"], COLUMN["recency_trouble"]))
    lag = since - age
    fresh = np.where(lag >= 0.0, np.exp(-np.nan_to_num(lag, nan=1e4) / 30.0), 0.0)
    return np.where(np.isnan(lag), 0.0, fresh), age


def _last(known: Known) -> np.ndarray:
    """[n, ages]: the last satisfaction told, below what is usual, by how long ago that is."""
    age, told = known.raw[:, COLUMN["recency_answer"]], known.raw[:, COLUMN["last_satisfaction_answer"]]
    below = np.where(np.isnan(told), 0.0, np.nan_to_num(told) - np.nanmean(told))
    return hats(np.nan_to_num(age, nan=1e3), _AGES) * below[:, None]


def _point(book: Logbook, known: Known) -> float:
    """Days' worth of activity that a point of satisfaction goes with, over the year after it was told (below 0).

    Answers are noisy, which would flatten the slope: what is used of an answer is what recent trouble explains of it
    (two-stage least squares, the second a Poisson regression). Everybody compared has answered at that age, and so was
    still there.
    """
    silent = np.flatnonzero((book.treatment < 0) & ~np.isnan(book.features[:, COLUMN["last_satisfaction_answer"]]))
    some = _some(known, silent[:: 1 + len(silent) // (2 * MOST)])
    y = book.bought[silent][:: 1 + len(silent) // (2 * MOST)].astype(float)
    told = some.raw[:, COLUMN["last_satisfaction_answer"]].astype(float)
    fresh, age = _trouble_then(some)
    first = np.column_stack([np.ones(len(y)), some.said, fresh])
    drop = line(first, told, np.ones(len(y)), np.full(first.shape[1], 10.0))[-1]
    ages = hats(age, _AGES)
    base = np.column_stack([ages, np.log(some.rate), some.said])
    x = np.column_stack([base, ages * (drop * fresh)[:, None]])
    prior = np.full(x.shape[1], 10.0)
    prior[base.shape[1] :] = 2.0
    found = rates(x, y, np.full(len(y), float(SOON)), prior, np.zeros(x.shape[1]))[base.shape[1] :]
    return float(np.trapezoid(np.interp(np.arange(YEAR), _AGES, found)))
