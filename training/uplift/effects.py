"""Forms of effects that campaign tables use: those that are served, and a causal forest, which is too large for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.decisions.effects import forms
from serving.decisions.effects.forms import Effects


@dataclass(frozen=True)
class Forest:
    """An honest causal forest in arrays: every tree's nodes in one row of numbers after the other.

    `start` [trees + 1] cuts the nodes into trees; `left` and `right` [nodes] count from the tree's start, -1 in leaves;
    inputs up to `threshold` go left. `moment` [nodes, 2] and `jacobian` [nodes, 2, 2] are the leaves' means: the effect
    is the first element of (sum of jacobians)^-1 (sum of moments) over the trees.
    Source: Athey, Tibshirani, Wager, Annals of Statistics 47 (2019); grown by econml's CausalForest.
    """

    start: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    moment: np.ndarray
    jacobian: np.ndarray

    def effect(self, inputs: np.ndarray) -> np.ndarray:
        rows = np.arange(len(inputs))
        moment, jacobian = np.zeros((len(inputs), 2)), np.zeros((len(inputs), 2, 2))
        for start in self.start[:-1]:
            node = np.full(len(inputs), start)
            while (inner := self.left[node] >= 0).any():
                low = inputs[rows, np.where(inner, self.feature[node], 0)] <= self.threshold[node]
                node = np.where(inner, start + np.where(low, self.left[node], self.right[node]), node)
            moment += self.moment[node]
            jacobian += self.jacobian[node]
        return np.linalg.solve(jacobian, moment[..., None])[:, 0, 0]

    def standard_error(self, inputs: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        return None

    def as_dict(self) -> dict[str, Any]:
        return {"form": "forest", **{name: array.tolist() for name, array in vars(self).items()}}


def read(told: Mapping[str, Any]) -> Effects:
    """From `as_dict`."""
    return forms.read(told, {"forest": _forest})


def _forest(told: Mapping[str, Any]) -> Forest:
    return Forest(**{name: np.array(values) for name, values in told.items() if name != "form"})
