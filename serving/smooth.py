"""The smooth part of a score: terms of single features, and what a habit of visiting says, as compiled code."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from features.kernel.jit import inlined
from features.workspace import WorkspaceError

IDENTITY, LOG1P, LEVELS, HABIT = 0, 1, 2, 3
_GONE = 50.0
_HABIT_COLUMNS = ("active_days", "recency", "tenure")
_HABIT_NUMBERS = ("horizon", "r", "alpha", "a", "b", "weight")


@dataclass(frozen=True)
class Terms:
    """Flat tables, one entry a term; knots and values lie end to end. A column below 0 is the action's `~column`."""

    columns: np.ndarray
    form: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    knots: np.ndarray
    values: np.ndarray
    null: np.ndarray

    def tables(self) -> tuple[np.ndarray, ...]:
        """What `add_terms` reads, of 64-bit numbers, in its order."""
        return self.columns, self.form, self.start, self.stop, self.knots, self.values, self.null


def read(
    terms: Sequence[Mapping[str, Any]],
    features: Sequence[str],
    categorical: Collection[str],
    of_action: Mapping[int, int],
) -> Terms:
    """Flattens the terms; the forms are those of training/artefact.py. `of_action`: see serving/trees.py."""

    def place(name: str) -> int:
        column = features.index(name)
        return ~of_action[column] if column in of_action else column

    where: list[tuple[int, int, int]] = []
    form, start, stop, null = [], [], [], []
    knots: list[float] = []
    values: list[float] = []
    for term in terms:
        start.append(len(values))
        null.append(float(term["null"]))
        if "habit" in term:
            habit = term["habit"]
            where.append((*(place(habit[name]) for name in _HABIT_COLUMNS),))  # type: ignore[arg-type]
            form.append(HABIT)
            numbers = [habit["span"], *(term[name] for name in _HABIT_NUMBERS)]
            values += numbers
            knots += [0.0] * len(numbers)
        else:
            k = place(term["feature"])
            where.append((k, k, k))
            if ("levels" in term) != (term["feature"] in categorical):
                raise WorkspaceError(f"the model treats {term['feature']} as a number and as a category: retrain it")
            if "levels" in term:
                form.append(LEVELS)
                values += [*term["levels"].values(), term["other"]]
                knots += [0.0] * (len(term["levels"]) + 1)
            else:
                form.append({"identity": IDENTITY, "log1p": LOG1P}[term["transform"]])
                values += term["values"]
                knots += term["knots"]
        stop.append(len(values))
    return Terms(
        np.array(where, dtype=np.int64).reshape(len(where), 3),
        np.array(form, dtype=np.int64),
        np.array(start, dtype=np.int64),
        np.array(stop, dtype=np.int64),
        np.array(knots, dtype=np.float64),
        np.array(values, dtype=np.float64),
        np.array(null, dtype=np.float64),
    )


@njit(nogil=True)
def of_actions(actions: Any, which: Any, columns: Any, form: Any, start: Any, stop: Any, knots: Any, values: Any,
               null: Any) -> Any:  # fmt: skip
    """For `add_terms`: float64[terms, m], the terms that ask about the action alone; what others hold is no matter."""
    parts = np.empty((columns.shape[0], which.shape[0]))
    for term in range(columns.shape[0]):
        if columns[term, 0] < 0 and columns[term, 1] < 0 and columns[term, 2] < 0:
            for j in range(which.shape[0]):
                action = actions[which[j]]
                parts[term, j] = _term(action, action, term, columns, form, start, stop, knots, values, null)
    return parts


@njit(nogil=True)
def add_terms(row: Any, actions: Any, which: Any, columns: Any, form: Any, start: Any, stop: Any, knots: Any,
              values: Any, null: Any, parts: Any, out: Any) -> None:  # fmt: skip
    """Adds the terms of a row with each of actions[which] to `out`, in their order; `parts` is what `of_actions` gave
    for the same `which`, whatever the row. A categorical column holds its code.

    Numeric terms interpolate between knots[start:stop] and are constant beyond them, as np.interp; categorical ones
    look their code up in values[start:stop]; a habit reads three columns and finds its numbers there.
    """
    m = which.shape[0]
    for term in range(columns.shape[0]):
        first, second, third = columns[term, 0] < 0, columns[term, 1] < 0, columns[term, 2] < 0
        if not (first or second or third):
            part = _term(row, row, term, columns, form, start, stop, knots, values, null)
            for j in range(m):
                out[j] += part
        elif first and second and third:
            for j in range(m):
                out[j] += parts[term, j]
        else:
            for j in range(m):
                out[j] += _term(row, actions[which[j]], term, columns, form, start, stop, knots, values, null)


@inlined
def _term(row: Any, action: Any, term: Any, columns: Any, form: Any, start: Any, stop: Any, knots: Any, values: Any,
          null: Any) -> Any:  # fmt: skip
    v = _value(row, action, columns[term, 0])
    if form[term] == HABIT:
        recency, tenure = _value(row, action, columns[term, 1]), _value(row, action, columns[term, 2])
        return _habit(v, recency, tenure, values, start[term], null[term])
    if np.isnan(v):
        return null[term]
    if form[term] == LEVELS:
        return values[start[term] + int(v)]
    if form[term] == LOG1P:
        v = np.log1p(v) if v >= 0.0 else -np.log1p(-v)
    return _interpolated(v, knots, values, start[term], stop[term] - 1)


@inlined
def _value(row: Any, action: Any, column: Any) -> Any:
    return row[column] if column >= 0 else action[~column]


@inlined
def _interpolated(v: Any, knots: Any, values: Any, left: Any, right: Any) -> Any:
    """Between the knots from `left` to `right`, both included."""
    if v <= knots[left]:
        return values[left]
    if v >= knots[right]:
        return values[right]
    while right - left > 1:
        middle = (left + right) // 2
        if knots[middle] <= v:
            left = middle
        else:
            right = middle
    slope = (values[left + 1] - values[left]) / (knots[left + 1] - knots[left])
    return slope * (v - knots[left]) + values[left]


@inlined
def _habit(active_days: Any, recency: Any, tenure: Any, numbers: Any, at: Any, null: Any) -> Any:
    """Weight times the logit that BG/NBD gives to silence over the horizon; formula in training/artefact.py."""
    if np.isnan(active_days) or np.isnan(recency) or np.isnan(tenure):
        return null
    span, horizon, r, alpha = numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]
    a, b, weight = numbers[at + 4], numbers[at + 5], numbers[at + 6]
    repeats = max(active_days - (1.0 if tenure <= span else 0.0), 0.0)
    age = min(tenure, span)
    last = max(age - recency, 0.0) if repeats > 0.0 else 0.0
    shape = r + repeats
    gone = -_GONE
    if repeats > 0.0:
        gone = np.log(a / (b + max(repeats, 1.0) - 1.0)) + shape * (np.log(alpha + age) - np.log(alpha + last))
        gone = min(gone, _GONE)
    quiet = shape * (np.log(alpha + age) - np.log(alpha + age + horizon))
    either = max(gone, quiet) + np.log1p(np.exp(-abs(gone - quiet)))
    return weight * (either - np.log(-np.expm1(quiet)))
