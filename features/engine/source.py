"""Where a build reads interactions: the workspace's history, a file, a folder, or a database's table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from features import physical
from features.engine.compact import readable
from features.history import History
from features.interactions import SCHEMA
from features.sources.files import read
from features.tables import BATCH_ROWS, Table, Unit, is_url, open_table
from features.tables.parquet import WORDS, ParquetTable
from features.workspace import Workspace, WorkspaceError

#: What a row of text takes on disk, about; only the first guess of how many buckets there will be.
_TEXT_ROW, _PACKED_ROW = 80, 12


class Source(Protocol):
    """Interactions in the contract's columns, batch by batch; see features/tables for `units`."""

    name: str
    paths: list[str]  # the Parquet files that it is; none where it is something else

    def rows(self) -> int: ...

    def units(self) -> list[Unit] | None: ...

    def tables(self, until: int, units: Sequence[Unit] | None = None) -> Iterator[pa.Table]:
        """At least the rows that occurred before `until`; with `units`, of these only."""
        ...


class TableSource:
    """A table of Parquet or of a database."""

    def __init__(self, table: Table) -> None:
        self.table, self.name = table, table.name
        self.paths = [str(file) for file in table.files] if isinstance(table, ParquetTable) else []
        self._columns = readable(table.columns, table.name)

    def rows(self) -> int:
        return self.table.rows()

    def units(self) -> list[Unit] | None:
        return self.table.units()

    def tables(self, until: int, units: Sequence[Unit] | None = None) -> Iterator[pa.Table]:
        """Small batches are put together: a log of many days has many small files."""
        held: list[pa.RecordBatch] = []
        for batch in self.table.batches(self._columns, until, units):
            held.append(batch)
            if sum(part.num_rows for part in held) >= BATCH_ROWS:
                yield pa.Table.from_batches(held)
                held = []
        if held:
            yield pa.Table.from_batches(held)


class HistoryTable(ParquetTable):
    """The workspace's history; its units are the committed batches, which never change."""

    def __init__(self, history: History) -> None:
        self._history, self._batches = history, history.batches()
        schema = physical.with_physical(SCHEMA.empty_table()).schema
        for name in WORDS:
            place = schema.get_field_index(name)
            schema = schema.set(place, pa.field(name, pa.dictionary(pa.int32(), pa.string())))
        super().__init__(history.folder / "interactions", history.files(), schema)
        self.name = "history"
        if not all(batch.physical for batch in self._batches):
            self.columns = SCHEMA.names

    def rows(self) -> int:
        return sum(batch.rows for batch in self._batches)

    def units(self) -> list[Unit]:
        return [Unit(batch.id) for batch in self._batches]

    def _chosen(self, until: int | None, units: Sequence[Unit] | None) -> list[Path]:
        ids = [unit.id for unit in (self.units() if units is None else units)]
        return self._history.files(until, ids)


class FileSource:
    """CSV or JSON Lines in the contract's own columns, read as `tactful ingest` reads it; no row may be wrong."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.paths: list[str] = []
        if not path.is_file():
            raise WorkspaceError(f"{path}: no such file or folder")

    def rows(self) -> int:
        packed = self.path.suffix.lower() in (".gz", ".bz2", ".zst")
        return self.path.stat().st_size // (_PACKED_ROW if packed else _TEXT_ROW) + 1

    def units(self) -> list[Unit]:
        about = self.path.stat()
        return [Unit(f"{self.path.name}:{about.st_size}:{about.st_mtime_ns}")]

    def tables(self, until: int, units: Sequence[Unit] | None = None) -> Iterator[pa.Table]:  # noqa: ARG002
        for piece in read(self.path):
            bad, positions = piece.complaints.bad.nonzero()[0][:1].tolist(), piece.chunk.positions
            wrong = [(int(positions[row]), piece.complaints.of(row)) for row in bad]
            wrong += [(position, reason) for position, reason, _ in piece.chunk.damaged[:1]]
            if wrong:
                position, reason = min(wrong)
                raise WorkspaceError(
                    f"{self.path}: row {position:,}: {reason}; `tactful ingest` sets such rows aside and reads the rest"
                )
            yield piece.table


def open_source(workspace: Workspace, source: str | None) -> Source:
    """The workspace's history where no other source is named. WorkspaceError says what is wrong with it."""
    if source is None:
        return TableSource(HistoryTable(History(workspace)))
    path = Path(source)
    if is_url(source) or path.is_dir() or path.suffix.lower() in (".parquet", ".pq"):
        return TableSource(open_table(source))
    return FileSource(path)
