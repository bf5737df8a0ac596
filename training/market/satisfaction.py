"""What contacts do to satisfaction, and what satisfaction is worth.

A contact's lasting effect on activity is too small to be seen in 60 days of purchases; it shows in satisfaction ten
times as clearly (a surrogate: Athey, Chetty, Imbens and Kang, "The surrogate index", 2019).
"""

import numpy as np

from features.simulate.actions import ACTION_OF, ACTIONS
from training.market.aftermath import cost
from training.market.contacts import WEIGHT_OF
from training.market.logbook import Logbook
from training.market.observed import COLUMN, SAID, Known, hats, some_of
from training.market.regressions import line

_AGES = np.array([0.0, 45.0, 90.0, 180.0, 365.0])
#: Actions that calm, and the last columns of what is felt: those of each.
CARING = tuple(i for i, action in enumerate(ACTIONS) if action.name in ("loyalty_call", "service_recovery"))
_CALMING = 2 * len(CARING)


def feels(b: np.ndarray, known: Known) -> np.ndarray:
    """Points of satisfaction by treatment: being contacted pleases nobody; somebody who helps may, in trouble."""
    spoils = np.minimum(_spoiling(known) @ b[:-_CALMING], 0.0)
    found = spoils[:, None] * (4.0 * WEIGHT_OF)
    calms = _calming(known)
    for k, action in enumerate(CARING):
        found[:, action == ACTION_OF] += (calms @ b[-_CALMING:].reshape(len(CARING), -1)[k])[:, None]
    return np.asarray(found)


def touchy(known: Known) -> np.ndarray:
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
    return np.column_stack([np.ones(len(known.rate)), touchy(known)])


def _calming(known: Known) -> np.ndarray:
    """By trouble alone: who is content cannot be calmed, and noise that says so of everybody would choose contacts."""
    return np.column_stack([known.trouble, known.trouble * known.said[:, SAID["service_expectation"]]])


def _felt(known: Known, treatment: np.ndarray) -> np.ndarray:
    """A contact's effect on satisfaction: by its weight and who it is for; and what calms."""
    spoils = _spoiling(known) * (4.0 * WEIGHT_OF[treatment])[:, None]
    calms = [_calming(known) * (ACTION_OF[treatment] == action)[:, None] for action in CARING]
    return np.column_stack([spoils, *calms])


def feelings(book: Logbook, known: Known) -> np.ndarray:
    """Coefficients of `_felt`, beside what satisfaction would be anyway."""
    rows = np.flatnonzero(~np.isnan(book.felt))
    some, treatment = some_of(known, rows), book.treatment[rows].astype(np.int64)
    made = (treatment >= 0)[:, None]
    anyway = np.column_stack(
        [np.ones(len(rows)), touchy(some), _last(some), some.said, some.raw[:, COLUMN["open_cases"]]]
    )
    x = np.column_stack([anyway, made * _felt(some, treatment)])
    prior = np.full(x.shape[1], 0.02)
    prior[-_CALMING:] = 0.1  # what calms, calms much
    prior[: anyway.shape[1]] = 10.0
    noise = 0.1
    return line(x, book.felt[rows].astype(float), np.full(len(rows), 1 / noise**2), prior)[anyway.shape[1] :]


def _trouble_then(known: Known) -> np.ndarray:
    """Of the last answer of each: how fresh trouble was when it was given, 1 to 0, fading in a month."""
    age, since = (known.raw[:, j].astype(float) for j in (COLUMN["recency_answer"], COLUMN["recency_trouble"]))
    lag = since - age
    fresh = np.where(lag >= 0.0, np.exp(-np.nan_to_num(lag, nan=1e4) / 30.0), 0.0)
    return np.where(np.isnan(lag), 0.0, fresh)


def _last(known: Known) -> np.ndarray:
    """[n, ages]: the last satisfaction told, below what is usual, by how long ago that is."""
    age, told = known.raw[:, COLUMN["recency_answer"]], known.raw[:, COLUMN["last_satisfaction_answer"]]
    below = np.where(np.isnan(told), 0.0, np.nan_to_num(told) - np.nanmean(told))
    return hats(np.nan_to_num(age, nan=1e3), _AGES) * below[:, None]


def point(book: Logbook, known: Known) -> float:
    """Days of buying that a point of satisfaction goes with, over the year after it was told (below 0 where there is
    less): what a trouble costs (aftermath.py), by how much it takes from the satisfaction told right after it."""
    silent = np.flatnonzero((book.treatment < 0) & ~np.isnan(book.features[:, COLUMN["last_satisfaction_answer"]]))
    some = some_of(known, silent)
    told = some.raw[:, COLUMN["last_satisfaction_answer"]].astype(float)
    first = np.column_stack([np.ones(len(told)), some.said, _trouble_then(some)])
    drop = line(first, told, np.ones(len(told)), np.full(first.shape[1], 10.0))[-1]
    return 0.0 if drop > -0.01 else float(-cost(book.aftermath) / drop)
