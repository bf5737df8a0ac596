"""Learners of effects from scores: a line by ridge, small trees, and the blend of both; all served in a microsecond.

The rows' folds are by person. Every figure that chooses (the penalty, the weights of the blend, the learner) is of
rows that the fit did not see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from serving.decisions.effects import Blend, Constant, Effects, Linear, Trees
from training.uplift import regress
from training.uplift.logged import clusters
from training.uplift.logged.clusters import Estimate
from training.uplift.logged.pairs import Pairs

#: Ridge penalties on standardised inputs, in units of the rows' total weight: from none to speak of to no slope at all.
PENALTIES = tuple(np.logspace(-3.5, 1.5, 11).tolist())
#: Differences are learned from so many decisions without contact for each with one: more would take a tenth off errors
#: and cost many times the time. Fewer decisions with contact grow no trees.
CONTROLS, GROWN_FROM = 8, 4000
ROUNDS, LEAVES = 40, 8
#: One effect for all stays unless another learner's gain out of fold has a smaller p-value: what chance draws from few
#: decisions looks like large differences between customers.
SURE = 0.05


@dataclass(frozen=True)
class Learned:
    """Deviations from an arm's mean by one learner: out of fold, float[n] at the places of the arm's pairs (NaN where
    there are none), and fitted on all of them."""

    name: str
    unseen: np.ndarray
    effects: Effects


def line(inputs: np.ndarray, of: Pairs, fold: np.ndarray) -> Learned:
    """Weighted ridge regression of scores on inputs, its penalty by folds; `fold` int[n] of all decisions.

    All folds and penalties come from one pass over the rows: sums of products by fold.
    """
    own, folds = fold[of.row], np.unique(fold[of.row])
    x, w, y = inputs[of.row], of.weight, of.score
    sums = [_products(x[own == k], w[own == k], y[own == k]) for k in folds]
    whole = _added(sums)
    unseen = np.empty((len(PENALTIES), len(of)))
    for k, mine in zip(folds, sums, strict=True):
        rest = _Products(*(all_ - part for all_, part in zip(whole, mine, strict=True)))
        here = own == k
        for number, weights in enumerate(_solved(rest)):
            unseen[number, here] = weights[0] + x[here] @ weights[1:]
    loss = ((y - unseen) ** 2) @ w
    best = int(loss.argmin())
    return Learned("linear", _placed(unseen[best], of, len(inputs)), Linear(_solved(whole)[best]))


def grown(inputs: np.ndarray, of: Pairs, fold: np.ndarray) -> Learned:
    """Small LightGBM trees on scores, by weight."""
    own, unseen = fold[of.row], np.empty(len(of))
    for k in np.unique(own):
        unseen[own == k] = _trees(inputs, of.rows(own != k)).effect(inputs[of.row[own == k]])
    return Learned("LightGBM", _placed(unseen, of, len(inputs)), _trees(inputs, of))


def _trees(inputs: np.ndarray, of: Pairs) -> Trees:
    # weights near 1, which the least number of rows in a leaf is meant for
    weight = of.weight / of.weight.mean()
    return Trees(regress.trees(inputs[of.row], of.score, False, LEAVES, ROUNDS, weight))


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
    """One arm: the simplest learner whose loss out of fold is within one standard error of the best (see choose.py),
    where it is better than one effect for all beyond doubt.

    `given` was learned from more than this arm (the action on all its channels) and counts as simpler than its own. All
    deviations are shrunk: their weights are chosen on rows that they did not see, and are at most 1 in all.
    """
    share = CONTROLS * whole.treated.sum() / max(1, (~whole.treated).sum())
    of = whole.thinned(share, np.random.default_rng(0).random(len(inputs)))
    if given is not None:
        of = of.rows(np.isfinite(given.unseen[of.row]))
    parts = [*([] if given is None else [given]), line(inputs, of, fold)]
    if of.treated.sum() >= GROWN_FROM:
        parts.append(grown(inputs, of, fold))
    w, y, own = of.weight, of.score, fold[of.row]
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
    mean = clusters.mean(whole.score, whole.weight, whole.person)
    return Arm(mean, chosen, tried[chosen], parts, _placed(deviations[chosen], of, len(inputs)), gains)


class _Products(tuple[np.ndarray, ...]):
    """Weighted sums of one fold: total weight, of inputs, of their products, of scores, of both."""

    def __new__(cls, *arrays: np.ndarray) -> "_Products":
        return super().__new__(cls, arrays)


def _products(x: np.ndarray, w: np.ndarray, y: np.ndarray) -> _Products:
    xw = x * w[:, None]
    return _Products(np.array(w.sum()), xw.sum(0), xw.T @ x, np.array(w @ y), xw.T @ y)


def _added(sums: Sequence[_Products]) -> _Products:
    return _Products(*(np.sum([part[k] for part in sums], axis=0) for k in range(5)))


def _solved(sums: _Products) -> np.ndarray:
    """float64[penalties, p + 1]: intercept and slopes at every penalty."""
    total, x, xx, y, xy = sums
    mean, level = x / total, float(y / total)
    covariance = xx / total - np.outer(mean, mean)
    scale = np.sqrt(np.maximum(np.diag(covariance), 0))
    scale = np.where(scale > 1e-9 * np.maximum(1, np.abs(mean)), scale, np.inf)
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    along = vectors.T @ ((xy / total - mean * level) / scale)
    slopes = [vectors @ (along / (np.maximum(values, 0) + penalty)) / scale for penalty in PENALTIES]
    return np.array([[level - mean @ slope, *slope] for slope in slopes])


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


def _placed(values: np.ndarray, of: Pairs, count: int) -> np.ndarray:
    found = np.full(count, np.nan)
    found[of.row] = values
    return found
