"""What was learned, judged on later decisions: nothing there was seen by any fit, chance drew each of them anew.

That makes the tests keep their size without corrections, whoever the customers are and however often they occur:
errors are added up by customer (clusters.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluate import Interval
from training.reports.statistics import holm
from training.uplift.logged import clusters
from training.uplift.logged.clusters import Estimate
from training.uplift.logged.learn import Found, World
from training.uplift.logged.pairs import Pairs

GROUPS = 5
LEVEL = 0.05


@dataclass(frozen=True)
class Group:
    """Later decisions of alike predicted effect: how many, the mean prediction, the effect found."""

    decisions: int
    predicted: float
    effect: Interval


@dataclass(frozen=True)
class Judged:
    """One arm. `effect` is the mean over all decisions, earlier and later; `slope` that of later scores on predictions
    (1: they differ as much as predicted), `slope_p` one-sided; `gain` by how much the loss is below that of the same
    level for all. `worth` is the gain a decision, in the outcome's unit, where all such get the action, and where those
    get it whose predicted effect pays for `cost`."""

    later: Pairs
    effect: Estimate
    slope: Estimate
    slope_p: float
    gain: Estimate
    fifths: Sequence[Group]
    share: float
    worth_all: Estimate
    worth_targeted: Estimate


@dataclass(frozen=True)
class Chance:
    """How often chance alone would show as much in any of the arms that are told of together: p-values by Holm.

    `effect` (two-sided): that it is not zero; `slope` (one-sided): that it differs by customer.
    """

    effect: float
    slope: float


def chances(judged: Sequence[Judged]) -> list[Chance]:
    """Of each of some arms, told of together."""
    by_effect = holm([each.effect.not_zero for each in judged])
    by_slope = holm([each.slope_p for each in judged])
    return [Chance(effect, slope) for effect, slope in zip(by_effect, by_slope, strict=True)]


def differs(judged: Judged, chance: Chance) -> bool:
    """Whether effects are shown to differ by customer as predicted."""
    return chance.slope < LEVEL and judged.gain.value > 0


def judge(world: World, found: Found, later: np.ndarray, cost: float) -> Judged:
    """An arm on decisions `later` bool[n]; `cost` of a contact, in units of the outcome."""
    of = world.pairs(found.action, found.treatments, later)
    every = _together(found.pairs, of)
    effect = found.effects.effect(world.inputs[of.row]) if len(of) else np.zeros(0)
    score, weight, person = of.score, of.weight, of.person
    slope = clusters.slope(score, effect, weight, person) if len(of) else clusters.UNKNOWN
    flat = np.average(effect, weights=weight) if len(of) else 0.0
    gain = clusters.mean((score - flat) ** 2 - (score - effect) ** 2, weight, person)
    pays = effect > cost
    return Judged(
        later=of,
        effect=clusters.mean(every.score, every.weight, every.person),
        slope=slope,
        slope_p=slope.above_zero,
        gain=gain,
        fifths=groups(score, effect, weight, person),
        share=float(np.average(pays, weights=weight)) if len(of) else 0.0,
        worth_all=clusters.mean(score - cost, weight, person),
        worth_targeted=clusters.mean(np.where(pays, score - cost, 0.0), weight, person),
    )


def groups(
    score: np.ndarray, effect: np.ndarray, weight: np.ndarray, person: np.ndarray, count: int = GROUPS
) -> list[Group]:
    """Decisions cut into `count` groups by predicted effect, lowest first; none where nothing varies."""
    if not len(effect) or np.ptp(effect) <= 1e-12:
        return []
    place = np.empty(len(effect), np.int64)
    place[np.argsort(effect, kind="stable")] = np.arange(len(effect)) * count // len(effect)
    parts = [place == k for k in range(count)]
    return [
        Group(
            int(own.sum()),
            float(np.average(effect[own], weights=weight[own])),
            clusters.mean(score[own], weight[own], person[own]).interval,
        )
        for own in parts
        if own.any()
    ]


#: float64[k]: effects that somebody else predicts for treatments at decisions, NaN where they say nothing.
Rival = Callable[[Found, np.ndarray], np.ndarray]


def better(world: World, found: Sequence[Found], judged: Sequence[Judged], rival: Rival) -> Estimate | None:
    """By how much the doubly robust loss on later decisions is below a rival's, a decision, over all arms that both
    know; above 0 is better. None where no later decision judges any."""
    over, under, who = [], [], []
    for one, seen in zip(found, judged, strict=True):
        of = seen.later
        theirs = rival(one, of.row)
        known = np.isfinite(theirs)
        ours = one.effects.effect(world.inputs[of.row])
        over.append((of.weight * ((of.score - theirs) ** 2 - (of.score - ours) ** 2))[known])
        under.append(of.weight[known])
        who.append(of.person[known])
    if not any(map(len, over)):
        return None
    return clusters.ratio(np.concatenate(over), np.concatenate(under), np.concatenate(who))


def _together(a: Pairs, b: Pairs) -> Pairs:
    return Pairs(*(np.concatenate([one, other]) for one, other in zip(vars(a).values(), vars(b).values(), strict=True)))
