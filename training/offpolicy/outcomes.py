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
    expected to bring what the average one does. Inputs may be missing (their mean). Rows are read in blocks: a long log
    takes no more memory than it has itself."""

    def __init__(self, penalty: float = 10.0, block: int = 4_096) -> None:
        self.penalty, self.block = penalty, block

    def fit(self, inputs: np.ndarray, action: np.ndarray, reward: np.ndarray, choices: int, /) -> None:
        n, width = inputs.shape
        count, total, squares = (np.zeros(width) for _ in range(3))
        for rows in self._blocks(n):
            present = np.isfinite(inputs[rows])
            count += present.sum(0)
            total += np.where(present, inputs[rows], 0.0).sum(0)
        count = np.maximum(count, 1)
        self.mean = total / count
        for rows in self._blocks(n):
            squares += (np.where(np.isfinite(inputs[rows]), inputs[rows] - self.mean, 0.0) ** 2).sum(0)
        spread = np.sqrt(squares / count)
        self.spread = np.where(spread > 0, spread, 1.0)
        self.base = float(reward.mean())
        whole, own = _Normal(width + 1), [_Normal(width + 1) for _ in range(choices)]
        for rows in self._blocks(n):
            whole.add(self._table(inputs[rows]), reward[rows] - self.base)
        self.common = whole.solved(self.penalty)
        for rows in self._blocks(n):
            table, taken = self._table(inputs[rows]), action[rows]
            rest = reward[rows] - self.base - table @ self.common
            for choice in np.unique(taken).tolist():
                own[choice].add(table[taken == choice], rest[taken == choice])
        self.own = np.array([each.solved(self.penalty) for each in own])

    def predict(self, inputs: np.ndarray, /) -> np.ndarray:
        found = np.empty((len(inputs), len(self.own)))
        for rows in self._blocks(len(inputs)):
            table = self._table(inputs[rows])
            found[rows] = self.base + (table @ self.common)[:, None] + table @ self.own.T
        return found

    def _blocks(self, n: int) -> list[slice]:
        return [slice(start, start + self.block) for start in range(0, n, self.block)]

    def _table(self, inputs: np.ndarray) -> np.ndarray:
        scaled = (np.where(np.isfinite(inputs), inputs, self.mean) - self.mean) / self.spread
        return np.column_stack([np.ones(len(inputs)), np.clip(scaled, -5.0, 5.0)])


class _Normal:
    """The normal equations of a ridge, the constant held as lightly as the rest."""

    def __init__(self, width: int) -> None:
        self.gram, self.moment = np.zeros((width, width)), np.zeros(width)

    def add(self, table: np.ndarray, reward: np.ndarray) -> None:
        """Some more rows."""
        self.gram += table.T @ table
        self.moment += table.T @ reward

    def solved(self, penalty: float) -> np.ndarray:
        """The coefficients; 0 without rows."""
        return np.linalg.solve(self.gram + penalty * np.eye(len(self.moment)), self.moment)


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
