"""Customers under randomised, sticky cap levels: what each further contact changed, all its consequences together.

Between two neighbouring levels, customers differ in nothing but the caps that chance gave them: the difference of
their opt-outs, complaints and money, over the difference of their contacts, is what one more contact did between those
two loads (Wald's estimator; Imbens and Angrist, Econometrica 1994: it speaks of the contacts that the caps decide).
Money is what contacts earned and cost together; its net is what a contact at that load is still worth.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import chi2

from features.clock import DAY
from training.evaluate import Interval
from training.fatigue.effects import Z
from training.fatigue.trials import Events, Happened, Trials

#: A level with fewer customers than this tells nothing.
LEAST = 30
WEEK = 7.0


@dataclass(frozen=True)
class Level:
    """Means per customer and week under one level: contacts, opt-outs, complaints, money spent; and their standard
    errors, in that order."""

    factor: float
    customers: int
    contacts: float
    opted_out: float
    complained: float
    money: float
    errors: tuple[float, float, float, float]


@dataclass(frozen=True)
class Step:
    """Per further contact from one level to the next; `contacts` a week lie in between."""

    lower: float
    upper: float
    contacts: float
    opted_out: Interval
    complained: Interval
    money: Interval


@dataclass(frozen=True)
class Levels:
    """What was found; `uneven_p`: how likely earlier spending differs so much between levels by chance."""

    levels: list[Level]
    steps: list[Step]
    uneven_p: float


def compare(trials: Trials, happened: Happened) -> Levels:
    """Customers by the level they lived under from their first trial to the log's end; none where chance gave none."""
    first = np.flatnonzero(np.append(True, trials.who[1:] != trials.who[:-1])) if len(trials) else np.zeros(0, int)
    who, since = trials.who[first], trials.at[first]
    moved = np.bincount(np.searchsorted(who, trials.who), trials.level != trials.level[first][
        np.searchsorted(who, trials.who)], minlength=len(who)) > 0  # fmt: skip
    level = trials.level[first].astype(np.float64)
    weeks = np.maximum((happened.until - since) / DAY / WEEK, 1e-9)
    sums = {
        "contacts": _since(happened.contacts, who, since),
        "opted_out": _since(happened.opted_out, who, since),
        "complained": _since(happened.complained, who, since),
        "money": _since(happened.purchases, who, since, money=True),
    }
    table = np.column_stack([column / weeks for column in sums.values()])
    before = trials.past[first]
    # who spent more before spends more after: taking that out leaves the difference and narrows its interval
    design = np.column_stack([np.ones(len(who)), np.log1p(np.maximum(before, 0.0)), before])
    groups = [(factor, np.flatnonzero((level == factor) & ~moved)) for factor in np.unique(level)]
    groups = [(factor, rows) for factor, rows in groups if len(rows) >= LEAST]
    if len(groups) < 2:
        return Levels([], [], 1.0)
    kept = np.concatenate([rows for _, rows in groups])
    slope = np.linalg.lstsq(design[kept], table[kept, 3], rcond=None)[0]
    adjusted = table.copy()
    adjusted[:, 3] -= (design - design[kept].mean(0)) @ slope
    levels = [_level(factor, adjusted[rows]) for factor, rows in groups]
    # in the order of what they got: a looser cap that never binds is no more contacts
    order = np.argsort([one.contacts for one in levels], kind="stable")
    pairs = pairwise(order.tolist())
    steps = [_step(adjusted, groups[a], groups[b]) for a, b in pairs]
    return Levels([levels[k] for k in order], [one for one in steps if one is not None], _uneven(before, groups))


def _level(factor: float, table: np.ndarray) -> Level:
    contacts, opted_out, complained, money = map(float, table.mean(0))
    a, b, c, d = map(float, table.std(0, ddof=1) / np.sqrt(len(table)))
    return Level(float(factor), len(table), contacts, opted_out, complained, money, (a, b, c, d))


def _step(table: np.ndarray, lower: tuple[float, np.ndarray], upper: tuple[float, np.ndarray]) -> Step | None:
    """None where the two levels got as good as equally many contacts: there is nothing to divide by."""
    a, b = table[lower[1]], table[upper[1]]
    more = b.mean(0) - a.mean(0)
    cover = np.cov(a, rowvar=False) / len(a) + np.cov(b, rowvar=False) / len(b)
    if more[0] < 4 * np.sqrt(cover[0, 0]):
        return None

    def ratio(k: int) -> Interval:
        value = more[k] / more[0]
        error = np.sqrt(max(cover[k, k] - 2 * value * cover[0, k] + value**2 * cover[0, 0], 0.0)) / more[0]
        return Interval(float(value), float(value - Z * error), float(value + Z * error))

    contacts = float((a[:, 0].mean() + b[:, 0].mean()) / 2)
    return Step(float(lower[0]), float(upper[0]), contacts, ratio(1), ratio(2), ratio(3))


def _uneven(before: np.ndarray, groups: list[tuple[float, np.ndarray]]) -> float:
    """p of equal earlier spending in all levels (Welch's statistic, its limit)."""
    spent = [before[rows, -1] for _, rows in groups]
    mean = np.array([each.mean() for each in spent])
    precision = np.array([len(each) / max(each.var(ddof=1), 1e-12) for each in spent])
    overall = (mean * precision).sum() / precision.sum()
    return float(chi2.sf((precision * (mean - overall) ** 2).sum(), len(groups) - 1))


def _since(events: Events, who: np.ndarray, since: np.ndarray, money: bool = False) -> np.ndarray:
    """float64[n]: of each customer, their events from then on, or the money of these."""
    if not len(who):
        return np.zeros(0)
    row = np.searchsorted(who, events.who)
    row = np.minimum(row, len(who) - 1)
    counted = (who[row] == events.who) & (events.at >= since[row])
    amount = events.amount[counted] if money else np.ones(int(counted.sum()))
    return np.bincount(row[counted], amount, minlength=len(who))
