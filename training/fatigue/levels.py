"""Customers under randomised, sticky cap levels: what each further contact changed, all its consequences together.

Between two neighbouring levels, customers differ in nothing but the caps that chance gave them: the difference of
their opt-outs, complaints and money, over the difference of their contacts, is what one more contact did between those
two loads (Wald's estimator; Imbens and Angrist, Econometrica 1994: it speaks of the contacts that the caps decide).
Money is what contacts earned and cost together; its net is what a contact at that load is still worth.

A level's figures are the sums of its customers over their weeks: a mean of each one's own ratio would take whoever's
first decision is an hour old for someone with 168 contacts a week. Errors are those of the customers' linearised values
(Cochran, Sampling Techniques, 1977, 6.3), whose mean the ratio is.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import chi2

from features.clock import DAY
from training.evaluate import Interval
from training.fatigue.effects import Z
from training.fatigue.enough import MEASURES, untold
from training.fatigue.level import Level, Step
from training.fatigue.trials import Events, Happened, Trials

#: A level with fewer customers than this tells nothing.
LEAST = 30
WEEK = 7.0


@dataclass(frozen=True)
class Levels:
    """What was found; `uneven_p`: how likely earlier spending differs so much between levels by chance."""

    levels: list[Level]
    steps: list[Step]
    uneven_p: float


def compare(trials: Trials, happened: Happened) -> Levels:
    """Customers by the level they lived under from their first trial to the log's end; none where chance gave none."""
    trials = _given(trials, happened.until)
    first = np.flatnonzero(np.append(True, trials.who[1:] != trials.who[:-1])) if len(trials) else np.zeros(0, int)
    who, since = trials.who[first], trials.at[first]
    moved = np.bincount(np.searchsorted(who, trials.who), trials.level != trials.level[first][
        np.searchsorted(who, trials.who)], minlength=len(who)) > 0  # fmt: skip
    level = trials.level[first].astype(np.float64)
    until = happened.until
    weeks = (until - since) / DAY / WEEK
    sums = np.column_stack([
        _since(happened.contacts, who, since, until),
        _since(happened.opted_out, who, since, until),
        _since(happened.complained, who, since, until),
        _since(happened.purchases, who, since, until, money=True),
    ])  # fmt: skip
    before = trials.past[first]
    groups = [(factor, np.flatnonzero((level == factor) & ~moved)) for factor in np.unique(level)]
    groups = [(factor, rows) for factor, rows in groups if len(rows) >= LEAST]
    if len(groups) < 2:
        return Levels([], [], 1.0)
    kept = np.concatenate([rows for _, rows in groups])
    # who spent more before spends more after: taking that out leaves the difference and narrows its interval
    design = weeks[:, None] * np.column_stack([np.ones(len(who)), np.log1p(np.maximum(before, 0.0)), before])
    slope = np.linalg.lstsq(design[kept], sums[kept, 3], rcond=None)[0]
    sums[:, 3] -= (design - weeks[:, None] * _ratio(design[kept], weeks[kept])) @ slope
    tables = [(factor, linearised(sums[rows], weeks[rows])) for factor, rows in groups]
    levels = [_level(factor, table, weeks[rows]) for (factor, table), (_, rows) in zip(tables, groups, strict=True)]
    # in the order of what they got: a looser cap that never binds is no more contacts
    order = np.argsort([one.contacts for one in levels], kind="stable")
    steps = [_step(levels[a], levels[b], tables[a][1], tables[b][1]) for a, b in pairwise(order.tolist())]
    return Levels([levels[k] for k in order], [one for one in steps if one is not None], _uneven(before, groups))


def _given(trials: Trials, until: int) -> Trials:
    """Those while chance gave levels, and before history ends: from the first to the last level other than 1. Where
    `cap_levels` were switched on later, customers of before and those who came since would else meet in level 1 alone,
    for those of before under other levels had two of them; likewise where they were switched off."""
    at = trials.at[np.isfinite(trials.level) & (trials.level != 1)]
    if not len(at):
        return trials.rows(np.zeros(len(trials), bool))
    return trials.rows((trials.at >= at.min()) & (trials.at <= at.max()) & (trials.at < until))


def linearised(sums: np.ndarray, weeks: np.ndarray) -> np.ndarray:
    """float64[n, k]: customers' values whose mean is the ratio of the sums [n, k] to the weeks [n], and whose spread is
    its error."""
    ratio = _ratio(sums, weeks)
    return np.asarray(ratio + (sums - ratio * weeks[:, None]) / weeks.mean())


def _ratio(sums: np.ndarray, weeks: np.ndarray) -> np.ndarray:
    return np.asarray(sums.sum(0) / weeks.sum())


def _level(factor: float, table: np.ndarray, weeks: np.ndarray) -> Level:
    """`table` as linearised."""
    mean = table.mean(0)
    contacts, opted_out, complained, money = map(float, mean)
    a, b, c, d = map(float, table.std(0, ddof=1) / np.sqrt(len(table)))
    u, v, w, x = map(float, ((table - mean) ** 3).mean(0))
    return Level(float(factor), len(table), float(weeks.mean()), contacts, opted_out, complained, money, (a, b, c, d),
                 (u, v, w, x))  # fmt: skip


def _step(lower: Level, upper: Level, a: np.ndarray, b: np.ndarray) -> Step | None:
    """Of levels and their tables as linearised. None where the two got as good as equally many contacts: there is
    nothing to divide by."""
    more = b.mean(0) - a.mean(0)
    cover = np.cov(a, rowvar=False) / len(a) + np.cov(b, rowvar=False) / len(b)
    if more[0] < 4 * np.sqrt(cover[0, 0]):
        return None

    def ratio(measure: str) -> Interval | None:
        if untold(lower, upper, measure) is not None:
            return None
        k = MEASURES.index(measure)
        value = more[k] / more[0]
        error = np.sqrt(max(cover[k, k] - 2 * value * cover[0, k] + value**2 * cover[0, 0], 0.0)) / more[0]
        return Interval(float(value), float(value - Z * error), float(value + Z * error))

    contacts = float((a[:, 0].mean() + b[:, 0].mean()) / 2)
    return Step(lower.factor, upper.factor, contacts, ratio("opted_out"), ratio("complained"), ratio("money"))


def _uneven(before: np.ndarray, groups: list[tuple[float, np.ndarray]]) -> float:
    """p of equal earlier spending in all levels (Welch's statistic, its limit)."""
    spent = [before[rows, -1] for _, rows in groups]
    mean = np.array([each.mean() for each in spent])
    precision = np.array([len(each) / max(each.var(ddof=1), 1e-12) for each in spent])
    overall = (mean * precision).sum() / precision.sum()
    return float(chi2.sf((precision * (mean - overall) ** 2).sum(), len(groups) - 1))


def _since(events: Events, who: np.ndarray, since: np.ndarray, until: int, money: bool = False) -> np.ndarray:
    """float64[n]: of each customer, their events from then on until history ends, or the money of these."""
    if not len(who):
        return np.zeros(0)
    row = np.searchsorted(who, events.who)
    row = np.minimum(row, len(who) - 1)
    counted = (who[row] == events.who) & (events.at >= since[row]) & (events.at < until)
    amount = events.amount[counted] if money else np.ones(int(counted.sum()))
    return np.bincount(row[counted], amount, minlength=len(who))
