"""Decisions that were logged elsewhere (another system, the simulated market), into history's log of decisions.

A Parquet file in columns of features/decision_log.py; `decision_id`, `decided_at`, `customer_id` and `distribution` are
needed, others may lack. All rows are taken, but for those of customers who were erased, or none where one cannot be a
decision.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.decision_log import DECISIONS
from features.history import History, Receipt
from features.ingest import Tick
from features.tombstones import Graveyard
from features.workspace import Workspace, WorkspaceError

NEEDED = ("decision_id", "decided_at", "customer_id", "distribution")
#: How far a distribution may be from adding up to 1: single precision's last digits, over many cells.
_ROUNDING = 1e-4
_CHUNK = 1 << 16


def ingest_decisions(workspace: Workspace, paths: Sequence[Path], tick: Tick | None = None) -> Receipt:
    """Reads files into history's log as one batch. Raises WorkspaceError in one line: which file, why, what to do."""
    log, total = History(workspace).logs["decisions"], Receipt()
    buried = Graveyard(workspace).tombstones()
    with log.writer(", ".join(path.name for path in paths)) as batch:
        for path in paths:
            for first, chunk in _chunks(path):
                table = conform(chunk, path, first)
                kept = table.filter(pa.array(~buried.rows(table)))  # who was erased stays so
                fresh = int(batch.add(kept).sum())
                total += Receipt(len(table), fresh, len(kept) - fresh, len(table) - len(kept))
                if tick is not None:
                    tick(str(path), table.num_rows)
    return total


def conform(table: pa.Table, path: Path, first: int = 0) -> pa.Table:
    """The table in all columns of the log, checked; `first` is the number of its first row in the file."""
    try:
        columns = [
            table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
            for field in DECISIONS
        ]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise WorkspaceError(f"{path}: does not have the log's types: {str(error).splitlines()[0]}") from None
    found = pa.table(columns, schema=DECISIONS)
    for name in NEEDED:
        _refuse(found[name].is_null().to_numpy(), path, first, f"`{name}` is missing")
    lists = found["distribution"].combine_chunks()
    cells = lists.flatten()
    chance = np.nan_to_num(cells.field("probability").to_numpy(zero_copy_only=False), nan=-1.0)
    row = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    total = np.bincount(row, chance, len(found))
    negative = np.bincount(row, chance < 0, len(found)) > 0
    _refuse(negative | (np.abs(total - 1.0) > _ROUNDING), path, first, "`distribution` does not add up to 1")
    why = "what was drawn is not in its `distribution`, so nobody knows its chance"
    _refuse(np.bincount(row, chance * _drawn(found, cells, row), len(found)) <= 0, path, first, why)
    slots = pc.fill_null(found["slots"], 1)  # null says: written before there were columns
    return found.set_column(found.schema.get_field_index("slots"), DECISIONS.field("slots"), slots)


def _drawn(found: pa.Table, cells: pa.StructArray, row: np.ndarray) -> np.ndarray:
    """bool[cells]: those that a decision may have come from. Where nothing was made: silence or any ghost."""

    def word(column: pa.Array | pa.ChunkedArray) -> pa.Array:
        return pc.fill_null(column, "")

    of = pa.array(row)
    same = [
        pc.equal(word(cells.field(cell)), word(found[own].combine_chunks()).take(of))
        for cell, own in (("action", "action"), ("channel", "treatment_channel"))
    ]
    nothing = pc.or_(pc.fill_null(cells.field("ghost"), False), cells.field("action").is_null())
    made = found["action"].combine_chunks().is_valid().take(of)
    drawn = pc.if_else(made, pc.and_(pc.and_(*same), pc.invert(nothing)), nothing)
    return np.asarray(drawn.to_numpy(zero_copy_only=False))


def _chunks(path: Path) -> Iterator[tuple[int, pa.Table]]:
    """Tables of some rows each, with the number of the first."""
    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise WorkspaceError(f"{path}: no such file") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise WorkspaceError(
            f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}; decisions hold lists, write them so"
        ) from None
    missing = [name for name in NEEDED if name not in file.schema_arrow.names]
    if missing:
        raise WorkspaceError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; decisions are in the columns of"
            " features/decision_log.py, the whole distribution with each"
        )
    first = 0
    for part in file.iter_batches(_CHUNK):
        yield first, pa.Table.from_batches([part])
        first += part.num_rows


def _refuse(bad: np.ndarray, path: Path, first: int, why: str) -> None:
    if bad.any():
        row = first + int(np.flatnonzero(bad)[0])
        more = f" (and in {bad.sum() - 1:,} more)" if bad.sum() > 1 else ""
        raise WorkspaceError(f"{path}: row {row}{more}: {why}; nothing was ingested, correct the file")
