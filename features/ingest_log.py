"""Files into one of history's logs beside interactions, attributes or identifiers: all or nothing, every row told."""

import heapq
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.daylog import DayLog, Writer
from features.history import Receipt
from features.ingest import Ingested, SourceReceipt, Tick
from features.sources import streams, values
from features.sources.chunks import Chunk
from features.sources.complaints import Complaints
from features.sources.files import ENOUGH_TO_JUDGE, open_reader
from features.sources.mapping import Format, listed
from features.sources.quarantine import Quarantine, digest
from features.tombstones import ERASED, Graveyard, Tombstones
from features.workspace import Workspace, WorkspaceError


@dataclass(frozen=True)
class Kind:
    """What a file holds: `row` is what one of its rows is, `need` says which columns it must have and why.

    `read(chunk, columns, now)` makes a table of a chunk, and says what is wrong with which row; `conform` completes
    those that fit. `whole` names a column that a nested object's fields stand for.
    """

    row: str
    needed: tuple[str, ...]
    need: str
    read: Callable[[Chunk, Sequence[str], int], tuple[pa.Table, Complaints]]
    conform: Callable[[pa.Table], pa.Table]
    whole: str | None = None


def ingest(workspace: Workspace, log: DayLog, kind: Kind, paths: Sequence[Path], tick: Tick | None = None) -> Ingested:
    """Reads files into a log as one batch: all of them, or none where one cannot be read.

    `tick(path, rows)` is told of progress. Raises WorkspaceError in one line that says which file, why, what to do.
    """
    for path in paths:
        streams.head(path)
    with ExitStack() as stack:
        batch = stack.enter_context(log.writer(", ".join(path.name for path in paths)))
        done, refusals = [], []
        buried = Graveyard(workspace).tombstones()
        for path in paths:
            refused = Quarantine(workspace.quarantine, path.name, digest(path))
            stack.callback(refused.discard)
            done.append(_read(path, kind, batch, refused, workspace.clock().now(), buried, tick))
            refusals.append(refused)
        for refused in refusals:  # before the batch: a kill between the two leaves a file too many, no row too few
            refused.commit()
        batch.notes = {"sources": [{"source": each.source, **asdict(each.receipt)} for each in done]}
    return Ingested(tuple(done))


def instants(chunk: Chunk, name: str, complaints: Complaints) -> pa.Array:
    """A column of ISO instants, UTC where none says otherwise."""
    found, (bad, reason) = values.instants(chunk.column(name), (), "UTC", values.NULLS)
    complaints.add(bad, name, lambda row: reason(row).partition("; in the map")[0].partition("; name its")[0])
    return found


def words(chunk: Chunk, name: str, complaints: Complaints) -> pa.Array:
    """A column of text."""
    found, broken = values.text(chunk.column(name))
    complaints.add(broken, name, lambda _row: "holds bytes that are not in the file's encoding")
    return found


def _read(path: Path, kind: Kind, batch: Writer, refused: Quarantine, now: int, buried: Tombstones,
          tick: Tick | None) -> SourceReceipt:  # fmt: skip
    reader = open_reader(path, Format())
    missing = [name for name in kind.needed if name not in reader.columns]
    if missing:
        raise WorkspaceError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has {listed(reader.columns)}."
            f" {kind.need}; rename or add them"
        )
    nested = any(name.startswith(f"{kind.whole}.") for name in reader.columns)
    wanted = [*reader.columns, *([kind.whole] if nested and kind.whole else [])]
    total, first = Receipt(), True
    for chunk in reader.chunks(wanted):
        table, complaints = kind.read(chunk, reader.columns, now)
        wrong = complaints.everywhere() if first else None
        if wrong is not None and chunk.rows >= ENOUGH_TO_JUDGE:  # it is the file that does not fit
            raise WorkspaceError(f"{path}: no row of the first {chunk.rows:,} is {kind.row}; {wrong[0]}: {wrong[1]}")
        first = False
        gone = buried.rows(table)
        _refuse(chunk, complaints, refused, gone)
        good = kind.conform(table.filter(pa.array(~(complaints.bad | gone))))
        fresh, bad = int(batch.add(good).sum()), table.num_rows - good.num_rows
        received = table.num_rows + len(chunk.damaged)
        total += Receipt(received, fresh, good.num_rows - fresh, bad + len(chunk.damaged))
        if tick is not None:
            tick(str(path), received)
    if first:
        raise WorkspaceError(f"{path} has no rows")
    reasons = tuple(sorted(refused.summary.values(), key=lambda kind: -kind.rows))
    return SourceReceipt(str(path), total, refused.path if refused.rows else None, reasons)


def _refuse(chunk: Chunk, complaints: Complaints, refused: Quarantine, gone: np.ndarray) -> None:
    """`gone` are rows of erased customers, bool[n]: refused without their content."""
    told = [
        (int(chunk.positions[row]), ERASED if gone[row] else complaints.of(int(row)), None if gone[row] else row)
        for row in np.flatnonzero(complaints.bad | gone)
    ]
    for position, reason, found in heapq.merge(told, chunk.damaged, key=lambda bad: bad[0]):
        refused.add(position, reason, chunk.raw(int(found)) if isinstance(found, np.integer) else found)
