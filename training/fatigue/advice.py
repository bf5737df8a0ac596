"""How many contacts a week to recommend on each channel, as far as the log can tell.

Never more than customers of the log lived with, and the present number unless a better one can be told: the measured
effects are drawn anew from their errors (a parametric bootstrap; Efron and Tibshirani, 1993), and curves laid through
them again. Either the best number earns more than the present one in all but a fortieth of the draws, or the best of
nineteen draws in twenty lie close together. A number that a few lucky events made survives neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from features.clock import DAY
from training.fatigue.curve import COUNTS, GAIN, OUTCOMES, Curve, Smooth, smooth
from training.fatigue.effects import Z
from training.fatigue.harm import Harm, Prices
from training.fatigue.often import NUMBERS, weekly
from training.fatigue.trials import Events, Trials

DRAWS, CONFIDENCE = 200, 0.95
#: The best numbers lie close together where their interval's ends are no further apart than this factor.
CLOSE = 1.5
#: Fewer contacts of a channel that chance decided than this tell no number for it.
LEAST = 100
#: So many customers, and this share of all, must have lived with a number for it to have been tried.
CUSTOMERS, SHARE = 30, 0.02
#: A customer's mean is over so many weeks at least, or over the whole log.
WEEKS = 4.0
YEAR = 52.0


@dataclass(frozen=True)
class Advice:
    """By channel [C], contacts a week: `number` recommended, the `present` mean of a customer, the `most` tried; the
    interval of the best of those tried, NaN where chance decided too little; and `told`, whether the log can tell a
    number. Where not, `number` is the present one."""

    number: np.ndarray
    present: np.ndarray
    most: np.ndarray
    low: np.ndarray
    high: np.ndarray
    told: np.ndarray

    def untold(self, channel: int, by_chance: int) -> str:
        """Why the log tells no number for a channel; `by_chance` as `advise` was given."""
        if by_chance < LEAST:
            return f"chance decided {by_chance:,} of its contacts, and at least {LEAST} are needed"
        low, high = (f"{ends[channel]:.2f}" for ends in (self.low, self.high))
        best = f"any number from {low} to {high} a week may be the best" if low != high else f"{low} a week looks best"
        return f"{best}, and none surely earns more than the present {self.present[channel]:.2f}"


@dataclass(frozen=True)
class Asked:
    """What prices a contact: costs [C]; what an opt-out costs (None: what a year of contacts earns)."""

    costs: np.ndarray
    opt_out: float | None


def lived(trials: Trials, contacts: Events, until: int) -> tuple[np.ndarray, np.ndarray]:
    """float64[C] each: contacts a week of the mean customer, and the most that enough customers lived with."""
    count = len(trials.channels)
    first = np.flatnonzero(np.append(True, trials.who[1:] != trials.who[:-1])) if len(trials) else np.zeros(0, int)
    first = first[trials.at[first] < until]  # who came after history ends lived with no number yet
    who, since = trials.who[first], trials.at[first]
    if not len(who):
        return np.zeros(count), np.zeros(count)
    weeks = (until - since) / DAY / 7
    weeks = np.maximum(weeks, min(WEEKS, float(weeks.max())))
    row = np.minimum(np.searchsorted(who, contacts.who), len(who) - 1)
    counted = (who[row] == contacts.who) & (contacts.at >= since[row]) & (contacts.at < until)
    place = row[counted] * count + contacts.channel[counted]
    each = np.bincount(place, minlength=len(who) * count).reshape(len(who), count) / np.maximum(weeks, 1e-9)[:, None]
    enough = max(CUSTOMERS, int(np.ceil(SHARE * len(who))))
    most = np.sort(each, axis=0)[-enough] if len(who) >= enough else np.zeros(count)
    return each.mean(axis=0), most


def advise(
    harm: Harm, gain: Smooth, curves: Mapping[str, Curve], asked: Asked, by_chance: np.ndarray,
    present: np.ndarray, most: np.ndarray, seed: int = 0,
) -> Advice:  # fmt: skip
    """`by_chance` [C]: contacts that might as well not have been made. `curves` as measured, `harm` as laid through
    them, with any price of an opt-out. The other channels' contacts are left out of account, as in a report."""
    channels, best = np.flatnonzero(by_chance >= LEAST), np.zeros(len(present))
    ours, ends = year_priced(harm, gain, asked, most), ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    for c in channels.tolist():
        tried = NUMBERS[most[c] >= NUMBERS]
        best[c] = tried[weekly(ours, gain, c, float(asked.costs[c]), tried).argmax()]
    earns, bests = _drawn(harm, curves, asked, best, present, most, channels, seed)
    low, high = (np.full(len(present), np.nan) for _ in range(2))
    low[channels], high[channels] = np.quantile(bests, ends, axis=0)
    told = (low > 0) & (high <= CLOSE * low)
    told[channels] |= np.quantile(earns, ends[0], axis=0) > 0
    return Advice(np.where(told, best, present), present, most, low, high, told)


def year_priced(harm: Harm, gain: Smooth, asked: Asked, most: np.ndarray, number: np.ndarray | None = None) -> Harm:
    """With what an opt-out costs: as stated, or what a year of contacts earns without it, at the best number tried, or
    at `number` [C]."""
    price = np.full(len(asked.costs), asked.opt_out or 0.0)
    free = _with(harm, np.zeros(len(asked.costs)))
    if asked.opt_out is None:
        for c, cost in enumerate(asked.costs.tolist()):
            tried = NUMBERS[most[c] >= NUMBERS] if number is None else number[c : c + 1]
            price[c] = YEAR * max(0.0, float(weekly(free, gain, c, cost, tried).max()))
    return _with(harm, price)


def _with(harm: Harm, price: np.ndarray) -> Harm:
    return replace(harm, prices=Prices(harm.prices.margin, price, harm.prices.complaint))


def _drawn(
    harm: Harm, curves: Mapping[str, Curve], asked: Asked, best: np.ndarray, present: np.ndarray, most: np.ndarray,
    channels: np.ndarray, seed: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """float64[draws, channels] each: what the best number earns a week more than the present one, and what number
    would have been the best."""
    random, ones = np.random.default_rng(seed), np.ones(len(best))
    ways = {name: _errors(one) for name, one in curves.items()}
    earns, bests = np.zeros((DRAWS, len(channels))), np.zeros((DRAWS, len(channels)))
    for draw in range(DRAWS):
        again = {name: _again(one, ways[name], random) for name, one in curves.items()}
        shapes = {name: smooth(again[name], harm.pressure.weights, drawn_back=False) for name in OUTCOMES}
        gain = smooth(again[GAIN], ones, falling=True, drawn_back=False)
        priced = year_priced(replace(harm, curves=shapes), gain, asked, most)
        for k, c in enumerate(channels.tolist()):
            numbers = np.concatenate([[present[c], best[c]], NUMBERS[most[c] >= NUMBERS]])
            worth = weekly(priced, gain, c, float(asked.costs[c]), numbers)
            earns[draw, k], bests[draw, k] = worth[1] - worth[0], numbers[2 + worth[2:].argmax()]
    return earns, bests


def _errors(one: Curve) -> np.ndarray:
    """float64[C B, C B]: a root of the covariance of the cells' errors."""
    if one.name in COUNTS:
        # of rare events the lucky cells show no error: what a rate adds to the variance, at the rate of all
        cells = one.bands
        adds = np.nan_to_num((cells.low + cells.high) - 2 * cells.value) / Z**2
        seen = float(cells.contacts.sum())
        rate = max(0.5, float(np.nansum(np.maximum(cells.value, 0.0) * cells.contacts))) / max(seen, 1.0)
        return np.diag(np.sqrt(np.maximum(np.nan_to_num(cells.variance), adds * rate)).ravel())
    assert one.cover is not None
    values, vectors = np.linalg.eigh(np.nan_to_num(one.cover))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _again(one: Curve, root: np.ndarray, random: np.random.Generator) -> Curve:
    """With errors drawn anew; a channel as a whole is moved as its bands are."""
    shape = one.bands.value.shape
    moved = (root @ random.standard_normal(len(root))).reshape(shape)
    weight = np.where(np.isfinite(one.bands.value) & (one.bands.contacts > 0), one.bands.weight, 0.0)
    total = weight.sum(axis=1)
    whole = np.divide((weight * moved).sum(axis=1), total, out=np.zeros(len(total)), where=total > 0)
    return replace(
        one,
        bands=replace(one.bands, value=one.bands.value + moved),
        channels=replace(one.channels, value=one.channels.value + whole),
    )
