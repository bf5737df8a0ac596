"""Ingest: files and named data sets into history, all or nothing, with every row accounted for."""

import hashlib
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
from features.identity.links import erased
from features.people import People
from features.sources import contract, dataset, streams
from features.sources.complaints import Complaints
from features.sources.files import Source, read, shown
from features.sources.mapping import Map, load
from features.sources.named import Dataset
from features.sources.quarantine import Quarantine, Refused, digest, sweep
from features.tombstones import Graveyard, is_in
from features.workspace import Workspace, WorkspaceError

Tick = Callable[[str, int], Any]


@dataclass(frozen=True)
class SourceReceipt:
    """What became of one file or data set; `quarantine` is where its bad rows are.

    `aside` are rows that are no interactions and no part of the receipt: (why, how many). `told` says how it was read.
    """

    source: str
    receipt: Receipt
    quarantine: Path | None = None
    reasons: tuple[Refused, ...] = ()
    aside: tuple[tuple[str, int], ...] = ()
    told: str = ""


@dataclass(frozen=True)
class Ingested:
    """What became of everything in one ingest; `total` adds up the sources.

    `people` are what the sources told of customers: identifiers and attributes, each with a receipt of its own.
    """

    sources: tuple[SourceReceipt, ...]
    people: tuple[SourceReceipt, ...] = ()

    @property
    def total(self) -> Receipt:
        return sum((source.receipt for source in self.sources), Receipt())


def ingest_files(workspace: Workspace, paths: Sequence[Source], map_path: Path | None = None, tick: Tick | None = None,
                 ) -> Ingested:  # fmt: skip
    """Reads files, or tables of databases, into history as one batch: all of them, or none where one cannot be read.

    `tick(path, rows)` is told of progress. Raises WorkspaceError in one line that says which file, why, what to do.
    """
    plan = None if map_path is None else load(map_path)
    _look(paths)
    return _ingest(workspace, [(path, [plan]) for path in paths], tick)


def _look(sources: Sequence[Source]) -> None:
    """A missing or foreign file is told before a long one is read."""
    for source in sources:
        if isinstance(source, Path):
            streams.head(source)


def _ingest(workspace: Workspace, files: Sequence[tuple[Source, Sequence[Map | None]]], tick: Tick | None) -> Ingested:
    """Each file through its maps, one after the other; what is damaged is told once."""
    source = ", ".join(_called(path) for path, _ in files)
    with ExitStack() as stack:
        batch = stack.enter_context(History(workspace).writer(source))
        session = _Session(workspace, batch, tick)
        done: list[SourceReceipt] = []
        for path, plans in files:
            refused = Quarantine(workspace.quarantine, _called(path), _digest(path))
            stack.callback(refused.discard)
            for again, plan in enumerate(plans):
                session.read(path, plan, refused, damaged=not again)
            done.append(session.close(shown(path), refused, plans[0].description if plans[0] is not None else ""))
        session.commit()
    return Ingested(tuple(done), _people(session, workspace, source))


def _called(source: Source) -> str:
    return source.name if isinstance(source, Path) else Path(shown(source)).name.replace("?", " ")


def _digest(source: Source) -> str:
    return digest(source) if isinstance(source, Path) else hashlib.blake2b(source.encode(), digest_size=16).hexdigest()


def ingest_dataset(workspace: Workspace, name: str, paths: Sequence[Source] = (), tick: Tick | None = None) -> Ingested:
    """Reads a named data set into history; `paths` are its files, where it takes any.

    Raises WorkspaceError where it is not known, not installed or not there.
    """
    found = dataset(name)
    if found.maps is not None:
        files = found.files(list(paths))
        _look(files)
        return _ingest(workspace, [(path, found.maps(path)) for path in files], tick)
    return _ingest_tables(workspace, found, list(paths), tick)


def _ingest_tables(workspace: Workspace, found: Dataset, paths: list[Source], tick: Tick | None) -> Ingested:
    if len(paths) != (1 if found.takes else 0):
        wants = f"one PATH: {found.takes}" if found.takes else "no PATH"
        raise WorkspaceError(f"the data set {found.name} takes {wants}")
    missing = [channel for channel in found.channels if channel not in workspace.settings.channels]
    if missing:
        raise WorkspaceError(
            f"{workspace.folder / 'tactful.yaml'}: `channels` lacks {', '.join(missing)}, which {found.name} uses;"
            " add it"
        )
    assert found.tables is not None
    path = Path(paths[0]) if paths else None
    with ExitStack() as stack:
        refused = Quarantine(workspace.quarantine, found.name, "dataset")
        stack.callback(refused.discard)
        batch = stack.enter_context(History(workspace).writer(found.name))
        session = _Session(workspace, batch, tick)
        for table in found.tables(path):
            session.take_known(found.name, conform(table), refused)
        if found.attributes is not None:
            session.people.profiles.append(found.attributes(path))
        receipt = session.close(found.name, refused)
        session.commit()
    return Ingested((receipt,), _people(session, workspace, found.name))


def _people(session: "_Session", workspace: Workspace, source: str) -> tuple[SourceReceipt, ...]:
    """Writes what the sources told of customers, after the interactions: a kill between is mended by reading again."""
    return tuple(
        SourceReceipt(what, receipt, refused.path if refused.rows else None, tuple(refused.summary.values()))
        for what, receipt, refused in session.people.commit(workspace, source)
    )


class _Session:
    """One batch being filled: checks, files, refuses and counts."""

    def __init__(self, workspace: Workspace, batch: Writer, tick: Tick | None) -> None:
        sweep(workspace.quarantine)
        self.settings, self.now = workspace.settings, workspace.clock().now()
        self.batch, self.tick = batch, tick
        self.receipt = Receipt()
        self._erased = erased(History(workspace).links())
        self._buried = Graveyard(workspace).tombstones()
        self.aside: dict[str, int] = {}
        self.people = People(self.settings, self.now)
        self._refused: list[Quarantine] = []
        self._notes: list[dict[str, Any]] = []

    def read(self, path: Source, plan: Map | None, refused: Quarantine, damaged: bool = True) -> None:
        """Takes a whole file through its map; `damaged`: rows that no map can read count, and are refused."""
        for piece in read(path, plan, self.settings.currency):
            chunk, broken = piece.chunk, piece.chunk.damaged if damaged else []
            self.receipt += Receipt(len(broken), 0, 0, len(broken))
            self._take(shown(path), piece.table, piece.complaints, refused, chunk.positions, chunk.raw, broken)
            for reason, rows in piece.aside.items():
                self.aside[reason] = self.aside.get(reason, 0) + rows
            self.people.take(piece.links, piece.profiles)

    def take_known(self, source: str, table: pa.Table, refused: Quarantine) -> None:
        """Takes interactions that a data set hands over."""
        positions = self.receipt.received + np.arange(1, table.num_rows + 1)

        def raw(row: int) -> Any:
            return table.slice(row, 1).to_pylist()[0]

        self._take(source, table, Complaints(table.num_rows), refused, positions, raw)

    def close(self, source: str, refused: Quarantine, told: str = "") -> SourceReceipt:
        """The receipt of a source whose rows have all been taken."""
        receipt, self.receipt = self.receipt, Receipt()
        aside, self.aside = self.aside, {}
        self._refused.append(refused)
        self._notes.append({"source": source, **asdict(receipt), **({"aside": aside} if aside else {})})
        quarantine = refused.path if refused.rows else None
        reasons = tuple(sorted(refused.summary.values(), key=lambda kind: -kind.rows))
        return SourceReceipt(source, receipt, quarantine, reasons, tuple(aside.items()), told)

    def commit(self) -> None:
        """Quarantine first: a kill between the two leaves a file too many rather than a row unaccounted for."""
        for refused in self._refused:
            refused.commit()
        self.batch.notes = {"sources": self._notes}

    def _take(self, source: str, table: pa.Table, complaints: Complaints, refused: Quarantine, positions: np.ndarray,
              raw: Callable[[int], Any], damaged: Sequence[tuple[int, str, Any]] = ()) -> None:  # fmt: skip
        contract.check(table, self.settings, self.now, complaints)
        gone = is_in(table["customer_id"], self._erased) | self._buried.marked(table["customer_id"])
        complaints.add(gone, "customer_id", lambda _row: "was erased; nothing more is kept of this customer")
        told = [(int(positions[row]), complaints.of(int(row)), row) for row in np.flatnonzero(complaints.bad)]
        for position, reason, found in heapq.merge(told, damaged, key=lambda bad: bad[0]):
            if isinstance(found, np.integer):
                found = None if gone[found] else raw(int(found))
            refused.add(position, reason, found)
        good = table if not complaints.bad.any() else table.filter(pa.array(~complaints.bad))
        fresh = int(self.batch.add(conform(good)).sum())
        bad = table.num_rows - good.num_rows
        self.receipt += Receipt(table.num_rows, fresh, good.num_rows - fresh, bad)
        if self.tick is not None:
            self.tick(source, table.num_rows)
