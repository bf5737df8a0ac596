"""What a learner returns: a function from inputs to effects, small enough to be written as JSON and served elsewhere.

Five forms hold every learner here. A form says its effect in arrays and nothing of how it was fitted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol

import lightgbm as lgb
import numpy as np

from training.artefact import sigmoid


class Effects(Protocol):
    """The estimated effect of an arm against control, by customer, in units of the outcome."""

    def effect(self, inputs: np.ndarray) -> np.ndarray:
        """float64[n] from float64[n, p]."""
        ...

    def standard_error(self, inputs: np.ndarray) -> np.ndarray | None:
        """float64[n], or None where the learner knows none."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """The form, ready for JSON; `read` takes it back."""
        ...


@dataclass(frozen=True)
class Constant:
    """The same effect for everyone."""

    value: float
    error: float

    def effect(self, inputs: np.ndarray) -> np.ndarray:
        return np.full(len(inputs), self.value)

    def standard_error(self, inputs: np.ndarray) -> np.ndarray | None:
        return np.full(len(inputs), self.error)

    def as_dict(self) -> dict[str, Any]:
        return {"form": "constant", **asdict(self)}


@dataclass(frozen=True)
class Linear:
    """Difference of two linear predictions: g(treated . (1, x)) - g(control . (1, x)), g identity or logistic.

    `covariance` [p + 1, p + 1] is that of `treated` where control is nothing: a linear effect with errors.
    """

    treated: np.ndarray
    control: np.ndarray | None = None
    logistic: bool = False
    covariance: np.ndarray | None = None

    def effect(self, inputs: np.ndarray) -> np.ndarray:
        high = self._predicted(self.treated, inputs)
        return high if self.control is None else high - self._predicted(self.control, inputs)

    def _predicted(self, weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        score: np.ndarray = weights[0] + inputs @ weights[1:]
        return sigmoid(score) if self.logistic else score

    def standard_error(self, inputs: np.ndarray) -> np.ndarray | None:
        if self.covariance is None:
            return None
        design = np.column_stack([np.ones(len(inputs)), inputs])
        return np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design))

    def as_dict(self) -> dict[str, Any]:
        return {
            "form": "linear",
            "treated": self.treated.tolist(),
            "control": None if self.control is None else self.control.tolist(),
            "logistic": self.logistic,
            "covariance": None if self.covariance is None else self.covariance.tolist(),
        }


@dataclass(frozen=True)
class Trees:
    """Difference of two LightGBM boosters as text; without `control`, the one booster predicts the effect itself."""

    treated: str
    control: str | None = None

    def effect(self, inputs: np.ndarray) -> np.ndarray:
        high = _predicted(self.treated, inputs)
        return high if self.control is None else high - _predicted(self.control, inputs)

    def standard_error(self, inputs: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        return None

    def as_dict(self) -> dict[str, Any]:
        return {"form": "trees", **asdict(self)}


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


@dataclass(frozen=True)
class Blend:
    """A weighted sum of other effects."""

    parts: Sequence[Effects]
    weights: Sequence[float]

    def effect(self, inputs: np.ndarray) -> np.ndarray:
        found = np.zeros(len(inputs))
        for weight, part in zip(self.weights, self.parts, strict=True):
            found += weight * part.effect(inputs)
        return found

    def standard_error(self, inputs: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        return None

    def as_dict(self) -> dict[str, Any]:
        parts = [part.as_dict() for part in self.parts]
        return {"form": "blend", "weights": [float(weight) for weight in self.weights], "parts": parts}


@lru_cache(maxsize=64)
def _booster(text: str) -> lgb.Booster:
    return lgb.Booster(model_str=text)


def _predicted(text: str, inputs: np.ndarray) -> np.ndarray:
    return np.asarray(_booster(text).predict(inputs, num_threads=1))


def read(told: Mapping[str, Any]) -> Effects:
    """From `as_dict`."""
    form = told["form"]
    if form == "constant":
        return Constant(told["value"], told["error"])
    if form == "linear":
        arrays = {name: _array(told[name]) for name in ("control", "covariance")}
        return Linear(np.array(told["treated"]), logistic=told["logistic"], **arrays)
    if form == "trees":
        return Trees(told["treated"], told["control"])
    if form == "forest":
        return Forest(**{name: np.array(values) for name, values in told.items() if name != "form"})
    if form == "blend":
        return Blend([read(part) for part in told["parts"]], told["weights"])
    raise ValueError(f"there are no effects of the form {form!r}")


def _array(values: list[Any] | None) -> np.ndarray | None:
    return None if values is None else np.array(values)
