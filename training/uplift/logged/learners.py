"""Learners of effects from scores: lines by ridge and lasso, small trees, and their blend; served in a microsecond.

The rows' folds are by person. Every figure that chooses (the penalty, the weights of the blend, the learner) is of
rows that the fit did not see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from sklearn.linear_model import lasso_path

from serving.decisions.effects import Blend, Constant, Effects, Linear, Trees
from training.uplift import regress
from training.uplift.logged import clusters
from training.uplift.logged.clusters import Estimate
from training.uplift.logged.pairs import Pairs

#: Ridge penalties on standardised inputs, in units of the rows' total weight: from none to speak of to no slope at all.
PENALTIES = tuple(np.logspace(-3.5, 1.5, 11).tolist())
#: Lasso penalties, as shares of the one that keeps no input, and the ridge that keeps its least squares stable.
SHARES, SMALLEST = (0.95, 0.8, 0.65, 0.5, 0.4, 0.3), 1e-3
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


def lines(inputs: np.ndarray, of: Pairs, fold: np.ndarray) -> list[Learned]:
    """Two weighted regressions of scores on inputs, `fold` int[n] of all decisions: ridge on all inputs, and least
    squares on the few that a lasso keeps. How much or how many is chosen by folds.

    Everything comes from one pass over the rows: sums of products by fold.
    """
    own, folds = fold[of.row], np.unique(fold[of.row])
    x, w, y = inputs[of.row], of.weight, of.score
    sums = [_products(x[own == k], w[own == k], y[own == k]) for k in folds]
    whole = _added(sums)
    found = []
    for name, solved in (("linear", _ridge), ("linear, few inputs", _few)):
        unseen: np.ndarray | None = None
        for k, mine in zip(folds, sums, strict=True):
            rest = _Products(*(all_ - part for all_, part in zip(whole, mine, strict=True)))
            here = own == k
            weights = solved(rest)
            if unseen is None:
                unseen = np.empty((len(weights), len(of)))
            unseen[:, here] = weights[:, :1] + weights[:, 1:] @ x[here].T
        assert unseen is not None
        best = int((((y - unseen) ** 2) @ w).argmin())
        found.append(Learned(name, _placed(unseen[best], of, len(inputs)), Linear(solved(whole)[best])))
    return found


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
    mean = clusters.mean(whole.score, whole.weight, whole.person)
    if not inputs.shape[1]:  # nothing varies among so few
        return Arm(mean, CONSTANT, {}, [], _placed(np.zeros(len(of)), of, len(inputs)), {CONSTANT: clusters.UNKNOWN})
    parts = [*([] if given is None else [given]), *lines(inputs, of, fold)]
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


def _standardised(sums: _Products) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    """Correlations of inputs [p, p], of inputs with scores [p], the inputs' means and scales, the scores' mean."""
    total, x, xx, y, xy = sums
    mean, level = x / total, float(y / total)
    covariance = xx / total - np.outer(mean, mean)
    scale = np.sqrt(np.maximum(np.diag(covariance), 0))
    scale = np.where(scale > 1e-9 * np.maximum(1, np.abs(mean)), scale, np.inf)
    return covariance / np.outer(scale, scale), (xy / total - mean * level) / scale, mean, scale, level


def _ridge(sums: _Products) -> np.ndarray:
    """float64[penalties, p + 1]: intercept and slopes at every penalty."""
    gram, on, mean, scale, level = _standardised(sums)
    values, vectors = np.linalg.eigh(gram)
    along = vectors.T @ on
    slopes = [vectors @ (along / (np.maximum(values, 0) + penalty)) / scale for penalty in PENALTIES]
    return np.array([[level - mean @ slope, *slope] for slope in slopes])


def _few(sums: _Products) -> np.ndarray:
    """float64[shares, p + 1]: least squares on what a lasso keeps, at shares of the penalty that keeps nothing."""
    gram, on, mean, scale, level = _standardised(sums)
    count = len(on)
    root = np.linalg.cholesky(gram + 1e-6 * np.eye(count)).T  # rows that have these products: the lasso wants rows
    penalties = np.array(SHARES) * np.abs(on).max() / count
    _, path, _ = lasso_path(root, np.linalg.solve(root.T, on), alphas=penalties, max_iter=200, tol=1e-3)
    found = np.zeros((len(SHARES), count + 1))
    for number in range(len(SHARES)):
        kept = np.flatnonzero(path[:, number])
        slope = np.zeros(count)
        slope[kept] = np.linalg.solve(gram[np.ix_(kept, kept)] + SMALLEST * np.eye(len(kept)), on[kept]) / scale[kept]
        found[number] = [level - mean @ slope, *slope]
    return found


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
