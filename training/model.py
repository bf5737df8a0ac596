"""The estimator behind churn and propensity: trees, a smooth habit term, and a link fitted on later time."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from training.artefact import sigmoid
from training.habit import Visits, fit_labels, fit_visits, silence

#: Small, slow, much regularised trees: chosen on earlier cutoffs of several logs, real and simulated, not on any test.
PARAMETERS: Mapping[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_child_samples": 200,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 20.0,
    "max_cat_to_onehot": 16,
    "verbosity": -1,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
}

#: How far from 1 the scale of a refit is expected before its rows are seen: a few rows move it little.
SCALE_DEVIATION = 0.2
#: The columns that a habit looks at.
HABIT = ("active_days", "recency", "tenure")


class HabitTrees(ClassifierMixin, BaseEstimator):
    """LightGBM beside BG/NBD: score = intercept + booster weight x trees + sum of habit weights x habit logits.

    `fit` learns the parts, the number of trees by early stopping on customers held out in turn. `calibrate` fits the
    weights on later time, so that what extrapolates better there weighs more; before it, the trees stand alone.

    `habit` maps active_days, recency and tenure to columns, and span and horizon to days; None leaves the term out.
    `categories` are columns that hold codes. X is a DataFrame of float64 with NaN for null.
    """

    def __init__(
        self,
        habit: Mapping[str, Any] | None = None,
        categories: Sequence[str] = (),
        folds: int = 4,
        rounds: int = 600,
        patience: int = 30,
        threads: int = 2,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.habit = habit
        self.categories = categories
        self.folds = folds
        self.rounds = rounds
        self.patience = patience
        self.threads = threads
        self.parameters = parameters

    def fit(self, X: pd.DataFrame, y: np.ndarray, customers: np.ndarray | None = None) -> Self:
        """`customers` groups the rows for early stopping; without it every row is its own group."""
        y = np.asarray(y, float)
        self.classes_ = np.array([0, 1])
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.base_rate_ = float(y.mean())
        groups = np.arange(len(y)) if customers is None else np.unique(customers, return_inverse=True)[1]
        self.model_text_, self.trees_ = self._boost(X, y, groups)
        self.habits_: list[list[float]] = self._habits(X, y)
        self.link_: dict[str, Any] = {"intercept": 0.0, "booster": 1.0, "habits": [0.0] * len(self.habits_)}
        return self

    def calibrate(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fits intercept and non-negative weights by log loss on rows later than those of `fit`."""
        check_is_fitted(self)
        parts = self._parts(X)
        count = len(self.habits_)
        prior = np.array([0.8, *np.full(count, 0.2 / count)]) if count else np.ones(1)
        weights = _stack(parts, np.asarray(y, float), prior)
        self.link_ = {"intercept": float(weights[0]), "booster": float(weights[1]), "habits": weights[2:].tolist()}
        return self

    def refit(
        self,
        X: pd.DataFrame,
        y: np.ndarray,
        customers: np.ndarray,
        later: pd.DataFrame,
        label: np.ndarray,
        of: np.ndarray,
    ) -> np.ndarray:
        """Learns the parts again from newer rows as well, with as many trees, and keeps the proportions of the link.

        They were learned one horizon after the parts' last cutoff, which is how far the new parts will be from use. But
        parts that learned from more rows spread wider, so the link's scale is lowered to what the newest of them,
        `later` with their `label` and the customers they are `of`, bear out, each scored by trees that learned from
        other customers. It is never raised: those rows are no later than what was learned, and a horizon later scores
        are worth less, not more.

        Returns these scores of `later`, without the intercept: what `level` may look at.
        """
        check_is_fitted(self)
        y, label = np.asarray(y, float), np.asarray(label, float)
        groups = np.unique(np.concatenate([customers, of]), return_inverse=True)[1]
        self.model_text_ = self._grow(X, y).model_to_string()
        if self.habits_:
            self.habits_ = self._habits(X, y)
        weights = np.array([self.link_["booster"], *self.link_["habits"]])
        if self.link_["booster"] == 0:
            return self._parts(later) @ weights  # four numbers for everybody remember nobody
        score = self._unseen(X, y, later, self._fold(groups)) @ weights
        hold = 1 / (2 * SCALE_DEVIATION**2 * len(score))
        scale = min(float(_stack(score[:, None], label, np.ones(1), hold)[1]), 1.0)
        booster, *habits = (scale * weights).tolist()
        self.link_ = {"intercept": self.link_["intercept"], "booster": booster, "habits": habits}
        return scale * score

    def level(self, intercept: float) -> Self:
        """Sets the intercept: a refit shifts the parts' level."""
        self.link_ = self.link_ | {"intercept": float(intercept)}
        return self

    def decision_function(self, X: pd.DataFrame) -> np.ndarray:
        """Scores float64[n]: logits of the probability."""
        check_is_fitted(self)
        parts = self._parts(X)
        return self.link_["intercept"] + parts @ np.array([self.link_["booster"], *self.link_["habits"]])

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """float64[n, 2]: probabilities of 0 and 1."""
        one = sigmoid(self.decision_function(X))
        return np.column_stack([1 - one, one])

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return (self.decision_function(X) > 0).astype(int)

    def settings(self) -> dict[str, Any]:
        """LightGBM's parameters."""
        return {**PARAMETERS, **(self.parameters or {})}

    @property
    def booster(self) -> lgb.Booster:
        return _booster(self.model_text_)

    def _parts(self, X: pd.DataFrame) -> np.ndarray:
        """float64[n, 1 + habits]: raw score of the trees, then each habit's logit."""
        X = X[list(self.feature_names_in_)]
        trees = self.booster.predict(X.to_numpy(np.float64), raw_score=True)
        habits = [habit_logit(X, self.habit or {}, np.array(parameters)) for parameters in self.habits_]
        return np.column_stack([trees, *habits])

    def _sized(self, rows: int) -> dict[str, Any]:
        """Parameters for so many rows."""
        parameters = self.settings()
        return parameters | {"min_child_samples": least_child_samples(rows, parameters)}

    def _data(
        self, X: pd.DataFrame, parameters: dict[str, Any], y: np.ndarray, reference: lgb.Dataset | None = None
    ) -> lgb.Dataset:
        columns = [str(name) for name in X.columns]
        texts = [name for name in self.categories if name in columns]
        return lgb.Dataset(
            X.to_numpy(np.float64), y, reference, feature_name=columns, categorical_feature=texts, params=parameters
        )

    def _fold(self, groups: np.ndarray) -> np.ndarray:
        """Fold of each row; the rows of one group share it."""
        return np.random.default_rng(0).permutation(groups.max() + 1)[groups] % self.folds

    def _grow(self, X: pd.DataFrame, y: np.ndarray) -> lgb.Booster:
        """As many trees as early stopping chose, whatever the rows."""
        parameters = self._sized(len(y))
        return lgb.train(parameters, self._data(X, parameters, y), self.trees_)

    def _unseen(self, X: pd.DataFrame, y: np.ndarray, later: pd.DataFrame, fold: np.ndarray) -> np.ndarray:
        """The parts of later rows, the trees' from boosters that learned without the row's fold; `fold` is of the rows
        of X, then of the later ones.

        A habit is four numbers for everybody, too few to remember anyone: it stays as it is.
        """
        trees = np.zeros(len(later))

        def score(k: int) -> None:
            rows = np.flatnonzero(fold[len(y) :] == k)
            others = np.flatnonzero(fold[: len(y)] != k)
            if len(rows):
                booster = self._grow(X.iloc[others], y[others])
                trees[rows] = booster.predict(later.iloc[rows].to_numpy(np.float64), raw_score=True)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(score, range(self.folds)))
        return np.column_stack([trees, self._parts(later)[:, 1:]])

    def _boost(self, X: pd.DataFrame, y: np.ndarray, groups: np.ndarray) -> tuple[str, int]:
        parameters = self._sized(len(y))

        def data(rows: np.ndarray, reference: lgb.Dataset | None = None) -> lgb.Dataset:
            return self._data(X.iloc[rows], parameters, y[rows], reference)

        fold = self._fold(groups)

        def held_out(k: int) -> list[float]:
            """Log loss on fold k after each tree."""
            learned: dict[str, dict[str, list[float]]] = {}
            training = data(np.flatnonzero(fold != k))
            lgb.train(
                parameters,
                training,
                self.rounds,
                valid_sets=[data(np.flatnonzero(fold == k), training)],
                callbacks=[lgb.early_stopping(self.patience, verbose=False), lgb.record_evaluation(learned)],
            )
            return learned["valid_0"]["binary_logloss"]

        # one thread a booster, folds side by side: LightGBM's own
        # threads wait for each other, which on a busy machine was eight times slower
        with ThreadPoolExecutor(self.threads) as pool:
            curves = list(pool.map(held_out, range(self.folds)))
        shortest = min(len(curve) for curve in curves)
        trees = int(np.argmin(np.mean([curve[:shortest] for curve in curves], axis=0))) + 1
        return lgb.train(parameters, data(np.arange(len(y))), trees).model_to_string(), trees

    def _habits(self, X: pd.DataFrame, y: np.ndarray) -> list[list[float]]:
        """Parameters fitted to the visits, and to the labels: the one extrapolates, the other fits the purpose."""
        if self.habit is None or not {self.habit[name] for name in HABIT} <= set(X.columns):
            return []
        visits = _visits(X, self.habit)
        known = _known(visits)
        if len(known) == 0:
            return []
        visits = visits.sample(known)
        by_visits, by_labels = fit_visits(visits), fit_labels(visits, y[known], self.habit["horizon"])
        return [by_visits.tolist(), by_labels.tolist()]


def least_child_samples(rows: int, parameters: Mapping[str, Any]) -> int:
    """Rows in the smallest leaf: leaves of 200 are too coarse for few rows, about a hundred leaves must be possible."""
    return int(max(min(rows // 100, parameters["min_child_samples"]), min(10, parameters["min_child_samples"])))


def habit_logit(X: pd.DataFrame, habit: Mapping[str, Any], parameters: np.ndarray) -> np.ndarray:
    """Logit of silence, float64[n]; 0 where a column is null."""
    visits = _visits(X, habit)
    known = _known(visits)
    logit = np.zeros(len(X))
    logit[known] = silence(parameters, visits.sample(known), habit["horizon"])
    return logit


def _known(visits: Visits) -> np.ndarray:
    return np.flatnonzero(np.isfinite(visits.repeats + visits.age + visits.last))


def _visits(X: pd.DataFrame, habit: Mapping[str, Any]) -> Visits:
    active_days, recency, tenure = (X[habit[name]].to_numpy(np.float64) for name in HABIT)
    return Visits.of(active_days, recency, tenure, habit["span"])


@lru_cache(maxsize=8)
def _booster(text: str) -> lgb.Booster:
    return lgb.Booster(model_str=text)


def _stack(parts: np.ndarray, y: np.ndarray, prior: np.ndarray, hold: float = 1e-3) -> np.ndarray:
    """Intercept and non-negative weights of least log loss, held lightly at `prior`."""

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score = weights[0] + parts @ weights[1:]
        away = weights[1:] - prior
        slack = sigmoid(score) - y
        value = np.mean(np.logaddexp(0, score) - y * score) + hold * away @ away
        return float(value), np.concatenate([[slack.mean()], parts.T @ slack / len(y) + 2 * hold * away])

    bounds = [(None, None), *[(0.0, None)] * len(prior)]
    return minimize(loss, np.concatenate([[0.0], prior]), jac=True, method="L-BFGS-B", bounds=bounds).x
