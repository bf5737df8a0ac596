"""Regressions that learners and nuisances share: linear, logistic and LightGBM, as plain functions of arrays."""

import lightgbm as lgb
import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

#: Trees are small: the effects looked for are small too, and each model must be fitted dozens of times.
ROUNDS, RATE = 80, 0.05


def linear(inputs: np.ndarray, outcome: np.ndarray, binary: bool, penalty: float = 1.0) -> np.ndarray:
    """float64[p + 1]: intercept and coefficients, for logits where `binary`; L2 `penalty` on standardised inputs.

    Where the outcome is all alike, it is predicted for everyone.
    """
    if outcome.min() == outcome.max():
        level = float(outcome[0])
        return np.concatenate([[(60 * level - 30) if binary else level], np.zeros(inputs.shape[1])])
    mean, scale = inputs.mean(0), inputs.std(0)
    scale = np.where(scale > 1e-12 * np.maximum(1, np.abs(mean)), scale, np.inf)
    z = (inputs - mean) / scale
    if binary:
        model = LogisticRegression(C=1 / penalty, max_iter=300).fit(z, outcome)
        slope, level = model.coef_[0] / scale, float(model.intercept_[0])
    else:
        ridge = Ridge(alpha=penalty).fit(z, outcome)
        slope, level = ridge.coef_ / scale, float(ridge.intercept_)
    return np.concatenate([[level - mean @ slope], slope])


def leaves(rows: int) -> int:
    """How many leaves a tree may have: 4 for a few thousand customers, 31 from a hundred thousand on."""
    return int(np.clip(rows // 3000, 4, 31))


def settings(rows: int, most_leaves: int | None = None) -> dict[str, object]:
    """LightGBM's parameters for so many rows, but for the objective."""
    return {
        "learning_rate": RATE,
        "num_leaves": leaves(rows) if most_leaves is None else most_leaves,
        "min_data_in_leaf": int(np.clip(rows // 50, 20, 500)),
        "max_bin": 63,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": 0,
        "verbosity": -1,
    }


def trees(
    inputs: np.ndarray,
    outcome: np.ndarray,
    binary: bool,
    most_leaves: int | None = None,
    rounds: int = ROUNDS,
    weight: np.ndarray | None = None,
) -> str:
    """A LightGBM booster as text; probabilities where `binary`. `most_leaves` of 2 makes it a sum of steps."""
    parameters = settings(len(outcome), most_leaves) | {"objective": "binary" if binary else "regression"}
    return lgb.train(
        parameters, lgb.Dataset(inputs, outcome, weight=weight, params=parameters), rounds
    ).model_to_string()


class Binned:
    """Inputs float64[n, p] cut into LightGBM's bins once, for all trees that are grown on some of the rows: cutting
    takes longer than growing small trees."""

    def __init__(self, inputs: np.ndarray, most_leaves: int) -> None:
        self._leaves = most_leaves
        # which inputs can split at all depends on the rows that are grown on
        self._fixed = {"feature_pre_filter": False}
        whole = settings(len(inputs), most_leaves) | self._fixed
        self._data = lgb.Dataset(inputs, np.zeros(len(inputs)), params=whole, free_raw_data=False).construct()

    def trees(self, rows: np.ndarray, outcome: np.ndarray, weight: np.ndarray, rounds: int = ROUNDS) -> str:
        """A booster as text for rows bool[n], of `outcome` and `weight` float64[n]."""
        where = np.flatnonzero(rows)
        part = self._data.subset(where.tolist()).construct()
        part.set_label(outcome[where])
        part.set_weight(weight[where])
        parameters = settings(len(where), self._leaves) | self._fixed | {"objective": "regression"}
        part.params = parameters
        return lgb.train(parameters, part, rounds).model_to_string()
