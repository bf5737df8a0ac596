"""What many customers have under one name, as an array with marks for null and for no answer."""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Literal

import numpy as np

Kind = Literal["number", "int", "bool", "text", "null"]
NO = np.asarray(False)


class Unsupported(Exception):
    """Arrays cannot say what CEL would: ask row by row."""


class Missing(Enum):
    """In place of a value: this customer has no such name, which is not the same as a null."""

    HERE = "missing"


MISSING = Missing.HERE
Column = np.ndarray | Sequence[Any] | str | float | bool | None | Missing


class Vector:
    """One operand for every customer, or (of no dimension) the same for all.

    `null` marks nulls and `bad` what cannot be answered; `values` mean nothing there.
    """

    __slots__ = ("bad", "kind", "large", "null", "values")

    def __init__(self, kind: Kind, values: np.ndarray, null: np.ndarray = NO, bad: np.ndarray = NO) -> None:
        self.kind, self.values, self.null, self.bad = kind, values, null, bad
        self.large = kind == "int" and bool(np.any(np.abs(values) >= 2**53))

    @property
    def nulls(self) -> np.ndarray:
        return np.asarray(True) if self.kind == "null" else self.null

    def truth(self) -> tuple[np.ndarray, np.ndarray]:
        """Where it is true, and where it is false; neither where it has no answer, is null or no bool at all."""
        if self.kind != "bool":
            shape = np.broadcast_shapes(self.values.shape, self.bad.shape)
            return np.zeros(shape, bool), np.zeros(shape, bool)
        told = ~(self.null | self.bad)
        return self.values & told, ~self.values & told


def of(column: Column, rows: int) -> Vector:
    """Raises Unsupported where the values of a column are not all of one kind."""
    if isinstance(column, Missing):
        return Vector("null", np.asarray(0.0), bad=np.asarray(True))
    if column is None:
        return Vector("null", np.asarray(0.0), null=np.asarray(True))
    if isinstance(column, bool | int | float | str | np.generic):
        return _constant(column.item() if isinstance(column, np.generic) else column)
    if not isinstance(column, np.ndarray | Sequence):
        raise Unsupported
    if len(column) != rows:
        raise ValueError(f"a column of {len(column)} values beside {rows} customers")
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        values = column.astype(np.float64, copy=False)
        return Vector("number", values, null=np.isnan(values))
    if isinstance(column, np.ndarray) and column.dtype.kind in "bi":
        return Vector("bool" if column.dtype.kind == "b" else "int", column)
    return _listed(column.tolist() if isinstance(column, np.ndarray) else column)


def _constant(value: bool | int | float | str) -> Vector:
    if isinstance(value, bool):
        return Vector("bool", np.asarray(value))
    if isinstance(value, str):
        return Vector("text", np.asarray(value, dtype=object))
    if isinstance(value, int):
        if abs(value) >= 2**62:
            raise Unsupported
        return Vector("int", np.asarray(value, np.int64))
    return Vector("number", np.asarray(value, np.float64), null=np.asarray(value != value))


def _listed(values: Sequence[Any]) -> Vector:
    null = np.array([value is None for value in values], bool)
    bad = np.array([isinstance(value, Missing) for value in values], bool)
    kinds = {type(value) for value in values} - {type(None), Missing}
    if not kinds:
        return Vector("null", np.asarray(0.0), null=null, bad=bad)
    kind = kinds.pop()
    if kinds or kind not in (bool, int, float, str):
        raise Unsupported
    blank = kind()
    filled = [blank if value is None or isinstance(value, Missing) else value for value in values]
    if kind is str:
        return Vector("text", np.array(filled, dtype=object), null, bad)
    if kind is bool:
        return Vector("bool", np.array(filled, bool), null, bad)
    if kind is int:
        if any(abs(value) >= 2**53 for value in filled):
            raise Unsupported
        return Vector("int", np.array(filled, np.int64), null, bad)
    numbers = np.array(filled, np.float64)
    return Vector("number", numbers, null | np.isnan(numbers), bad)


def row(column: Column, i: int) -> Any:
    """One customer's value; NaN is null."""
    if isinstance(column, np.ndarray) or (isinstance(column, Sequence) and not isinstance(column, str)):
        column = column[i]
    value = column.item() if isinstance(column, np.generic) else column
    return None if isinstance(value, float) and value != value else value
