"""Ingest: files and named data sets into history, all or nothing, with every row accounted for."""

import heapq
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.daylog import Writer
from features.history import History, Receipt, conform
from features.sources import contract, dataset, streams
from features.sources.complaints import Complaints
from features.sources.files import read
from features.sources.mapping import Map, load
from features.sources.quarantine import Quarantine, Refused, digest, sweep
from features.workspace import Workspace, WorkspaceError

Tick = Callable[[str, int], Any]


@dataclass(frozen=True)
class SourceReceipt:
    """What became of one file or data set; `quarantine` is where its bad rows are."""

    source: str
    receipt: Receipt
    quarantine: Path | None = None
    reasons: tuple[Refused, ...] = ()


@dataclass(frozen=True)
class Ingested:
    """What became of everything in one ingest; `total` adds up the sources."""

    sources: tuple[SourceReceipt, ...]

    @property
    def total(self) -> Receipt:
        return sum((source.receipt for source in self.sources), Receipt())


def ingest_files(workspace: Workspace, paths: Sequence[Path], map_path: Path | None = None, tick: Tick | None = None,
                 ) -> Ingested:  # fmt: skip
    """Reads files into history as one batch: all of them, or none where one cannot be read.

    `tick(path, rows)` is told of progress. Raises WorkspaceError in one line that says which file, why, what to do.
    """
    plan = None if map_path is None else load(map_path)
    for path in paths:
        streams.head(path)  # a missing or foreign file is told before a long one is read
    with ExitStack() as stack:
        batch = stack.enter_context(History(workspace).writer(", ".join(path.name for path in paths)))
        session = _Session(workspace, batch, tick)
        done: list[SourceReceipt] = []
        for path in paths:
            refused = Quarantine(workspace.quarantine, path.name, digest(path))
            stack.callback(refused.discard)
            session.read(path, plan, refused)
            done.append(session.close(str(path), refused))
        session.commit()
    return Ingested(tuple(done))


def ingest_dataset(workspace: Workspace, name: str, tick: Tick | None = None) -> Ingested:
    """Reads a named public data set into history. Raises WorkspaceError where it is not known or not installed."""
    found = dataset(name)
    missing = [channel for channel in found.CHANNELS if channel not in workspace.settings.channels]
    if missing:
        raise WorkspaceError(
            f"{workspace.folder / 'tactful.yaml'}: `channels` lacks {', '.join(missing)}, which {name} uses; add it"
        )
    with ExitStack() as stack:
        refused = Quarantine(workspace.quarantine, name, "dataset")
        stack.callback(refused.discard)
        batch = stack.enter_context(History(workspace).writer(name))
        session = _Session(workspace, batch, tick)
        for table in found.tables():
            session.take_known(name, conform(table), refused)
        receipt = session.close(name, refused)
        session.commit()
    return Ingested((receipt,))


class _Session:
    """One batch being filled: checks, files, refuses and counts."""

    def __init__(self, workspace: Workspace, batch: Writer, tick: Tick | None) -> None:
        sweep(workspace.quarantine)
        self.settings, self.now = workspace.settings, workspace.clock().now()
        self.batch, self.tick = batch, tick
        self.receipt = Receipt()
        self._refused: list[Quarantine] = []
        self._notes: list[dict[str, Any]] = []

    def read(self, path: Path, plan: Map | None, refused: Quarantine) -> None:
        """Takes a whole file through its map."""
        for piece in read(path, plan, self.settings.currency):
            chunk = piece.chunk
            self.receipt += Receipt(len(chunk.damaged), 0, 0, len(chunk.damaged))
            self._take(str(path), piece.table, piece.complaints, refused, chunk.positions, chunk.raw, chunk.damaged)

    def take_known(self, source: str, table: pa.Table, refused: Quarantine) -> None:
        """Takes interactions that a data set hands over."""
        positions = self.receipt.received + np.arange(1, table.num_rows + 1)

        def raw(row: int) -> Any:
            return table.slice(row, 1).to_pylist()[0]

        self._take(source, table, Complaints(table.num_rows), refused, positions, raw)

    def close(self, source: str, refused: Quarantine) -> SourceReceipt:
        """The receipt of a source whose rows have all been taken."""
        receipt, self.receipt = self.receipt, Receipt()
        self._refused.append(refused)
        self._notes.append({"source": source, **asdict(receipt)})
        quarantine = refused.path if refused.rows else None
        return SourceReceipt(
            source, receipt, quarantine, tuple(sorted(refused.summary.values(), key=lambda kind: -kind.rows))
        )

    def commit(self) -> None:
        """Quarantine first: a kill between the two leaves a file too many rather than a row unaccounted for."""
        for refused in self._refused:
            refused.commit()
        self.batch.notes = {"sources": self._notes}

    def _take(self, source: str, table: pa.Table, complaints: Complaints, refused: Quarantine, positions: np.ndarray,
              raw: Callable[[int], Any], damaged: Sequence[tuple[int, str, Any]] = ()) -> None:  # fmt: skip
        contract.check(table, self.settings, self.now, complaints)
        told = [(int(positions[row]), complaints.of(int(row)), row) for row in np.flatnonzero(complaints.bad)]
        for position, reason, found in heapq.merge(told, damaged, key=lambda bad: bad[0]):
            refused.add(position, reason, raw(int(found)) if isinstance(found, np.integer) else found)
        good = table if not complaints.bad.any() else table.filter(pa.array(~complaints.bad))
        fresh = int(self.batch.add(conform(good)).sum())
        bad = table.num_rows - good.num_rows
        self.receipt += Receipt(table.num_rows, fresh, good.num_rows - fresh, bad)
        if self.tick is not None:
            self.tick(source, table.num_rows)
