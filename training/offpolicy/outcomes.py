"""What each choice would bring, as a model expects it; cross-fitted, so that no row is predicted by itself."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

FOLDS = 3


class OutcomeModel(Protocol):
    """Fitted to rewards of choices taken; predicts float[n, k] of all choices."""

    def fit(self, inputs: np.ndarray, action: np.ndarray, reward: np.ndarray, choices: int, /) -> None: ...

    def predict(self, inputs: np.ndarray, /) -> np.ndarray: ...


class Ridge:
    """One line for all choices, and of each choice what it adds: both held towards nothing, so that a rare choice is
    expected to bring what the average one does. Inputs may be missing (their mean)."""

    def __init__(self, penalty: float = 10.0) -> None:
        self.penalty = penalty

    def fit(self, inputs: np.ndarray, action: np.ndarray, reward: np.ndarray, choices: int, /) -> None:
        present = np.isfinite(inputs)
        count = np.maximum(present.sum(0), 1)
        known = np.where(present, inputs, 0.0)
        self.mean = known.sum(0) / count
        spread = np.sqrt((np.where(present, inputs - self.mean, 0.0) ** 2).sum(0) / count)
        self.spread = np.where(spread > 0, spread, 1.0)
        self.base, table = float(reward.mean()), self._table(inputs)
        self.common = _solved(table, reward - self.base, self.penalty)
        rest = reward - self.base - table @ self.common
        self.own = np.zeros((choices, table.shape[1]))
        for choice in range(choices):
            rows = action == choice
            if rows.any():
                self.own[choice] = _solved(table[rows], rest[rows], self.penalty)

    def predict(self, inputs: np.ndarray, /) -> np.ndarray:
        table = self._table(inputs)
        return self.base + (table @ self.common)[:, None] + table @ self.own.T

    def _table(self, inputs: np.ndarray) -> np.ndarray:
        scaled = (np.where(np.isfinite(inputs), inputs, self.mean) - self.mean) / self.spread
        return np.column_stack([np.ones(len(inputs)), np.clip(scaled, -5.0, 5.0)])


class Means:
    """Each choice's mean reward, held towards the mean of all; inputs play no part."""

    def __init__(self, weight: float = 10.0) -> None:
        self.weight = weight

    def fit(self, inputs: np.ndarray, action: np.ndarray, reward: np.ndarray, choices: int, /) -> None:  # noqa: ARG002
        count, total = np.bincount(action, minlength=choices), np.bincount(action, reward, choices)
        base = float(reward.mean())
        self.means = (total + self.weight * base) / (count + self.weight)

    def predict(self, inputs: np.ndarray, /) -> np.ndarray:
        return np.tile(self.means, (len(inputs), 1))


def predicted(
    inputs: np.ndarray,
    action: np.ndarray,
    reward: np.ndarray,
    choices: int,
    model: Callable[[], OutcomeModel] = Ridge,
    cluster: np.ndarray | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> np.ndarray:
    """float[n, k]: every row by a model that saw nothing of it, nor of its customer where `cluster` is given."""
    _, unit = np.unique(np.arange(len(action)) if cluster is None else cluster, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(int(unit.max(initial=-1)) + 1)[unit] % folds
    found = np.zeros((len(action), choices))
    for part in range(folds):
        here, rest = fold == part, fold != part
        if here.any() and rest.any():
            fitted = model()
            fitted.fit(inputs[rest], action[rest], reward[rest], choices)
            found[here] = fitted.predict(inputs[here])
    return found


def _solved(table: np.ndarray, reward: np.ndarray, penalty: float) -> np.ndarray:
    """The ridge's coefficients, the constant held as lightly as the rest."""
    gram = table.T @ table
    gram[np.diag_indices_from(gram)] += penalty
    return np.linalg.solve(gram, table.T @ reward)
