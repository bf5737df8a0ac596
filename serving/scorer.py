"""A champion model compiled for one-row speed, from the artefact that training/artefact.py describes.

The same compiled code scores one customer with a handful of candidates in the service and a million customers in
batch, so that both give the same numbers to the last bit.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from features.workspace import WorkspaceError
from serving import grid, smooth, trees

FORMAT = 1
_FIRST = np.zeros(1, np.int64)
Action = Mapping[str, Any]


@dataclass(frozen=True)
class Encoded:
    """Actions as a model reads them: [m, own columns] for the trees and for the smooth part."""

    booster: np.ndarray
    linear: np.ndarray

    @classmethod
    def stacked(cls, each: Sequence["Encoded"]) -> "Encoded":
        return cls(np.concatenate([one.booster for one in each]), np.concatenate([one.linear for one in each]))


class Known:
    """Actions that a model has encoded before: a table that only grows, and `rows`, by whatever names them."""

    def __init__(self, width: int) -> None:
        self.table = Encoded(np.empty((0, width)), np.empty((0, width)))
        self.rows: dict[Any, int] = {}
        self._kept: list[Any] = []
        self._lock = threading.Lock()

    def add(self, name: Any, kept: Any, encoded: Encoded) -> None:
        """`kept` is kept as long as the row, so that a name made of its id stays its own."""
        with self._lock:
            self._kept.append(kept)
            self.table = Encoded.stacked([self.table, encoded])
            self.rows[name] = len(self.table.booster) - 1  # last: others look without the lock


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
        link = {name: float(weight) for name, weight in artefact["link"].items()}
        self._booster = booster if link["booster"] != 0.0 else None
        self.features: list[str] = list(artefact["features"])
        terms = list(artefact["linear"]["terms"])
        self._columns = _columns(artefact, names, levels, terms)
        self._own = [column for column in self._columns if column.index < 0]
        of_action = {k: self._own.index(column) for k, column in enumerate(self._columns) if column.index < 0}
        categorical = [column.name for column in self._columns if column.labels is not None]
        self._check_booster()
        found = None if self._booster is None else trees.read(self._booster, of_action)
        self._asks_lightgbm = self._booster is not None and found is None
        self._of_action = of_action
        self._model = grid.packed(
            np.array([column.index for column in self._columns], np.int64),
            _tables([column.booster_code for column in self._columns]),
            _tables([column.linear_code for column in self._columns]),
            found,
            smooth.read(terms, self.features, categorical, of_action),
            (float(artefact["linear"]["intercept"]), link["intercept"], link["linear"], link["booster"]),
        )
        self._nobody = self.encode({})
        self.known = self.forgotten()

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
        return self.grid(np.atleast_2d(values), self.encode(action) if action else self._nobody, threads)[:, 0]

    def customer(self, values: np.ndarray) -> float:
        """The same of one feature vector [F], whatever the action."""
        return float(self.picked(values[np.newaxis], self._nobody, _FIRST)[0, 0])

    def actions(self, values: np.ndarray, actions: Sequence[Action]) -> np.ndarray:
        """Probabilities float64[m] for one feature vector [F] and m actions (dicts of the action's inputs)."""
        if not actions:
            return np.empty(0)
        return self.grid(np.atleast_2d(values), Encoded.stacked([self.encode(action) for action in actions]))[0]

    def encode(self, action: Action) -> Encoded:
        """One action as the model reads it, to be kept by who asks about it again."""
        pairs = np.array([_action_value(column, action) for column in self._own]).reshape(1, len(self._own), 2)
        return Encoded(np.ascontiguousarray(pairs[:, :, 0]), np.ascontiguousarray(pairs[:, :, 1]))

    def forgotten(self) -> Known:
        """An empty table of actions, kept in `known` so that it goes when the model goes."""
        return Known(len(self._own))

    def grid(self, values: np.ndarray, actions: Encoded, threads: int = 1) -> np.ndarray:
        """Probabilities float64[n, m] of n feature vectors [n, F] with each of m actions."""
        n, which = len(values), np.arange(len(actions.booster))
        if threads == 1 or n < 2 * threads:
            return self.picked(values, actions, which)
        edges = [n * k // threads for k in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:  # compiled code holds no lock
            parts = pool.map(lambda k: self.picked(values[edges[k] : edges[k + 1]], actions, which), range(threads))
            return np.concatenate(list(parts))

    def picked(self, values: np.ndarray, actions: Encoded, which: np.ndarray) -> np.ndarray:
        """The same with each of the actions in rows `which` int64[m]."""
        shape = (len(values), len(which))
        raw, out = np.zeros(shape), np.empty(shape)
        values = np.ascontiguousarray(values, dtype=np.float64)
        if self._asks_lightgbm:
            self._ask_lightgbm(values, actions, which, raw)
        grid.probabilities(values, self._model, actions.booster, actions.linear, which, raw, out)
        return out

    def _ask_lightgbm(self, values: np.ndarray, actions: Encoded, which: np.ndarray, raw: np.ndarray) -> None:
        assert self._booster is not None
        rows = grid.gathered(values, self._model)
        for j, action in enumerate(which):
            for column, place in self._of_action.items():
                rows[:, column] = actions.booster[action, place]
            raw[:, j] = self._booster.predict(rows, raw_score=True, num_threads=1)

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


def _tables(codes: Sequence[np.ndarray | None]) -> grid.Codes:
    """A column without a table starts where it stops."""
    lengths = np.array([0 if table is None else len(table) for table in codes], np.int64)
    stop = np.cumsum(lengths)
    found = [table for table in codes if table is not None]
    return np.concatenate(found) if found else np.zeros(0), stop - lengths, stop
