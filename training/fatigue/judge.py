"""A model of harm on later decisions than it was learned from: does what it foretold come true, and which of two does?

With T = sum over channels of (A - p) x harm, the part of what each decision was foretold to cost that chance decided,
and L what it did cost, mean (L - T)^2 is least for the true harm whatever else moves L (the R-loss; Nie and Wager,
Biometrika 2021); so two models are compared by the difference, customers taken as wholes. The slope of L on T is 1
where harm is foretold right. What L says of lost money was estimated on the same later decisions, gains and later
contacts taken out; how unsure that leaves it is in every interval here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serving.decisions.effects.bound import Bound, Standing
from serving.decisions.effects.file import Model
from training.evaluate import Interval
from training.fatigue.effects import Z
from training.fatigue.harm import Prices
from training.fatigue.spending import FULL, Spending
from training.fatigue.trials import SILENCE, Decided, Events, Trials

#: The least share of a loss that the log must be able to show, for a decision to be judged by.
SHOWN = 0.05
#: A slope surely outside of this is no calibration.
SLOPES = (0.5, 2.0)


@dataclass(frozen=True)
class Later:
    """Later decisions [n] with the features `values` [n, F] they were made on, and of each: `cost`, what followed in
    money; `weight`, how much of it the log could show; `place`, which estimated loss is in it (-1: none), `cover` the
    covariance of these, in money."""

    trials: Trials
    values: np.ndarray
    names: Sequence[str]
    levels: Mapping[str, Sequence[str] | None]
    contacts: Events
    cost: np.ndarray
    weight: np.ndarray
    place: np.ndarray
    cover: np.ndarray


def later(
    trials: Trials,
    spending: Spending,
    rows: np.ndarray,
    values: np.ndarray,
    names: Sequence[str],
    levels: Mapping[str, Sequence[str] | None],
    contacts: Events,
    prices: Prices,
) -> Later:
    """Some trials; those whose losses, opt-outs and complaints the log ends too soon to show are left out."""
    seen = spending.exposure[rows] / FULL
    shown = (seen >= SHOWN) & trials.known[rows]
    rows, values, seen = rows[shown], values[shown], seen[shown]
    some = trials.rows(rows)
    cost = some.opted_out @ prices.opt_out + prices.complaint * some.complained
    cost = cost + prices.margin * spending.lost[rows] / spending.exposure[rows]
    cover = prices.margin**2 * np.nan_to_num(spending.cover[0])
    return Later(some, values, names, levels, contacts, cost, seen**2, spending.place[rows], cover)


def foretold(of: Later, model: Model) -> np.ndarray:
    """T float64[n], as the service would have foretold it. Raises WorkspaceError where features are lacking."""
    trials = of.trials
    asked = np.flatnonzero(trials.chance.any(axis=0))
    harm = harms(model.bind(of.names, of.levels), trials, of.values, of.contacts, asked)
    decided = (trials.made[:, None] == asked) - trials.chance[:, asked]
    return np.asarray((decided * harm).sum(axis=1))


def harms(bound: Bound, asked: Decided | Trials, values: np.ndarray, contacts: Events, which: np.ndarray) -> np.ndarray:
    """float64[n, m]: what one more contact was foretold to cost at decisions with features `values` [n, F], on some of
    their channels int[m]; 0 where the model does not know."""
    counts = counted(bound, asked, contacts)
    place = np.array([bound.place(None, asked.channels[c]) for c in which], np.int64)
    return np.nan_to_num(bound.effects(values, place, counts))


def counted(bound: Bound, asked: Decided | Trials, contacts: Events) -> np.ndarray | None:
    """float64[n, k]: the contacts before each decision as a model counts them; None where it asks about none."""
    return bound.counted(_standing(asked, contacts, bound.channels), asked.at) if bound.counts else None


def stated(of: Later, harms: np.ndarray) -> np.ndarray:
    """T of a harm [C] that is the same for everybody."""
    made = np.where(of.trials.made != SILENCE, harms[np.maximum(of.trials.made, 0)], 0.0)
    return np.asarray(made - of.trials.chance @ harms)


def better(of: Later, ours: np.ndarray, theirs: np.ndarray) -> Interval:
    """By how much `ours` has less loss than `theirs`, a decision."""
    rest = of.cost - np.average(of.cost, weights=of.weight)
    gain = of.weight * ((rest - theirs) ** 2 - (rest - ours) ** 2)
    total = float(of.weight.sum())
    value = float(gain.sum()) / total
    return _interval(of, value, (gain - value * of.weight) / total, 2 * of.weight * (ours - theirs) / total)


def slope(of: Later, ours: np.ndarray) -> Interval:
    """Of the cost on what was foretold; NaN where nothing varies."""
    rest = of.cost - np.average(of.cost, weights=of.weight)
    divisor = float((of.weight * ours * ours).sum())
    if divisor <= 0:
        return Interval(float("nan"), float("-inf"), float("inf"))
    value = float((of.weight * ours * rest).sum()) / divisor
    return _interval(of, value, of.weight * ours * (rest - value * ours) / divisor, of.weight * ours / divisor)


def _interval(of: Later, value: float, shown: np.ndarray, per_cost: np.ndarray) -> Interval:
    """Of a figure: `shown` float64[n], how far each decision moves it, `per_cost` how much a unit of its cost does."""
    moved = np.bincount(of.place + 1, per_cost, minlength=len(of.cover) + 1)[1:]
    variance = float((_by_customer(shown, of.trials.who) ** 2).sum()) + float(moved @ of.cover @ moved)
    half = Z * float(np.sqrt(variance))
    return Interval(value, value - half, value + half)


def _by_customer(value: np.ndarray, who: np.ndarray) -> np.ndarray:
    _, place = np.unique(who, return_inverse=True)
    return np.bincount(place, value)


def _standing(of: Decided | Trials, contacts: Events, channels: Sequence[str]) -> Standing:
    """The contacts before each decision, in order of time."""
    who, at = of.who, of.at
    named = np.array([list(channels).index(name) if name in channels else -1 for name in of.channels])
    instants, rank = np.unique(np.concatenate([contacts.at, at]), return_inverse=True)
    keys = contacts.who * len(instants) + rank[: len(contacts)]
    end = np.searchsorted(keys, who * len(instants) + rank[len(contacts) :])
    begin = np.searchsorted(contacts.who, who)
    count = end - begin
    start = np.concatenate([[0], np.cumsum(count)])
    rows = np.repeat(begin - start[:-1], count) + np.arange(start[-1])
    return Standing(start, contacts.at[rows], named[contacts.channel[rows]].astype(np.int64))
