"""A champion model compiled for one-row speed, from the artefact that training/artefact.py describes.

The same compiled code scores one customer with a handful of candidates in the service and a million customers in
batch, so that both give the same numbers to the last bit.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from numba import njit

from features.workspace import WorkspaceError
from serving import smooth, trees

FORMAT = 1
_BOUND = 500.0  # |score| beyond this is 0 or 1 in float64 anyway; keeps exp from overflowing

Action = Mapping[str, Any]


@njit(nogil=True)
def _gather(values, index, table, start, stop, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The model's columns [n, columns] from feature vectors; a category's level is looked up in table[start:stop].

    The last entry of a table stands for null. Columns of the action (index -1) are left alone.
    """
    for row in range(values.shape[0]):
        for k in range(index.shape[0]):
            if index[k] >= 0:
                v = values[row, index[k]]
                if stop[k] > start[k]:
                    v = table[stop[k] - 1] if np.isnan(v) else table[start[k] + np.int64(v)]
                out[row, k] = v


@njit(nogil=True)
def _probabilities(raw, smooth, intercept, linear, booster):  # type: ignore[no-untyped-def]  # pragma: no cover
    """1 / (1 + exp(-score)) into `smooth`, with score = intercept + linear x smooth part + booster x raw score."""
    for i in range(raw.shape[0]):
        for j in range(raw.shape[1]):
            score = intercept + linear * smooth[i, j]
            score += booster * raw[i, j]
            bounded = min(max(score, -_BOUND), _BOUND)
            smooth[i, j] = 1.0 / (1.0 + np.exp(-bounded))


@dataclass(frozen=True)
class Encoded:
    """Actions as a model reads them: [m, own columns] for the trees and for the smooth part."""

    booster: np.ndarray
    linear: np.ndarray

    @classmethod
    def stacked(cls, each: Sequence["Encoded"]) -> "Encoded":
        return cls(np.concatenate([one.booster for one in each]), np.concatenate([one.linear for one in each]))


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
        self.settings: Mapping[str, Any] = artefact.get("settings", {})
        self.run_id: str = artefact.get("mlflow_run_id", "")
        self.trained_at: str = artefact.get("trained_at", "")
        self.base_rate: float = artefact.get("base_rate", float("nan"))
        self.positives: Mapping[str, int] | None = artefact.get("positives")
        self._link = {name: float(weight) for name, weight in artefact["link"].items()}
        self._booster = booster if self._link["booster"] != 0.0 else None
        self._intercept = float(artefact["linear"]["intercept"])
        self.features: list[str] = list(artefact["features"])
        terms = list(artefact["linear"]["terms"])
        self._columns = _columns(artefact, names, levels, terms)
        self._own = [column for column in self._columns if column.index < 0]
        of_action = {k: self._own.index(column) for k, column in enumerate(self._columns) if column.index < 0}
        self._index = np.array([column.index for column in self._columns], np.int64)
        self._booster_codes = _tables([column.booster_code for column in self._columns])
        self._linear_codes = _tables([column.linear_code for column in self._columns])
        categorical = [column.name for column in self._columns if column.labels is not None]
        self._terms = smooth.read(terms, self.features, categorical, of_action)
        self._check_booster()
        self._trees = None if self._booster is None else trees.read(self._booster, of_action)
        self._of_action = of_action
        #: Actions encoded before, by whatever names them; kept here so that they go when the model goes.
        self.known: dict[Any, tuple[Any, Encoded]] = {}

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
        return self.grid(np.atleast_2d(values), self.encode(action or {}), threads)[:, 0]

    def actions(self, values: np.ndarray, actions: Sequence[Action]) -> np.ndarray:
        """Probabilities float64[m] for one feature vector [F] and m actions (dicts of the action's inputs)."""
        if not actions:
            return np.empty(0)
        return self.grid(np.atleast_2d(values), Encoded.stacked([self.encode(action) for action in actions]))[0]

    def encode(self, action: Action) -> Encoded:
        """One action as the model reads it, to be kept by who asks about it again."""
        pairs = np.array([_action_value(column, action) for column in self._own]).reshape(1, len(self._own), 2)
        return Encoded(np.ascontiguousarray(pairs[:, :, 0]), np.ascontiguousarray(pairs[:, :, 1]))

    def grid(self, values: np.ndarray, actions: Encoded, threads: int = 1) -> np.ndarray:
        """Probabilities float64[n, m] of n feature vectors [n, F] with each of m actions."""
        n = len(values)
        if threads == 1 or n < 2 * threads:
            return self._grid(values, actions)
        edges = [n * k // threads for k in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:  # compiled code holds no lock
            parts = pool.map(lambda k: self._grid(values[edges[k] : edges[k + 1]], actions), range(threads))
            return np.concatenate(list(parts))

    def _grid(self, values: np.ndarray, actions: Encoded) -> np.ndarray:
        shape = (len(values), len(actions.booster))
        out, raw = np.full(shape, self._intercept), np.zeros(shape)
        values = np.ascontiguousarray(values, dtype=np.float64)
        if self._booster is not None:
            rows = self._rows(values, self._booster_codes)
            if self._trees is not None:
                self._trees.add(rows, actions.booster, raw)
            else:
                for j in range(shape[1]):
                    for column, place in self._of_action.items():
                        rows[:, column] = actions.booster[j, place]
                    raw[:, j] = self._booster.predict(rows, raw_score=True, num_threads=1)
        if len(self._terms.form):
            self._terms.add(self._rows(values, self._linear_codes), actions.linear, out)
        _probabilities(raw, out, self._link["intercept"], self._link["linear"], self._link["booster"])
        return out

    def _rows(self, values: np.ndarray, codes: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        rows = np.empty((len(values), len(self._index)))
        _gather(values, self._index, *codes, rows)
        return rows

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


def _tables(codes: Sequence[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look-up tables end to end, and where each column's starts and stops; one without a table has none."""
    lengths = np.array([0 if table is None else len(table) for table in codes], np.int64)
    stop = np.cumsum(lengths)
    found = [table for table in codes if table is not None]
    return np.concatenate(found) if found else np.zeros(0), stop - lengths, stop
