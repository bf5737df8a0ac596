"""The draw: exploration, maturity and withholding, from one uniform number, with the whole distribution stated.

Cells lie side by side in [0, 1) in a fixed order, so the same number gives the same answer for ever.
"""

from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from serving.decisions.candidate import Candidate
from serving.decisions.fate import Outcome
from serving.decisions.policy import Arm, ContactPolicy

#: Equally likely values that stand for the model's doubt about one candidate.
POINTS = 64


class Contender(NamedTuple):
    """A survivor in the draw: worth `gain - fixed`, against silence's 0.

    The gain is doubtful: a gamma distribution of this `shape` around it, never more than `most` times as much; None
    is certain. `ramp` is the share of draws that it takes part in. What is `first` need not beat silence, and beats
    all that is not.
    """

    candidate: Candidate
    gain: float
    fixed: float = 0.0
    shape: float | None = None
    most: float | None = None
    ramp: float = 1.0
    first: bool = False

    @property
    def worth(self) -> float:
        return self.gain - self.fixed


def ranked(contenders: Sequence[Contender]) -> list[Contender]:
    """Best first; equals stay in the file's order."""
    return sorted(contenders, key=_rank)


def _rank(one: Contender) -> tuple[bool, float]:
    return not one.first, one.fixed - one.gain


def distribution(contenders: Sequence[Contender], policy: ContactPolicy, arm: Arm | None = None) -> tuple[Outcome, ...]:
    """The probability of every answer, given survivors, best first.

    With probability epsilon the answer is uniform among survivors and silence; else the best that takes part, as far
    as the method is sure of it, or silence where that is worth more. A selling action is withheld (a ghost) with the
    stated share. In the arm `random_eligible` every survivor is as likely as any other.
    """
    chances, silence = _chances(contenders, policy, arm)
    withheld, cells = policy.withholding.share, list[Outcome]()
    for contender, probability in zip(contenders, chances, strict=True):
        if not probability:
            continue
        candidate = contender[0]
        action, channel = candidate.key
        ghosts = probability * withheld if withheld and policy.sells(candidate.action) else 0.0
        made = probability * (1.0 - withheld) if ghosts else probability
        if made > 0.0:
            cells.append(Outcome(action, channel, False, made))
        if ghosts > 0.0:
            cells.append(Outcome(action, channel, True, ghosts))
    if silence > 0.0 or not cells:
        cells.append(Outcome(None, None, False, silence if cells else 1.0))
    return tuple(cells)


def draw(cells: Sequence[Outcome], uniform: float) -> Outcome:
    """The cell that `uniform` in [0, 1) falls into."""
    if not 0.0 <= uniform < 1.0:
        raise ValueError(f"the random number {uniform!r} is not in [0, 1)")
    reached = 0.0
    for cell in cells:
        reached += cell.probability
        if uniform < reached:
            return cell
    return cells[-1]  # the probabilities' last rounding error


def _chances(contenders: Sequence[Contender], policy: ContactPolicy, arm: Arm | None) -> tuple[list[float], float]:
    """Of each contender and of silence."""
    if not contenders:
        return [], 1.0
    if arm is not None and arm.play == "random_eligible":
        return [1.0 / len(contenders)] * len(contenders), 0.0
    epsilon = policy.exploration.epsilon
    each = epsilon / (len(contenders) + 1)
    thompson = policy.exploration.method == "thompson" and any(one.shape is not None for one in contenders)
    wins, silence = doubtful(contenders) if thompson else _certain(contenders)
    return [each + (1.0 - epsilon) * win for win in wins], each + (1.0 - epsilon) * silence


def _certain(contenders: Sequence[Contender]) -> tuple[list[float], float]:
    """Down the ranking: each takes the share of draws that it takes part in, of what those before it left."""
    wins, left = [], 1.0
    for one in contenders:
        win = left * one.ramp if one.first or one.worth > 0.0 else 0.0
        wins.append(win)
        left -= win
    return wins, left


def doubtful(contenders: Sequence[Contender], values: np.ndarray | None = None) -> tuple[list[float], float]:
    """Thompson sampling, without sampling: the probability that each is the best of those that take part.

    Each contender's worth has a number of equally likely `values` [n, number], so the distribution is a finite sum and
    exact. Going down all values of all: one wins with a value if it takes part and no other has a better one.
    """
    if values is None:
        values = np.array([_values(one) for one in contenders])
    before = sum(one.first for one in contenders)
    if 0 < before < len(contenders):
        wins, left = doubtful(contenders[:before], values[:before])
        others, silence = doubtful(contenders[before:], values[before:])
        return [*wins, *(left * win for win in others)], left * silence
    number, points = values.shape
    ramp = np.array([one.ramp for one in contenders])
    order = np.argsort(-values, axis=None, kind="stable")
    if not contenders[0].first:
        order = order[: np.count_nonzero(values > 0.0)]
    owner = order // points
    mass = ramp / points
    taken = np.zeros((len(order) + 1, number))  # by each, with the values so far
    taken[np.arange(1, len(order) + 1), owner] = mass[owner]
    np.cumsum(taken, axis=0, out=taken)
    free = np.maximum(1.0 - taken, 0.0)
    none_better = free.prod(axis=1)
    own = free[np.arange(len(order)), owner]
    each = np.bincount(owner, mass[owner] * none_better[:-1] / own, minlength=number)
    return each.tolist(), float(none_better[-1])


def _values(one: Contender) -> np.ndarray:
    """The equally likely values of what it is worth, by Wilson and Hilferty's cube (PNAS 1931), its mean kept."""
    if one.shape is None:
        return np.full(POINTS, one.worth)
    points = np.maximum(1.0 - 1.0 / (9.0 * one.shape) + _normal() / (3.0 * one.shape**0.5), 0.0) ** 3
    points /= points.mean()
    if one.most is not None:
        np.minimum(points, one.most, out=points)
    return one.gain * points - one.fixed


@cache
def _normal() -> np.ndarray:
    """The middles of POINTS equally likely parts of the normal distribution."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((point + 0.5) / POINTS) for point in range(POINTS)])
