"""Training sets: (customer, cutoff) pairs, features as of the cutoff, labels from the horizon after it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features import physical
from features.batch import FeatureMatrix
from features.catalogue import Catalogue
from features.clock import DAY
from features.hashing import hash_strings
from features.history import History
from features.identity.links import ERASE
from features.past import Past
from features.workspace import Settings, Workspace, WorkspaceError
from training.labels import micros
from training.windows import Windows

#: What labels read beside what features do; the rest of an interaction stays on disk.
COLUMNS = ("decision_id", "action")

Compute = Callable[[Past, Any, np.ndarray, Catalogue, Settings], FeatureMatrix]


@dataclass(frozen=True)
class Part:
    """Rows of one window: row i is customer[i] as of as_of[i] (microseconds), label[i] what came of it (0 or 1)."""

    customer: np.ndarray
    as_of: np.ndarray
    label: np.ndarray
    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class Dataset:
    """Three windows in time, an embargo of one horizon between them, whose own rows
    only the final refit sees; `categories` are the text columns of frames.

    `made_from` is what of the workspace it was made from, as a run puts it down: `data`, the batches of history by log,
    and `actions`; empty where it was made from something else.

    `newest`, where there is such a window, has labels of the horizon's first `Windows.early_days`, and `early` has them
    for each row of `calibration`: what is known of the newest weeks when training ends.
    """

    kind: str
    training: Part
    embargo: Part
    calibration: Part
    test: Part
    windows: Windows
    horizon_days: int
    catalogue: Catalogue
    categories: tuple[str, ...]
    action_features: tuple[str, ...]
    fingerprint: str
    newest: Part | None = None
    early: np.ndarray | None = None
    made_from: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, Part]:
        names = ("training", "embargo", "calibration", "newest", "test")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@dataclass(frozen=True)
class Pairs:
    """Whom to look at and when, before features are computed. `customer` holds ids."""

    customer: np.ndarray
    as_of: np.ndarray
    label: np.ndarray

    def at_most(self, rows: int, seed: int) -> "Pairs":
        """A random sample of pairs, in the old order, where there are more: every cutoff and customer may appear."""
        if len(self.label) <= rows:
            return self
        keep = np.sort(np.random.default_rng(seed).choice(len(self.label), rows, replace=False))
        return Pairs(self.customer[keep], self.as_of[keep], self.label[keep])


def read(workspace: Workspace) -> Past:
    """The workspace's interactions in the columns that training needs, and what is known of customers beside them.

    Raises WorkspaceError where there are none.
    """
    past = History(workspace).past(columns=COLUMNS)
    if past.interactions.num_rows == 0:
        raise WorkspaceError(f"{workspace.history} holds no interactions yet; run `tactful ingest FILE` first")
    return past


def assemble(
    kind: str,
    past: Past,
    settings: Settings,
    chosen: dict[str, Pairs],
    windows: Windows,
    catalogue: Catalogue,
    compute: Compute,
    extra: dict[str, pd.DataFrame] | None = None,
    early: np.ndarray | None = None,
) -> Dataset:
    """Computes the features of all pairs at once. `extra` holds the action's columns for each part, if any."""
    for name, pairs in chosen.items():
        if name not in ("embargo", "newest"):
            _both_outcomes(kind, name, pairs.label)
    customers = np.concatenate([pairs.customer for pairs in chosen.values()])
    as_of = np.concatenate([pairs.as_of for pairs in chosen.values()])
    frame = plain(compute(past, customers, as_of, catalogue, settings).to_pandas())
    parts: dict[str, Any] = {}
    start = 0
    for name, pairs in chosen.items():
        mine = frame.iloc[start : start + len(pairs.label)].reset_index(drop=True)
        start += len(pairs.label)
        if extra is not None:
            mine = pd.concat([mine, plain(extra[name]).reset_index(drop=True)], axis=1)
        parts[name] = Part(pairs.customer, pairs.as_of, pairs.label.astype(float), mine)
    return Dataset(
        kind,
        **parts,
        windows=windows,
        horizon_days=windows.horizon // DAY,
        catalogue=catalogue,
        categories=text_columns(parts["training"].frame),
        action_features=tuple(extra["training"].columns) if extra is not None else (),
        fingerprint=fingerprint(past, catalogue, windows),
        early=None if early is None else early.astype(float),
    )


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as float64, labels as Python text, null as NaN in both: what feature-engine can tell apart."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column.dtype):
            columns[name] = column.to_numpy(np.float64)
        else:
            labels = column.astype(object)
            columns[name] = labels.where(labels.notna(), np.nan)
    return pd.DataFrame(columns, index=frame.index)


def text_columns(frame: pd.DataFrame) -> tuple[str, ...]:
    return tuple(str(name) for name in frame.columns if frame[name].dtype == object)


def fingerprint(past: Past, catalogue: Catalogue, windows: Windows) -> str:
    """The same for the same past in any order, the same catalogue and the same windows."""
    marks = [physical.ids(past.interactions)]
    for table, key in ((past.attributes, "record_id"), (past.links, "link_id")):
        if table is not None and table.num_rows:
            marks.append(hash_strings(table[key]))
    content = " ".join(
        f"{len(ids)} {int(np.add.reduce(ids, dtype=np.uint64))} {int(np.bitwise_xor.reduce(ids))}" for ids in marks
    )
    return hashlib.sha256(f"{content} {catalogue.version} {windows}".encode()).hexdigest()[:16]


def before(past: Past, cutoff: int) -> Past:
    """What was known at a cutoff: interactions that occurred before it, all received by it. An erasure always binds."""
    interactions = past.interactions
    seen = (micros(interactions["occurred_at"]) < cutoff) & (micros(interactions["received_at"]) <= cutoff)
    attributes, links = past.attributes, past.links
    if attributes is not None and attributes.num_rows:
        attributes = attributes.filter(pa.array(_stated(attributes, cutoff)))
    if links is not None and links.num_rows:
        erasing = np.array([op == ERASE for op in links["op"].to_pylist()], bool)
        links = links.filter(pa.array(_stated(links, cutoff) | erasing))
    return Past(interactions.filter(pa.array(seen)), attributes, links)


def _stated(table: pa.Table, cutoff: int) -> np.ndarray:
    """bool[n]: rows that were valid and received by then."""
    return (micros(table["valid_from"]) <= cutoff) & (micros(table["received_at"]) <= cutoff)


def _both_outcomes(kind: str, name: str, label: np.ndarray) -> None:
    if 0 < label.sum() < len(label):
        return
    what = {"churn": ("stayed away", "came back"), "propensity": ("responded", "did not respond")}[kind]
    found = "there is nobody" if len(label) == 0 else f"all {len(label):,} {what[0] if label[0] else what[1]}"
    raise WorkspaceError(
        f"the {kind} model needs both outcomes, but in the {name} window {found};"
        f" check `{kind}` in tactful.yaml (types and horizon_days) or ingest more interactions"
    )
