"""Tenths, the curve of gains with its band, and groups, from scores of contacts that the model did not learn from.

The curve is Qini's by scores that know each contact's chances: the gain a possible contact, in the outcome's unit,
where the share of them expected to gain most is made and the others are not. Who would be contacted at random lies on
the straight line to its end. Contacts weigh as their scores do, and errors are added up by customer.
Source: Radcliffe, Direct Marketing Analytics Journal 1 (2007); by scores: Yadlowsky, Fleming, Shah, Brunskill, Wager,
JASA 120 (2025), rank-weighted average treatment effects. Predictions are held: the curve is that of the rules "contact
whoever is expected to gain more than c".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

import numpy as np
import scipy.stats

from training.evaluate import LEVEL, Interval
from training.reports import statistics
from training.reports.statistics import Verdict
from training.reports.uplift_targeting import bands
from training.reports.uplift_targeting.artefact import Group, Kind, Measured, Point, Tenth
from training.uplift.logged import clusters
from training.uplift.logged.clusters import Estimate

TENTHS, POINTS = 10, 20
#: An interval has to rest on at least so many customers who make a difference.
FEWEST = 10
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Expected:
    """n possible contacts in order of time, made or not: what the model expects, what one costs, whose they are."""

    predicted: np.ndarray
    cost: np.ndarray
    person: np.ndarray

    @property
    def kind(self) -> np.ndarray:
        """int[n], a position in KINDS."""
        return np.where(self.predicted < 0, 2, np.where(self.predicted > self.cost, 0, 1))

    @property
    def last(self) -> np.ndarray:
        """int: the place of each person's newest contact."""
        _, back = np.unique(self.person[::-1], return_index=True)
        return len(self.person) - 1 - back


@dataclass(frozen=True)
class Contacts:
    """Those of the possible contacts that chance made, or made nothing of: `score` float64[n] is what each says of the
    effect, `weight` how much it counts, `made` and `nothing` bool[n]; `chance` float64[n, 2] that nothing came of it,
    and that it was made."""

    expected: Expected
    score: np.ndarray
    weight: np.ndarray
    made: np.ndarray
    nothing: np.ndarray
    chance: np.ndarray

    def __len__(self) -> int:
        return len(self.score)

    @property
    def ranked(self) -> bool:
        """Whether the model expects more of some than of others."""
        return len(self) > 0 and bool(np.ptp(self.expected.predicted) > 1e-12)

    def effect(self, rows: np.ndarray | None = None) -> Estimate:
        """The mean effect of contacting these rows."""
        chosen: Any = slice(None) if rows is None else rows
        return clusters.mean(self.score[chosen], self.weight[chosen], self.expected.person[chosen])

    def skew(self, rows: np.ndarray) -> float:
        """How skewed the mean effect of these rows, bool[n], would be drawn where contacts do nothing: what came of
        each stays, and chance alone decides anew who is contacted.

        A score is a residual r over the chance e of being made, or over that of nothing, f, and negative; drawn anew
        its square is r^2 (1/e + 1/f) and its cube r^3 (1/e^2 - 1/f^2) on average, whoever else is whose. Rows count
        from both sides, so that few without a contact and without a case hide nothing, and one case more, as large as
        those of all rows, as a part without any says nothing of them.
        """
        nothing, made = self.chance.T
        residual = np.where(self.made, made, np.where(self.nothing, -nothing, 0.0)) * self.score
        squares = float((residual**2).sum())
        case = float((residual**3).sum()) / squares if squares > 0 else 0.0
        known = (self.made | self.nothing) & rows
        e, f, weight, own = made[known], nothing[known], self.weight[known], residual[known]
        second = weight**2 * (1 / e + 1 / f) / (e + f)
        third = weight**3 * (1 / e**2 - 1 / f**2) / (e + f)
        spread = float(second @ own**2 + second.mean() * case**2)
        return abs(float(third @ own**3 + third.mean() * case**3)) / spread**1.5 if spread > 0 else 0.0


def interval(found: Estimate) -> Interval | None:
    """None where the error is not known."""
    return found.interval if np.isfinite(found.error) else None


def measured(contacts: Contacts, rows: np.ndarray) -> Measured:
    """A part of the contacts, bool[n]; the verdict waits for `settled`."""
    effect = contacts.effect(rows)
    made, nothing = int(contacts.made[rows].sum()), int(contacts.nothing[rows].sum())
    there, reason = contacts.weight[rows], None
    if min(made, nothing) < statistics.SMALLEST_ARM:
        reason = f"{made:,} contacts made and {nothing:,} not, at least {statistics.SMALLEST_ARM} of each are needed"
    elif (skew := contacts.skew(rows)) > statistics.MOST_SKEW:
        enough = float(f"{min(made, nothing) * (skew / statistics.MOST_SKEW) ** 2:.2g}")
        reason = (
            f"so few make up so much of the outcome that about {enough:,.0f} contacts {'not ' * (nothing < made)}made "
            f"are needed, there are {min(made, nothing):,}"
        )
    elif not np.isfinite(effect.error) or effect.freedom < FEWEST:
        reason = f"the result rests on fewer than {FEWEST} customers"
    return Measured(
        customers=len(np.unique(contacts.expected.person[rows])),
        contacts=int(rows.sum()),
        predicted=float(np.average(contacts.expected.predicted[rows], weights=there)) if there.sum() else None,
        effect=None if reason else effect.interval,
        p=None if reason else _p(effect),
        verdict="too_few" if reason else "undecided",
        reason=reason,
    )


M = TypeVar("M", bound=Measured)


def settled(found: Sequence[M]) -> list[M]:
    """With verdicts that hold for all of these together (Holm)."""
    told = [one.p for one in found if one.p is not None]
    adjusted = iter(statistics.holm(told))
    return [one if one.p is None else _judged(one, next(adjusted)) for one in found]


def _judged(one: M, adjusted: float) -> M:
    verdict: Verdict = "undecided"
    if adjusted < 1 - LEVEL and one.effect is not None:
        verdict = "raised" if one.effect.value > 0 else "lowered"
    return one.model_copy(update={"p_adjusted": adjusted, "verdict": verdict})


def _p(effect: Estimate) -> float:
    """Two-sided, of no effect."""
    return float(2 * scipy.stats.t.sf(abs(effect.value / effect.error), max(effect.freedom, 1.0)))


def tenths(contacts: Contacts) -> list[Tenth]:
    """Ten groups of as many contacts, the one expected to gain most first; none where all are expected to gain alike.

    Who is expected to gain alike stays together, so that there may be fewer groups.
    """
    if not contacts.ranked:
        return []
    cuts, share = _cuts(contacts.expected.predicted, np.ones(len(contacts)), TENTHS)
    place = _among(cuts, contacts.expected.predicted)
    own = np.diff(share, prepend=0.0)
    found = [measured(contacts, place == k) for k in range(len(cuts))]
    return settled([Tenth(place=k, share=float(own[k - 1]), **one.model_dump()) for k, one in enumerate(found, 1)])


def places(contacts: Contacts, predicted: np.ndarray) -> np.ndarray | None:
    """int[n], from 0: in which of `tenths` somebody stands of whom so much is expected; None where there are none."""
    if not contacts.ranked:
        return None
    return _among(_cuts(contacts.expected.predicted, np.ones(len(contacts)), TENTHS)[0], predicted)


def _among(cuts: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Whoever is expected to gain less than everybody in the last group belongs to it, too."""
    return np.searchsorted(-cuts, -predicted).clip(max=len(cuts) - 1)


def curve(contacts: Contacts) -> tuple[list[Point], Interval | None]:
    """The curve of gains with a band for all of it, and its mean height above the straight line.

    It begins at the share from which on chance deciding anew would draw every point hardly skewed; nothing is told
    where it would not draw the end so.
    """
    if not contacts.ranked:
        return [], None
    cut, share = _cuts(contacts.expected.predicted, contacts.weight, POINTS)
    within = contacts.expected.predicted[:, None] >= cut
    askew = np.flatnonzero([contacts.skew(rows) > statistics.MOST_SKEW for rows in within.T])
    begins = int(askew[-1]) + 1 if len(askew) else 0
    if begins == len(cut):
        return [], None
    share, within = share[begins:], within[:, begins:]
    total = contacts.weight.sum()
    gain = (contacts.weight * contacts.score) @ within / total
    error, reach = _errors(contacts, within, gain)
    points = [Point(share=0.0, gain=0.0, low=0.0, high=0.0)]
    points += [
        Point(share=float(s), gain=float(g), low=float(g - reach * e), high=float(g + reach * e))
        for s, g, e in zip(share, gain, error, strict=True)
    ]
    height = within @ _heights(share)
    above = clusters.ratio(contacts.weight * contacts.score * height, contacts.weight, contacts.expected.person)
    return points, interval(above)


def _cuts(predicted: np.ndarray, weight: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions from which on `count` equal shares lie (or fewer, where many are alike), and the shares."""
    order = np.argsort(-predicted, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    wanted = np.arange(1, count + 1) / count
    place = np.searchsorted(reached, wanted - 1e-9).clip(max=len(order) - 1)
    cut = np.unique(predicted[order][place])[::-1]
    return cut, np.array([weight[predicted >= one].sum() for one in cut]) / weight.sum()


def _errors(contacts: Contacts, within: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, float]:
    """Standard errors of the curve's points, and how many of them the band reaches."""
    own = contacts.weight[:, None] * (contacts.score[:, None] * within - gain)
    _, place = np.unique(contacts.expected.person, return_inverse=True)
    count = int(place.max()) + 1
    sums = np.column_stack([np.bincount(place, column, count) for column in own.T]) / contacts.weight.sum()
    covariance = sums.T @ sums * count / max(count - 1, 1)
    return np.sqrt(np.diag(covariance)), bands.multiplier(covariance, LEVEL)


def _heights(share: np.ndarray) -> np.ndarray:
    """float64[k]: what each point adds to the curve's mean height, less the straight line's (trapezoids from 0)."""
    edges = np.concatenate([[0.0], share])
    heights = np.diff(edges) / 2
    heights[:-1] += np.diff(share) / 2
    heights[-1] -= 0.5
    return heights


def groups(contacts: Contacts, everyone: Expected) -> list[Group]:
    """Customers by what the model expects of them, those of whom there are any."""
    kind, newest = contacts.expected.kind, everyone.kind[everyone.last]
    found = []
    for k, name in enumerate(KINDS):
        if not (newest == k).any():
            continue
        told = measured(contacts, kind == k).model_dump() | {"customers": int((newest == k).sum())}
        found.append(Group(kind=name, share=float((newest == k).mean()), **told))
    return found
