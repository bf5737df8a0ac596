"""Levels of effects where data are few: each moves towards its group's, and that towards the stated prior.

Effects of a group scatter around a common level with a variance of their own. One with standard error s keeps the share
variance / (variance + s^2) of its own estimate and takes the rest from the group. The prior counts in its group as one
more member, as far off as its doubt says. What is learned twice, of an action on all channels and then on each, moves
towards the action's level as it stands: that rests on the same data already, which must not speak twice.
Source: DerSimonian and Laird, Controlled Clinical Trials 7 (1986); empirical Bayes, Morris, JASA 78 (1983).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Shrunk(NamedTuple):
    """Levels float[k], their errors, and the weight that each one's own estimate has in its level."""

    value: np.ndarray
    error: np.ndarray
    own: np.ndarray


def shrunk(
    value: np.ndarray, error: np.ndarray, group: Sequence[object], prior: np.ndarray, doubt: np.ndarray
) -> Shrunk:
    """Of estimates [k] with errors, in groups; `prior` [k] with standard deviation `doubt` [k], equal in a group."""
    variance = between(value, error, group)
    level, found, own = np.empty(len(value)), np.empty(len(value)), np.empty(len(value))
    names = np.array([str(one) for one in group], object)
    for name in dict.fromkeys(names.tolist()):
        mine = np.flatnonzero(names == name)
        precision = 1.0 / (variance + error[mine] ** 2)
        guess = 1.0 / max(variance + float(doubt[mine[0]]) ** 2, 1e-30)
        total = precision.sum() + guess
        centre = float((precision @ value[mine] + guess * prior[mine[0]]) / total)
        kept = _kept(variance, error[mine])
        level[mine] = kept * value[mine] + (1 - kept) * centre
        found[mine] = np.sqrt(kept * error[mine] ** 2 + (1 - kept) ** 2 / total)
        own[mine] = kept + (1 - kept) * precision / total
    return Shrunk(level, found, own)


def around(value: np.ndarray, error: np.ndarray, group: Sequence[object], centre: Shrunk) -> Shrunk:
    """Parts [k] of what `centre` [k] is the level of (equal in a group): a group's only part is at its level.

    `centre.own`: the weight that the part's own data have in it.
    """
    _, place, count = np.unique([str(one) for one in group], return_inverse=True, return_counts=True)
    kept = np.where(count[place] == 1, 0.0, _kept(between(value, error, group), error))
    level = kept * value + (1 - kept) * centre.value
    found = np.sqrt(kept * error**2 + (1 - kept) ** 2 * centre.error**2)
    return Shrunk(level, found, kept + (1 - kept) * centre.own)


def _kept(variance: float, error: np.ndarray) -> np.ndarray:
    """The share of its own estimate that each keeps; none where nothing is seen to vary."""
    return np.asarray(variance / np.maximum(variance + error**2, 1e-30))


def between(value: np.ndarray, error: np.ndarray, group: Sequence[object]) -> float:
    """The variance of true effects around their group's mean, by moments, over all groups; 0 where none is seen."""
    _, place = np.unique(np.array([str(one) for one in group], object), return_inverse=True)
    weight = 1.0 / np.maximum(error, 1e-12) ** 2
    total = np.bincount(place, weight)
    centre = np.bincount(place, weight * value) / total
    spread = float((weight * (value - centre[place]) ** 2).sum())
    freedom = len(value) - len(total)
    scale = float(weight.sum() - (np.bincount(place, weight**2) / total).sum())
    return max(0.0, (spread - freedom) / scale) if scale > 0 else 0.0
