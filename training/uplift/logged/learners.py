"""Learners of effects: lines and small trees, on scores (doubly robust), or of what came with and without apart (T, X).

All are weighted sums of lines and trees, which is what the service's tables hold and evaluate in a microsecond. A
causal forest is not: its effect is a quotient of sums over a hundred deep trees. `uplift fit` tries one, for a table
that is judged once; here it is left out, for an effect that cannot be served decides nothing.

The rows' folds are by person. Figures that choose a penalty are of rows that the fit did not see.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import lasso_path

from serving.decisions.effects import Blend, Effects, Linear, Trees
from training.uplift import regress
from training.uplift.logged.pairs import Pairs

#: Ridge penalties on standardised inputs, in units of the rows' total weight: from none to speak of to no slope at all.
PENALTIES = tuple(np.logspace(-3.5, 1.5, 11).tolist())
#: Lasso penalties, as shares of the one that keeps no input, and the ridge that keeps its least squares stable.
SHARES, SMALLEST = (0.95, 0.8, 0.65, 0.5, 0.4, 0.3), 1e-3
ROUNDS, LEAVES = 40, 8


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
            here = own == k
            weights = solved(_less(whole, mine))
            if unseen is None:
                unseen = np.empty((len(weights), len(of)))
            unseen[:, here] = weights[:, :1] + weights[:, 1:] @ x[here].T
        assert unseen is not None
        best = int((((y - unseen) ** 2) @ w).argmin())
        found.append(Learned(name, placed(unseen[best], of, len(inputs)), Linear(solved(whole)[best])))
    return found


def linear_t(inputs: np.ndarray, of: Pairs, fold: np.ndarray) -> Learned:
    """A ridge regression of what came with the action less one of what came with nothing.

    Residuals stand for outcomes: what is expected either way falls out of the difference, and so does its noise. Each
    row weighs by the chance of the other side, so that both are fitted to the same kind of decisions.
    Source: the T-learner of Künzel, Sekhon, Bickel, Yu, PNAS 116 (2019).
    """
    own, x = fold[of.row], inputs[of.row]
    folds, sides = np.unique(own), _sides(of)
    sums = [[_products(x[rows & (own == k)], w[rows & (own == k)], of.residual[rows & (own == k)]) for k in folds]
            for rows, w in sides]  # fmt: skip
    whole = [_added(each) for each in sums]
    unseen = np.empty((len(PENALTIES), len(of)))
    for place, k in enumerate(folds):
        made, nothing = (_ridge(_less(all_, each[place])) for all_, each in zip(whole, sums, strict=True))
        weights, here = made - nothing, own == k
        unseen[:, here] = weights[:, :1] + weights[:, 1:] @ x[here].T
    best = int((((of.score - unseen) ** 2) @ of.weight).argmin())
    made, nothing = (_ridge(each)[best] for each in whole)
    return Learned("linear T", placed(unseen[best], of, len(inputs)), Linear(made - nothing))


def grown(inputs: np.ndarray, of: Pairs, fold: np.ndarray, apart: bool = True) -> list[Learned]:
    """Small LightGBM trees on scores, by weight; and, where both sides are learned `apart`, LightGBM T (trees of what
    came with the action less trees of what came with nothing) and X (what came of each decision less what the other
    side's trees expect, learned again, and mixed by the sides' sizes). Source: Künzel et al., as above."""
    x, own = inputs[of.row], fold[of.row]
    binned = regress.Binned(x, LEAVES)
    whole = _grown(binned, x, of, np.ones(len(of), bool), apart)
    unseen = {name: np.empty(len(of)) for name in whole}
    for k in np.unique(own):
        for name, effects in _grown(binned, x, of, own != k, apart).items():
            unseen[name][own == k] = effects.effect(x[own == k])
    return [Learned(name, placed(unseen[name], of, len(inputs)), effects) for name, effects in whole.items()]


def _grown(binned: regress.Binned, x: np.ndarray, of: Pairs, rows: np.ndarray, apart: bool) -> dict[str, Effects]:
    """On rows bool[k] of the pairs."""

    def trees(there: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> str:
        # weights near 1, which the least number of rows in a leaf is meant for
        return binned.trees(there, outcome, weight / weight[there].mean(), ROUNDS)

    found: dict[str, Effects] = {"LightGBM": Trees(trees(rows, of.score, of.weight))}
    if not apart:
        return found
    sides, came = [(side & rows, weight) for side, weight in _sides(of)], of.residual
    made, nothing = (trees(there, came, weight) for there, weight in sides)
    found["LightGBM T"] = Trees(made, nothing)
    gained = np.where(of.treated, came - Trees(nothing).effect(x), Trees(made).effect(x) - came)
    share = float(of.treated[rows].mean())
    again = [Trees(trees(there, gained, weight)) for there, weight in sides]
    found["LightGBM X"] = Blend(again, [1 - share, share])
    return found


def _sides(of: Pairs) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Those with the action and those with nothing, bool[k], and their weights, the chance of the other side."""
    return (of.treated, 1 - of.chance), (~of.treated, of.chance)


class _Products(tuple[np.ndarray, ...]):
    """Weighted sums of one fold: total weight, of inputs, of their products, of scores, of both."""

    def __new__(cls, *arrays: np.ndarray) -> "_Products":
        return super().__new__(cls, arrays)


def _products(x: np.ndarray, w: np.ndarray, y: np.ndarray) -> _Products:
    xw = x * w[:, None]
    return _Products(np.array(w.sum()), xw.sum(0), xw.T @ x, np.array(w @ y), xw.T @ y)


def _added(sums: Sequence[_Products]) -> _Products:
    return _Products(*(np.sum([part[k] for part in sums], axis=0) for k in range(5)))


def _less(whole: _Products, part: _Products) -> _Products:
    return _Products(*(all_ - own for all_, own in zip(whole, part, strict=True)))


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


def placed(values: np.ndarray, of: Pairs, count: int) -> np.ndarray:
    found = np.full(count, np.nan)
    found[of.row] = values
    return found
