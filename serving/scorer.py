"""A champion model compiled for one-row speed, from the artefact that training/artefact.py describes.

The same compiled code scores one customer with a handful of candidates in the service and a million customers in
batch, so that both give the same numbers to the last bit.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from numba import njit

from features.workspace import WorkspaceError

FORMAT = 1
IDENTITY, LOG1P, LEVELS, HABIT = 0, 1, 2, 3
_GONE = 50.0
_BOUND = 500.0  # |score| beyond this is 0 or 1 in float64 anyway; keeps exp from overflowing

_HABIT_COLUMNS = ("active_days", "recency", "tenure")
_HABIT_NUMBERS = ("horizon", "r", "alpha", "a", "b", "weight")

Action = Mapping[str, Any]


@njit(nogil=True)
def _linear(x, columns, form, start, stop, knots, values, null, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Adds every term of the smooth part to `out` [n]; `x` is [n, features], a categorical column holds its code.

    Numeric terms interpolate between knots[start:stop] and are constant beyond them, as np.interp; categorical ones
    look their code up in values[start:stop]; a habit reads three columns and finds its numbers there.
    """
    for row in range(x.shape[0]):
        total = 0.0
        for term in range(columns.shape[0]):
            lo, hi = start[term], stop[term]
            v = x[row, columns[term, 0]]
            if form[term] == HABIT:
                total += _habit(v, x[row, columns[term, 1]], x[row, columns[term, 2]], values[lo:hi], null[term])
            elif np.isnan(v):
                total += null[term]
            elif form[term] == LEVELS:
                total += values[lo + int(v)]
            else:
                if form[term] == LOG1P:
                    v = np.log1p(v) if v >= 0.0 else -np.log1p(-v)
                total += _interpolated(v, knots[lo:hi], values[lo:hi])
        out[row] += total


@njit(nogil=True)
def _interpolated(v, knots, values):  # type: ignore[no-untyped-def]  # pragma: no cover
    last = knots.shape[0] - 1
    if v <= knots[0]:
        return values[0]
    if v >= knots[last]:
        return values[last]
    left, right = 0, last
    while right - left > 1:
        middle = (left + right) // 2
        if knots[middle] <= v:
            left = middle
        else:
            right = middle
    slope = (values[left + 1] - values[left]) / (knots[left + 1] - knots[left])
    return slope * (v - knots[left]) + values[left]


@njit(nogil=True)
def _habit(active_days, recency, tenure, numbers, null):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Weight times the logit that BG/NBD gives to silence over the horizon; formula in training/artefact.py."""
    if np.isnan(active_days) or np.isnan(recency) or np.isnan(tenure):
        return null
    span, horizon, r, alpha, a, b, weight = numbers
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


@njit(nogil=True)
def _probability(score):  # type: ignore[no-untyped-def]  # pragma: no cover
    """1 / (1 + exp(-score)), in place."""
    for row in range(score.shape[0]):
        bounded = min(max(score[row], -_BOUND), _BOUND)
        score[row] = 1.0 / (1.0 + np.exp(-bounded))


@dataclass(frozen=True)
class Terms:
    """The smooth part as flat tables, one entry a term; knots and values lie end to end."""

    columns: np.ndarray
    form: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    knots: np.ndarray
    values: np.ndarray
    null: np.ndarray


@dataclass(frozen=True)
class Column:
    """Where an input comes from: feature `index` of the catalogue, or the action (index -1).

    `codes` maps the catalogue's level index to the model's two codes (booster, linear); `labels` the same for text.
    """

    name: str
    index: int
    booster_code: np.ndarray | None
    linear_code: np.ndarray | None
    labels: Mapping[str, tuple[float, float]] | None
    other: tuple[float, float]


class Scorer:
    """One model. `names` and `levels` describe the catalogue's feature vector that it will be given.

    Raises WorkspaceError where the artefact's format is unknown or it needs a feature that the catalogue lacks.
    """

    def __init__(
        self,
        artefact: Mapping[str, Any],
        booster: lgb.Booster | None,
        names: Sequence[str],
        levels: Mapping[str, Sequence[str] | None],
    ) -> None:
        if artefact.get("format") != FORMAT:
            raise WorkspaceError(
                f"the model's scorer.json has format {artefact.get('format')!r}, but {FORMAT} is expected: retrain it"
            )
        self.kind: str = artefact["kind"]
        self.horizon_days: int = artefact["horizon_days"]
        self.catalogue_version: str = artefact["catalogue_version"]
        self.run_id: str = artefact.get("mlflow_run_id", "")
        self.trained_at: str = artefact.get("trained_at", "")
        self.base_rate: float = artefact.get("base_rate", float("nan"))
        self._link = artefact["link"]
        self._booster = booster if self._link["booster"] != 0.0 else None
        self._intercept = float(artefact["linear"]["intercept"])
        self.features: list[str] = list(artefact["features"])
        terms = list(artefact["linear"]["terms"])
        self._columns = _columns(artefact, names, levels, terms)
        self._from_features = [(k, c) for k, c in enumerate(self._columns) if c.index >= 0]
        self._from_action = [(k, c) for k, c in enumerate(self._columns) if c.index < 0]
        plain = [(k, c.index) for k, c in self._from_features if c.booster_code is None]
        self._plain_to = np.array([k for k, _ in plain], dtype=np.intp)
        self._plain_from = np.array([index for _, index in plain], dtype=np.intp)
        self._terms = _terms(terms, self.features, self._columns)
        self._check_booster()

    @classmethod
    def load(cls, folder: Path, names: Sequence[str], levels: Mapping[str, Sequence[str] | None]) -> "Scorer":
        """Reads `scorer.json` and `model.txt`; WorkspaceError where they cannot be read."""
        try:
            artefact = json.loads((folder / "scorer.json").read_text(encoding="utf-8"))
            booster = lgb.Booster(model_file=str(folder / "model.txt"))
        except (OSError, ValueError, lgb.basic.LightGBMError) as error:
            raise WorkspaceError(f"{folder}: the model cannot be read ({error}): retrain it") from None
        return cls(artefact, booster, names, levels)

    def customers(self, values: np.ndarray, action: Action | None = None, threads: int = 1) -> np.ndarray:
        """Probabilities float64[n] for n feature vectors [n, F], all for the same action (None for churn)."""
        rows = np.atleast_2d(values)
        booster, linear = self._assemble(rows)
        for k, column in self._from_action:
            pair = _action_value(column, action or {})
            booster[:, k], linear[:, k] = pair
        return self._score(booster, linear, threads)

    def actions(self, values: np.ndarray, actions: Sequence[Action]) -> np.ndarray:
        """Probabilities float64[m] for one feature vector [F] and m actions (dicts of the action's inputs)."""
        if not actions:
            return np.empty(0)
        one_booster, one_linear = self._assemble(np.atleast_2d(values))
        booster, linear = one_booster.repeat(len(actions), axis=0), one_linear.repeat(len(actions), axis=0)
        for k, column in self._from_action:
            for row, action in enumerate(actions):
                booster[row, k], linear[row, k] = _action_value(column, action)
        return self._score(booster, linear, 1)

    def _assemble(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs of the booster and of the smooth part, [n, inputs] each; the action's columns are still empty."""
        booster = np.full((rows.shape[0], len(self._columns)), np.nan)
        booster[:, self._plain_to] = rows[:, self._plain_from]
        linear = booster.copy()
        for k, column in self._from_features:
            if column.booster_code is not None and column.linear_code is not None:
                level = rows[:, column.index]
                # NaN takes the last entry of the look-up table, which is NaN
                at = np.where(np.isnan(level), len(column.booster_code) - 1, level).astype(np.intp)
                booster[:, k], linear[:, k] = column.booster_code[at], column.linear_code[at]
        return booster, linear

    def _score(self, booster: np.ndarray, linear: np.ndarray, threads: int) -> np.ndarray:
        smooth = np.full(len(linear), self._intercept)
        t = self._terms
        _linear(linear, t.columns, t.form, t.start, t.stop, t.knots, t.values, t.null, smooth)
        score = self._link["intercept"] + self._link["linear"] * smooth
        if self._booster is not None:
            score += self._link["booster"] * self._booster.predict(booster, raw_score=True, num_threads=threads)
        _probability(score)
        return score

    def _check_booster(self) -> None:
        if self._booster is not None and self._booster.feature_name() != self.features:
            raise WorkspaceError(
                "the model's model.txt and scorer.json name different features, or in another order: retrain it"
            )


def _columns(
    artefact: Mapping[str, Any],
    names: Sequence[str],
    levels: Mapping[str, Sequence[str] | None],
    terms: Sequence[Mapping[str, Any]],
) -> list[Column]:
    position = {name: index for index, name in enumerate(names)}
    of_action = set(artefact["action_features"])
    lookup = {term["feature"]: list(term["levels"]) for term in terms if "levels" in term}
    lacking = [name for name in artefact["features"] if name not in of_action and name not in position]
    if lacking:
        raise WorkspaceError(
            f"the {artefact['kind']} model needs features that the catalogue no longer has ({', '.join(lacking[:5])}): "
            f"retrain it with `tactful train {artefact['kind']}`"
        )
    columns = []
    for name in artefact["features"]:
        index = -1 if name in of_action else position[name]
        category = artefact["categories"].get(name)
        if category is None:
            columns.append(Column(name, index, None, None, None, (np.nan, np.nan)))
            continue
        columns.append(_category(name, index, category, lookup.get(name, []), levels.get(name) or ()))
    return columns


def _category(
    name: str, index: int, category: Mapping[str, Any], listed: Sequence[str], levels: Sequence[str]
) -> Column:
    """Labels to codes; in the smooth part a label's code is its place in the term, one past them is `other`."""
    codes = {label: float(code) for label, code in category["codes"].items()}
    other = category["other"]
    other_code = np.nan if other is None else float(other)
    place = {label: float(at) for at, label in enumerate(listed)}
    beyond = float(len(listed))
    labels = {label: (codes.get(label, other_code), place.get(label, beyond)) for label in {*codes, *place}}
    pairs = [labels.get(label, (other_code, beyond)) for label in levels]
    return Column(
        name,
        index,
        np.array([*(pair[0] for pair in pairs), np.nan]),
        np.array([*(pair[1] for pair in pairs), np.nan]),
        labels,
        (other_code, beyond),
    )


def _action_value(column: Column, action: Action) -> tuple[float, float]:
    value = action.get(column.name)
    if value is None:
        return np.nan, np.nan
    if column.labels is None:
        return float(value), float(value)
    return column.labels.get(str(value), column.other)


def _terms(terms: Sequence[Mapping[str, Any]], features: Sequence[str], columns: Sequence[Column]) -> Terms:
    """Flattens the terms; the three forms are those of training/artefact.py."""
    where: list[tuple[int, int, int]] = []
    form, start, stop, null = [], [], [], []
    knots: list[float] = []
    values: list[float] = []
    for term in terms:
        start.append(len(values))
        null.append(float(term["null"]))
        if "habit" in term:
            habit = term["habit"]
            where.append((*(features.index(habit[name]) for name in _HABIT_COLUMNS),))  # type: ignore[arg-type]
            form.append(HABIT)
            numbers = [habit["span"], *(term[name] for name in _HABIT_NUMBERS)]
            values += numbers
            knots += [0.0] * len(numbers)
        else:
            k = features.index(term["feature"])
            where.append((k, k, k))
            if ("levels" in term) != (columns[k].labels is not None):
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
