"""What the comparison of touchpoints costs most, kept: features of its rows, and the slopes that were found in them.

    reports/.partials/touchpoints_NAME.parquet    features of a customer as of an instant, a row each
    reports/.partials/touchpoints_NAME.json       slopes, under a digest of all that they were computed from

A feature as of an instant is made of days up to it: a row is as good as those are as they were, whatever came in since,
and one that is new is computed from its own customers' interactions.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features import catalogue as catalogues
from features.batch import compute_at
from features.clock import DAY
from features.daylog import locked
from features.history import History
from features.identity.links import erased
from features.identity.resolution import representatives
from features.kernel.jit import source_stamp
from features.tombstones import Graveyard, alone
from features.workspace import Workspace
from training.reports import keep
from training.reports.daily import marks
from training.reports.touchpoints.adjusted import Slope

#: Slopes by outcome and touchpoint, None where too few had it or had it not.
Slopes = list[list[Slope | None]]
#: Of more rows than this share that are new, all of history is read: it costs no more.
MANY = 0.25


def features(workspace: Workspace, name: str, customers: list[str], as_of: np.ndarray) -> np.ndarray:
    """float64[n, p]: features of customer i (any id of a person) as of as_of[i] (microseconds)."""
    path = _place(workspace, name, ".parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    history = History(workspace)
    with locked(path.with_suffix(".lock")):
        made_of = _made_of(workspace, history, as_of)
        kept, values = _read(path, len(catalogues.of(workspace)))
        wanted = pd.MultiIndex.from_arrays([customers, as_of, made_of])
        row = kept.get_indexer(wanted)
        new = np.flatnonzero(row < 0)
        found = np.empty((len(customers), values.shape[1]))
        found[row >= 0] = values[row[row >= 0]]
        if len(new):
            found[new] = _computed(workspace, history, [customers[i] for i in new], as_of[new], len(customers))
        if len(new) or len(kept) > len(customers):
            _write(workspace, path, pd.DataFrame({"customer_id": customers, "as_of": as_of, "made_of": made_of}), found)
    return found


def slopes(workspace: Workspace, name: str, of: list[np.ndarray], find: Callable[[], list[Slopes]]) -> list[Slopes]:
    """What `find` finds in some arrays, which it was given too; found once for the same arrays."""
    path, digest = _place(workspace, name, ".json"), hashlib.sha256(_CODE.read_bytes())
    for array in of:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    try:
        kept = json.loads(path.read_text())
        if kept["of"] == digest.hexdigest():
            return [[[one and Slope(**one) for one in each] for each in whole] for whole in kept["slopes"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = find()
    told = [[[one and asdict(one) for one in each] for each in whole] for whole in found]
    keep.text(path, json.dumps({"of": digest.hexdigest(), "slopes": told}))
    return found


#: Slopes are found by this file: edited, it finds others.
_CODE = Path(__file__).with_name("adjusted.py")


def _place(workspace: Workspace, name: str, suffix: str) -> Path:
    return workspace.reports / ".partials" / f"touchpoints_{name}{suffix}"


def _made_of(workspace: Workspace, history: History, as_of: np.ndarray) -> np.ndarray:
    """object[n]: a digest of all that features as of each instant are made of."""
    gone = hashlib.sha256("\n".join(sorted(erased(history.links()))).encode()).hexdigest()
    said = [catalogues.of(workspace).version, source_stamp(), workspace.settings.model_dump_json(), gone]
    chain = hashlib.sha256("\n".join(said).encode())
    logs = {kind: marks(history.logs[kind].days()) for kind in ("interactions", "attributes", "identifiers")}
    days = sorted(set().union(*logs.values()))
    digests = [chain.hexdigest()]
    for day in days:
        chain.update(f"{day}".encode())
        for kind, of in logs.items():
            chain.update(f"{kind}{of.get(day)}".encode())
        digests.append(chain.hexdigest())
    return np.array(digests, object)[np.searchsorted(days, as_of // DAY, side="right")]


def _read(path: Path, columns: int) -> tuple[pd.MultiIndex, np.ndarray]:
    """What is kept, by customer, instant and digest; nothing where it is of another number of columns, or damaged."""
    try:
        table = pq.read_table(path)
        bits = table["features"].combine_chunks()
        values = np.frombuffer(bits.buffers()[1], np.float64).reshape(-1, columns)[bits.offset :][: len(bits)]
        index = pd.MultiIndex.from_arrays([table[name].to_pandas() for name in ("customer_id", "as_of", "made_of")])
        if index.is_unique and bits.type.byte_width == 8 * columns:
            return index, values
    except (OSError, pa.ArrowInvalid, KeyError, ValueError, AttributeError):
        pass
    return pd.MultiIndex.from_arrays([[], [], []]), np.zeros((0, columns))


def _computed(
    workspace: Workspace, history: History, customers: list[str], as_of: np.ndarray, of: int
) -> np.ndarray:  # fmt: skip
    """float64[n, p] of rows that are not kept."""
    ids = None
    if len(customers) <= MANY * of:
        together = representatives(history.links(), workspace.settings)
        asked = {together.get(name, name) for name in customers}
        ids = sorted(asked | set(customers) | {name for name, first in together.items() if first in asked})
    past = history.past(int(as_of.max()) + 1, customers=ids)
    return compute_at(past, customers, as_of, catalogues.of(workspace), workspace.settings, workers=1).values


def _write(workspace: Workspace, path: Path, rows: pd.DataFrame, values: np.ndarray) -> None:
    """Whole or not at all; nothing of who was erased meanwhile."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    bits = pa.py_buffer(np.ascontiguousarray(values))
    kind = pa.binary(8 * values.shape[1])
    table = table.append_column("features", pa.Array.from_buffers(kind, len(values), [None, bits]))
    with alone(workspace):
        gone = Graveyard(workspace).tombstones().rows(table)
        if gone.any():
            table = table.filter(pa.array(~gone))
        own = path.with_suffix(".part")
        pq.write_table(table, own, compression="zstd")
        own.replace(path)
