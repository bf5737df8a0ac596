"""Which learner's differences an arm gets, and how much of them: by a doubly robust loss, cross-validated by person.

Every figure that chooses (a penalty, the weights of the blend, the learner) is of rows that the fit did not see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from serving.decisions.effects import Blend, Constant, Effects
from training.uplift.logged import clusters
from training.uplift.logged.clusters import Estimate
from training.uplift.logged.learners import Learned, grown, linear_t, lines, placed
from training.uplift.logged.pairs import Pairs

#: Differences are learned from so many decisions without contact for each with one: more would take a tenth off errors
#: and cost many times the time. Fewer decisions with contact grow no trees; fewer with or without it, in any fold's
#: rest, are not learned from apart: the errors of both sides add up.
CONTROLS, GROWN_FROM, APART_FROM = 8, 4000, 1000
#: One effect for all stays unless another learner's gain out of fold has a smaller p-value: what chance draws from few
#: decisions looks like large differences between customers.
SURE = 0.05


@dataclass(frozen=True)
class Arm:
    """What was learned of one action or treatment: `mean` its effect with error, `learner` the one chosen, by name, and
    the share of each learner's deviations in it. `unseen` float[n]: out-of-fold deviations. `gains`: by how much each
    learner's loss is below that of one effect for all."""

    mean: Estimate
    learner: str
    weights: Mapping[str, float]
    parts: Sequence[Learned]
    unseen: np.ndarray
    gains: Mapping[str, Estimate]

    def effects(self, level: float, inputs: np.ndarray, of: Pairs) -> Effects:
        """The chosen learner's, around `level` on average over the pairs."""
        used = [(self.weights[part.name], part.effects) for part in self.parts if self.weights.get(part.name, 0.0) > 0]
        if not used:
            return Constant(level, self.mean.error)
        for weight, part in used:
            level -= weight * float(np.average(part.effect(inputs[of.row]), weights=of.weight))
        return Blend([Constant(level, self.mean.error), *(part for _, part in used)], [1.0, *(w for w, _ in used)])


CONSTANT, BLEND = "constant", "blend"


def learn(inputs: np.ndarray, whole: Pairs, fold: np.ndarray, given: Learned | None = None) -> Arm:
    """One arm: the simplest learner whose loss out of fold is within one standard error of the best (as
    in training/uplift/choose.py), where it is better than one effect for all beyond doubt.

    `given` was learned from more than this arm (the action on all its channels) and counts as simpler than its own. All
    deviations are shrunk: their weights are chosen on rows that they did not see, and are at most 1 in all.
    """
    share = CONTROLS * whole.treated.sum() / max(1, (~whole.treated).sum())
    of = whole.thinned(share, np.random.default_rng(0).random(len(inputs)))
    if given is not None:
        of = of.rows(np.isfinite(given.unseen[of.row]))
    mean = clusters.mean(whole.score, whole.weight, whole.person)
    if not inputs.shape[1] or len(np.unique(fold[of.row])) < 2:  # nothing varies among so few, or judges itself
        return Arm(mean, CONSTANT, {}, [], placed(np.zeros(len(of)), of, len(inputs)), {CONSTANT: clusters.UNKNOWN})
    parts = [*([] if given is None else [given]), *lines(inputs, of, fold)]
    w, y, own = of.weight, of.score, fold[of.row]
    both = min(int((side & (own != k)).sum()) for side in (of.treated, ~of.treated) for k in np.unique(own))
    if both >= APART_FROM:
        parts.append(linear_t(inputs, of, fold))
    if of.treated.sum() >= GROWN_FROM:
        parts += grown(inputs, of, fold, both >= APART_FROM)
    columns = {part.name: _within(part.unseen[of.row], w, own) for part in parts}
    target = _within(y, w, own)
    single = {name: _weights({name: column}, target, w) for name, column in columns.items()}
    tried = {CONSTANT: dict[str, float](), **single, BLEND: _weights(columns, target, w)}
    deviations = {name: _sum(columns, weights, len(of)) for name, weights in tried.items()}
    loss = {name: w * (target - each) ** 2 for name, each in deviations.items()}
    gains = {name: clusters.ratio(loss[CONSTANT] - each, w, of.person) for name, each in loss.items()}
    chosen = best = min(loss, key=lambda name: float(loss[name].sum()))
    for name, each in loss.items():
        behind = clusters.ratio(each - loss[best], w, of.person)
        if name == best or (name != CONSTANT and behind.value <= behind.error):
            chosen = name
            break
    if gains[chosen].above_zero >= SURE:
        chosen = CONSTANT
    return Arm(mean, chosen, tried[chosen], parts, placed(deviations[chosen], of, len(inputs)), gains)


def _weights(columns: Mapping[str, np.ndarray], target: np.ndarray, w: np.ndarray) -> dict[str, float]:
    """Non-negative, at most 1 in all; what is left of 1 is one effect for all's."""
    root = np.sqrt(w)
    found, _ = nnls(np.column_stack([root * column for column in columns.values()]), root * target)
    found /= max(1.0, found.sum())
    return dict(zip(columns, found.tolist(), strict=True))


def _sum(columns: Mapping[str, np.ndarray], weights: Mapping[str, float], count: int) -> np.ndarray:
    total = np.zeros(count)
    for name, weight in weights.items():
        total += weight * columns[name]
    return total


def _within(values: np.ndarray, w: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Less each fold's weighted mean: another model predicted every fold."""
    _, place = np.unique(fold, return_inverse=True)
    return values - (np.bincount(place, w * values) / np.bincount(place, w))[place]
