"""Learners of effects: one protocol, from the simplest to the most flexible.

Each takes a sample and an arm and returns that arm's `Effects` against control. The order of `LEARNERS` is the order
of simplicity by which one is chosen among equals.
"""

import math
from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LassoCV

from serving.decisions.effects.forms import Blend, Constant, Effects, Linear, Trees
from training.uplift import regress
from training.uplift.effects import Forest
from training.uplift.sample import Sample

#: From a sample (its `means` filled) and an arm to the arm's effects.
Learner = Callable[[Sample, int], Effects]


def constant(sample: Sample, arm: int) -> Effects:
    """Everyone alike: the mean effect score, and its standard error."""
    score = sample.effect_score(arm)
    return Constant(float(score.mean()), float(score.std(ddof=1) / np.sqrt(len(score))))


def linear_t(sample: Sample, arm: int) -> Effects:
    """One linear (logistic for a yes/no) regression an arm; the effect is their difference.

    Source: the T-learner of Künzel, Sekhon, Bickel, Yu, PNAS 116 (2019).
    """
    return Linear(_line(sample, arm), _line(sample, 0), sample.binary)


def _line(sample: Sample, arm: int) -> np.ndarray:
    there = sample.arm == arm
    return regress.linear(sample.inputs[there], sample.outcome[there], sample.binary)


def robust_linear(sample: Sample, arm: int) -> Effects:
    """Effect scores regressed on the inputs that a cross-validated lasso keeps; ordinary errors robust to variance.

    The errors are those of the regression on the kept inputs, too small where the lasso had to choose.
    Source: the DR-learner of Kennedy, Electronic Journal of Statistics 17 (2023), with a linear final stage.
    """
    score = sample.effect_score(arm)
    mean, scale = sample.inputs.mean(0), sample.inputs.std(0)
    varies = scale > 1e-12 * np.maximum(1, np.abs(mean))
    z = np.where(varies, (sample.inputs - mean) / np.where(varies, scale, 1), 0)
    lasso = LassoCV(alphas=30, cv=5).fit(z, score)
    slope = np.where(varies, lasso.coef_ / np.where(varies, scale, 1), 0)
    weights = np.concatenate([[float(lasso.intercept_) - mean @ slope], slope])
    return Linear(weights, covariance=_sandwich(sample.inputs, score - Linear(weights).effect(sample.inputs), slope))


def _sandwich(inputs: np.ndarray, error: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """White's covariance of intercept and kept coefficients, zero elsewhere."""
    kept = np.concatenate([[0], 1 + np.flatnonzero(slope)])
    design = np.column_stack([np.ones(len(error)), inputs])[:, kept]
    bread = np.linalg.pinv(design.T @ design)
    found = np.zeros((inputs.shape[1] + 1, inputs.shape[1] + 1))
    found[np.ix_(kept, kept)] = bread @ (design * (error**2)[:, None]).T @ design @ bread
    return found


def additive_t(sample: Sample, arm: int) -> Effects:
    """LightGBM trees of two leaves an arm: a sum of steps, one input at a time, no interactions."""
    return Trees(_grown(sample, arm, 2), _grown(sample, 0, 2))


def lightgbm_t(sample: Sample, arm: int) -> Effects:
    """LightGBM an arm; the effect is the difference."""
    return Trees(_grown(sample, arm), _grown(sample, 0))


def _grown(sample: Sample, arm: int, most_leaves: int | None = None) -> str:
    there = sample.arm == arm
    return regress.trees(sample.inputs[there], sample.outcome[there], sample.binary, most_leaves)


def lightgbm_x(sample: Sample, arm: int) -> Effects:
    """Each arm's outcomes less what the other arm's model expects, learned again and mixed by the arms' sizes.

    Source: the X-learner of Künzel et al. (2019); the mixing weight is the mean propensity.
    """
    treated, control = sample.rows(sample.arm == arm), sample.rows(sample.arm == 0)
    gained = treated.outcome - treated.means[:, 0]
    gained_by_control = control.means[:, arm] - control.outcome
    share = len(treated) / (len(treated) + len(control))
    return Blend(
        [
            Trees(regress.trees(treated.inputs, gained, False)),
            Trees(regress.trees(control.inputs, gained_by_control, False)),
        ],
        [1 - share, share],
    )


def robust_trees(sample: Sample, arm: int) -> Effects:
    """Effect scores learned by small LightGBM trees: the DR-learner with a flexible final stage (Kennedy, 2023)."""
    return Trees(regress.trees(sample.inputs, sample.effect_score(arm), False, rounds=40))


#: A forest of so many trees, each grown on at most so many customers: enough for a rival, small enough to serve.
FOREST_TREES, FOREST_ROWS = 100, 10_000
#: A split tries so many inputs and the root of their number, drawn anew: all of up to 24. A tree's time grows with the
#: inputs tried, and that of all would be most of a fit where columns are many. As the R package grf has it.
FOREST_TRIED = 20


def causal_forest(sample: Sample, arm: int) -> Effects:
    """Outcomes and arms less what was expected of both, then an honest forest of effects (econml's CausalForest).

    Only customers of the arm and of control are used.
    """
    from econml.grf import CausalForest  # a second to import: only who fits pays it

    pair, inputs = sample.rows((sample.arm == arm) | (sample.arm == 0)), sample.inputs.shape[1]
    chance = pair.propensity[:, arm] / (pair.propensity[:, arm] + pair.propensity[:, 0])
    outcome = pair.outcome - (chance * pair.means[:, arm] + (1 - chance) * pair.means[:, 0])
    grown = CausalForest(
        n_estimators=FOREST_TREES,
        min_samples_leaf=int(np.clip(len(pair) // 400, 5, 50)),
        max_samples=min(0.25, FOREST_ROWS / len(pair)),
        max_features=min(inputs, FOREST_TRIED + math.ceil(math.sqrt(inputs))),
        inference=True,
        n_jobs=1,
        random_state=0,
    ).fit(pair.inputs, (pair.arm == arm) - chance, outcome)
    trees = [tree.tree_ for tree in grown.estimators_]
    return Forest(
        start=np.cumsum([0, *(tree.node_count for tree in trees)]),
        left=np.concatenate([tree.children_left for tree in trees]),
        right=np.concatenate([tree.children_right for tree in trees]),
        feature=np.concatenate([tree.feature for tree in trees]),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        moment=np.concatenate([tree.precond.reshape(-1, 2) for tree in trees]),
        jacobian=np.concatenate([tree.jac.reshape(-1, 2, 2) for tree in trees]),
    )


#: From the simplest on.
LEARNERS: dict[str, Learner] = {
    "constant": constant,
    "linear T": linear_t,
    "doubly robust, linear": robust_linear,
    "additive T": additive_t,
    "LightGBM T": lightgbm_t,
    "LightGBM X": lightgbm_x,
    "doubly robust, LightGBM": robust_trees,
    "causal forest": causal_forest,
}
