"""What a search is judged on: rows later than those learned from, of other customers.

Only the training window is looked at; calibration and test stay unseen. Its latest part is kept for one last question,
whether the winner is better than the defaults: a winner of many flatters itself on the rows that it won on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.clock import DAY, isoformat
from features.workspace import WorkspaceError
from training import pipeline
from training.dataset import Dataset, Part
from training.model import PARAMETERS, least_child_samples

#: Where later windows begin, as shares of the training rows in time order; the last one decides and is not searched on.
STARTS = (0.5, 0.65, 0.8)
#: Customers are dealt into so many hands; each later window is judged on each hand, by trees that learned the others.
HANDS = 3
#: Rows to learn from in one fold: more rank parameters no better and cost minutes.
MOST = 30_000
#: Rows of either label without which a window says nothing.
LEAST = 20


@dataclass(frozen=True)
class Fold:
    """Learned rows and later ones, as LightGBM reads them; `customer` are the later rows' ids."""

    learned: lgb.Dataset
    later: lgb.Dataset
    frame: np.ndarray
    label: np.ndarray
    customer: np.ndarray
    rows: int


def folds(dataset: Dataset, habit: Mapping[str, Any] | None) -> tuple[list[Fold], list[Fold]]:
    """(folds to search on, folds to decide on). WorkspaceError where the training window is too short to be split."""
    part = dataset.training
    starts = [int(np.quantile(part.as_of, share)) for share in STARTS]
    ends = [*starts[1:], int(part.as_of.max()) + 1]
    hand = _hands(part.customer)
    found = [_window(dataset, habit, hand, start, end) for start, end in zip(starts, ends, strict=True)]
    search = [fold for window in found[:-1] for fold in window]
    if not search or not found[-1]:
        first, last = isoformat(int(part.as_of.min()))[:10], isoformat(int(part.as_of.max()))[:10]
        raise WorkspaceError(
            f"the {dataset.kind} model's training window ({first} to {last}) is too short to tune on: its later parts"
            f" must hold at least {LEAST} rows of each outcome, {dataset.horizon_days} days after those learned from;"
            " ingest older interactions, or go without: `tactful train` works with the defaults"
        )
    return search, found[-1]


def loss_curve(fold: Fold, parameters: Mapping[str, Any], rounds: int, patience: int) -> list[float]:
    """Log loss on the later rows after each tree."""
    learned: dict[str, dict[str, list[float]]] = {}
    lgb.train(
        sized(parameters, fold.rows),
        fold.learned,
        rounds,
        valid_sets=[fold.later],
        callbacks=[lgb.early_stopping(patience, verbose=False), lgb.record_evaluation(learned)],
    )
    return learned["valid_0"]["binary_logloss"]


def losses(fold: Fold, parameters: Mapping[str, Any], trees: int) -> np.ndarray:
    """Log loss of each later row with so many trees, float64[n]."""
    booster = lgb.train(sized(parameters, fold.rows), fold.learned, trees)
    score = booster.predict(fold.frame, raw_score=True)
    return np.logaddexp(0, score) - fold.label * score


def sized(parameters: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """All of LightGBM's parameters for a fold."""
    complete = {**PARAMETERS, **parameters}
    return complete | {"min_child_samples": least_child_samples(rows, complete), "feature_pre_filter": False}


def _hands(customers: np.ndarray) -> np.ndarray:
    """int64[n]: the hand each row's customer was dealt to, the same in every run."""
    place = np.unique(customers, return_inverse=True)[1]
    return np.random.default_rng(0).permutation(place.max() + 1)[place] % HANDS


def _window(dataset: Dataset, habit: Mapping[str, Any] | None, hand: np.ndarray, start: int, end: int) -> list[Fold]:
    """One fold a hand: rows before `start`, their labels' horizon included, and rows of [start, end)."""
    part, horizon = dataset.training, dataset.horizon_days * DAY
    early, late = part.as_of + horizon <= start, (part.as_of >= start) & (part.as_of < end)
    chosen = [(_most(early & (hand != k), k), np.flatnonzero(late & (hand == k))) for k in range(HANDS)]
    if any(_few(part.label[rows]) for pair in chosen for rows in pair):
        return []
    return [_fold(dataset, habit, early_rows, late_rows) for early_rows, late_rows in chosen]


def _most(wanted: np.ndarray, seed: int) -> np.ndarray:
    rows = np.flatnonzero(wanted)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MOST])


def _few(label: np.ndarray) -> bool:
    return min(label.sum(), len(label) - label.sum()) < LEAST


def _fold(dataset: Dataset, habit: Mapping[str, Any] | None, early: np.ndarray, late: np.ndarray) -> Fold:
    """The pipeline's selections are learned from the early rows, too."""
    learned, later = _rows(dataset.training, early), _rows(dataset.training, late)
    selections = pipeline.selections(learned, dataset.categories, habit)
    frame = selections.fit_transform(learned.frame.set_axis(learned.as_of, axis=0), learned.label)
    after = selections.transform(later.frame)
    columns: Sequence[str] = [str(name) for name in frame.columns]
    texts = [name for name in dataset.categories if name in columns]
    data = lgb.Dataset(
        frame.to_numpy(np.float64), learned.label, feature_name=list(columns), categorical_feature=texts,
        params={**PARAMETERS, "feature_pre_filter": False}, free_raw_data=False,
    )  # fmt: skip
    values = after.to_numpy(np.float64)
    valid = lgb.Dataset(values, later.label, data, free_raw_data=False)
    return Fold(data, valid, values, later.label, later.customer, len(early))


def _rows(part: Part, rows: np.ndarray) -> Part:
    frame: pd.DataFrame = part.frame.iloc[rows].reset_index(drop=True)
    return Part(part.customer[rows], part.as_of[rows], part.label[rows], frame)
