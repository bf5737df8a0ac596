"""What off-policy evaluation is given: what was answered, with which probability, and what came of it."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Feedback:
    """`n` answers among `k` choices each; silence is a choice like any other.

    `logging`, `target` float[n, k]: the probability of each choice under the policy that was played and under the one
    asked about; rows sum to 1. `action` int[n]: the choice that was drawn. `reward` float[n]: what came of it.
    `predicted` float[n, k]: the reward of each choice as a model expects it, fitted without that row. `path` float[n]:
    how much likelier the target policy was to get here at all (1: states as logged). `cluster` int[n]: rows of one
    customer hang together.

    Raises ValueError where shapes do not fit or a row's own answer has no probability.
    """

    logging: np.ndarray
    target: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    predicted: np.ndarray | None = None
    path: np.ndarray | None = None
    cluster: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = self.logging.shape
        if len(shape) != 2 or self.target.shape != shape:
            raise ValueError(f"`logging` and `target` are [n, k] both; found {shape} and {self.target.shape}")
        for name in ("action", "reward", "path", "cluster"):
            found = getattr(self, name)
            if found is not None and found.shape != shape[:1]:
                raise ValueError(f"`{name}` has one value a row: {shape[:1]}; found {found.shape}")
        if self.predicted is not None and self.predicted.shape != shape:
            raise ValueError(f"`predicted` is [n, k], {shape}; found {self.predicted.shape}")
        for name in ("logging", "target"):
            table = getattr(self, name)
            if (table < 0).any() or not np.allclose(table.sum(1), 1.0, atol=1e-6):
                raise ValueError(f"the rows of `{name}` are no distributions: each is >= 0 and sums to 1")
        if len(self) and not (self.taken(self.logging) > 0).all():
            raise ValueError("an answer was drawn with probability 0: the log does not say how it came about")

    def __len__(self) -> int:
        return len(self.action)

    def taken(self, table: np.ndarray) -> np.ndarray:
        """float[n]: of an [n, k] table what it says of the answer drawn."""
        return np.take_along_axis(table, self.action[:, None], axis=1)[:, 0]

    @cached_property
    def weight(self) -> np.ndarray:
        """float[n]: how much likelier the answer is under the target policy, in the state it was given in."""
        return self.taken(self.target) / self.taken(self.logging)

    def with_reward(self, reward: np.ndarray, predicted: np.ndarray | None = None) -> "Feedback":
        """The same answers, judged by another outcome."""
        return replace(self, reward=reward, predicted=predicted)
