"""What a learner returns: a function from inputs to effects, small enough to be written as JSON and served elsewhere.

A form says its effect in arrays and nothing of how it was fitted. All forms here are weighted sums of scores (a line,
a sum of trees), which is how `tables.py` lays them out for compiled code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from serving.decisions.effects import tables


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


class Part(NamedTuple):
    """One score of the sum that a form is: a line's weights (intercept first), or a LightGBM model as text."""

    weight: float
    score: tuple[float, ...] | str
    logistic: bool = False


@dataclass(frozen=True)
class Constant:
    """The same effect for everyone."""

    value: float
    error: float

    def effect(self, inputs: np.ndarray) -> np.ndarray:
        return np.full(len(inputs), self.value)

    def standard_error(self, inputs: np.ndarray) -> np.ndarray | None:
        return np.full(len(inputs), self.error)

    def parts(self) -> list[Part]:
        return [Part(1.0, (self.value,))]

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
        return tables.evaluated(self.parts(), inputs)

    def standard_error(self, inputs: np.ndarray) -> np.ndarray | None:
        if self.covariance is None:
            return None
        design = np.column_stack([np.ones(len(inputs)), inputs])
        return np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design))

    def parts(self) -> list[Part]:
        both = [Part(1.0, tuple(self.treated.tolist()), self.logistic)]
        if self.control is not None:
            both.append(Part(-1.0, tuple(self.control.tolist()), self.logistic))
        return both

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
        return tables.evaluated(self.parts(), inputs)

    def standard_error(self, inputs: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        return None

    def parts(self) -> list[Part]:
        both = [Part(1.0, self.treated, tables.logistic(self.treated))]
        if self.control is not None:
            both.append(Part(-1.0, self.control, tables.logistic(self.control)))
        return both

    def as_dict(self) -> dict[str, Any]:
        return {"form": "trees", **asdict(self)}


@dataclass(frozen=True)
class Blend:
    """A weighted sum of other effects."""

    inner: Sequence[Effects]
    weights: Sequence[float]

    def effect(self, inputs: np.ndarray) -> np.ndarray:
        found = np.zeros(len(inputs))
        for weight, one in zip(self.weights, self.inner, strict=True):
            found += weight * one.effect(inputs)
        return found

    def standard_error(self, inputs: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        return None

    def parts(self) -> list[Part]:
        return [
            part._replace(weight=weight * part.weight)
            for weight, one in zip(self.weights, self.inner, strict=True)
            for part in parts(one)
        ]

    def as_dict(self) -> dict[str, Any]:
        inner = [one.as_dict() for one in self.inner]
        return {"form": "blend", "weights": [float(weight) for weight in self.weights], "parts": inner}


#: From `as_dict` to effects.
Reader = Callable[[Mapping[str, Any]], Effects]


def parts(effects: Effects) -> list[Part]:
    """The sum that these effects are; ValueError where they are of a form that is not served."""
    if isinstance(effects, Constant | Linear | Trees | Blend):
        return effects.parts()
    raise ValueError(f"effects of the form {effects.as_dict()['form']!r} are not served")


def read(told: Mapping[str, Any], others: Mapping[str, Reader] | None = None) -> Effects:
    """From `as_dict`; `others` read the forms that are not known here. ValueError, KeyError, TypeError where none is.

    Numbers are read as numbers: what is no finite one is no effect.
    """
    form = told["form"]
    if form == "constant":
        return Constant(float(told["value"]), float(told["error"]))
    if form == "linear":
        arrays = {name: None if told[name] is None else _array(told[name]) for name in ("control", "covariance")}
        return Linear(_array(told["treated"]), logistic=bool(told["logistic"]), **arrays)
    if form == "trees":
        return Trees(told["treated"], told["control"])
    if form == "blend":
        return Blend([read(part, others) for part in told["parts"]], [float(weight) for weight in told["weights"]])
    if others is not None and form in others:
        return others[form](told)
    raise ValueError(f"there are no effects of the form {form!r}")


def _array(values: Sequence[Any]) -> np.ndarray:
    return np.array(values, np.float64)
