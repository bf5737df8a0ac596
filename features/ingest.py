"""Ingest: files and named data sets into history, all or nothing, with every row accounted for."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.daylog import Writer
from features.history import History, Receipt, conform
from features.sources import contract, dataset
from features.sources.complaints import Complaints
from features.sources.quarantine import Quarantine
from features.workspace import Workspace, WorkspaceError

Tick = Callable[[str, int], Any]


@dataclass(frozen=True)
class SourceReceipt:
    """What became of one file or data set; `quarantine` is where its bad rows are."""

    source: str
    receipt: Receipt
    quarantine: Path | None = None
    reasons: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Ingested:
    """What became of everything in one ingest; `total` adds up the sources."""

    sources: tuple[SourceReceipt, ...]

    @property
    def total(self) -> Receipt:
        return sum((source.receipt for source in self.sources), Receipt())


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
            table = conform(table)
            session.take(name, table, Complaints(table.num_rows), refused, _Rows(table, session.receipt.received))
        receipt = session.finish(name, refused)
    return Ingested((receipt,))


class _Rows:
    """Positions and raw content of a data set's rows."""

    def __init__(self, table: pa.Table, before: int) -> None:
        self.table = table
        self.positions = before + np.arange(1, table.num_rows + 1)

    def raw(self, row: int) -> Any:
        return self.table.slice(row, 1).to_pylist()[0]


class _Session:
    """One batch being filled: checks, files, refuses and counts."""

    def __init__(self, workspace: Workspace, batch: Writer, tick: Tick | None) -> None:
        self.settings, self.now = workspace.settings, workspace.clock().now()
        self.batch, self.tick = batch, tick
        self.receipt = Receipt()

    def take(self, source: str, table: pa.Table, complaints: Complaints, refused: Quarantine, rows: Any) -> None:
        contract.check(table, self.settings, self.now, complaints)
        for row in np.flatnonzero(complaints.bad):
            refused.add(rows.positions[row], complaints.of(int(row)), rows.raw(int(row)))
        good = table if not complaints.bad.any() else table.filter(pa.array(~complaints.bad))
        fresh = int(self.batch.add(conform(good)).sum())
        bad = table.num_rows - good.num_rows
        self.receipt += Receipt(table.num_rows, fresh, good.num_rows - fresh, bad)
        if self.tick is not None:
            self.tick(source, table.num_rows)

    def finish(self, source: str, refused: Quarantine) -> SourceReceipt:
        receipt, self.receipt = self.receipt, Receipt()
        return SourceReceipt(source, receipt, refused.commit(), tuple(refused.reasons.most_common(5)))
