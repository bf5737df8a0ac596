"""An append-only log of rows as Parquet by UTC day, with atomic batches and idempotent ids.

    day=2017-12-04/BATCH-0.parquet   rows of that day that BATCH added, oldest first
    batches.jsonl                    one line per batch; a batch exists if and only if its line is complete
    ids/                             a rebuildable index of the keys in the log

A batch is prepared in `.staging/`, its files are moved beside the others, and one line in `batches.jsonl` makes them
count. A process killed at any moment leaves the log as it was; the next writer sweeps up.
"""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from features import clock
from features.fingerprints import fingerprints
from features.idset import IdSet, StoredIds, first_in_chunk
from features.workspace import WorkspaceError

try:
    import fcntl
except ImportError:  # Windows: one writer at a time is up to the user there
    fcntl = None  # type: ignore[assignment]

#: What a writer holds in memory before it sorts it and writes its days.
BUFFER_ROWS, BUFFER_BYTES = 1_000_000, 256 << 20
#: Threads that write days: most of that time is waiting for the disk to confirm.
WRITERS = 8
#: Rows of a piece, where a log is read in pieces.
PIECE = 2_048


@dataclass(frozen=True)
class Batch:
    """One committed append: what it added and where it came from."""

    id: str
    at: str
    source: str
    live: bool
    rows: int
    first_day: str
    last_day: str
    notes: dict[str, Any] = field(default_factory=dict)
    physical: bool = False


class DayLog:
    """The log in `folder`; rows are told apart by the text of `key` and filed under the UTC day of instant `at`.

    `derive` adds columns behind those of `schema`; they are read only where they are named.
    """

    def __init__(
        self,
        folder: Path,
        key: Sequence[str],
        at: str,
        schema: pa.Schema | None = None,
        derive: Callable[[pa.Table], pa.Table] | None = None,
    ) -> None:
        self.folder, self.key, self.at, self.schema, self.derive = folder, tuple(key), at, schema, derive
        self.ids = StoredIds(folder / "ids")

    def batches(self) -> list[Batch]:
        """Committed batches, oldest first."""
        try:
            lines = (self.folder / "batches.jsonl").read_bytes().split(b"\n")[:-1]  # a torn last line never counted
        except FileNotFoundError:
            return []
        return [Batch(**json.loads(line)) for line in lines]

    def read(
        self,
        columns: Sequence[str] | None = None,
        since: int | None = None,
        until: int | None = None,
        where: pc.Expression | None = None,
        batches: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rows with since <= at < until (microseconds), day by day; `where` narrows further."""
        with self._undamaged():
            return self._scanner(columns, since, until, where, batches).to_table()

    def pieces(
        self, columns: Sequence[str], since: int | None = None, until: int | None = None, rows: int = PIECE
    ) -> Iterator[pa.Table]:
        """What `read` gives, in its order, at most `rows` at a time: for columns that do not fit into memory."""
        with self._undamaged():
            for batch in self._scanner(columns, since, until, rows=rows).to_batches():
                if batch.num_rows:
                    yield pa.Table.from_batches([batch])

    def _scanner(
        self,
        columns: Sequence[str] | None,
        since: int | None,
        until: int | None,
        where: pc.Expression | None = None,
        batches: Sequence[str] | None = None,
        rows: int | None = None,
    ) -> ds.Scanner:
        files = list(self._files(since, until, batches))
        for limit, keep in ((since, pc.field(self.at).__ge__), (until, pc.field(self.at).__lt__)):
            if limit is not None:
                bound = keep(pa.scalar(limit, pa.timestamp("us", tz="UTC")))
                where = bound if where is None else where & bound
        if not files and self.schema is None:
            return ds.dataset(pa.table({})).scanner()
        schema = self.schema or pa.unify_schemas([pq.read_schema(f) for f in files], promote_options="permissive")
        names = list(columns) if columns is not None else schema.names
        if self.schema is None:  # columns are free there: what nobody wrote is not in the table
            names = [name for name in dict.fromkeys(names) if name in schema.names]
        if self.schema is not None and self.derive is not None:
            schema = self.derive(schema.empty_table()).schema
        if not files:
            return ds.dataset(schema.empty_table().select(names)).scanner()
        dataset = ds.dataset([str(f) for f in files], schema=schema, format="parquet")
        ahead = {} if rows is None else {"batch_size": rows, "batch_readahead": 1, "fragment_readahead": 1}
        return dataset.scanner(columns=names, filter=where, **ahead)

    @contextmanager
    def _undamaged(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowInvalid, OSError) as error:
            why = str(error).splitlines()[0]
            raise WorkspaceError(
                f"{self.folder}: a file of the history is damaged; put it back from a backup ({why})"
            ) from None

    @contextmanager
    def writer(self, source: str, live: bool = False) -> Iterator["Writer"]:
        """A batch that commits when the block ends well, and never happened when it raises. One writer at a time."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder / ".lock"):
                self._sweep()
                batch = Writer(self, source, live)
                try:
                    yield batch
                    batch.commit()
                finally:
                    shutil.rmtree(batch.staging, ignore_errors=True)
        except OSError as error:
            raise WorkspaceError(
                f"{self.folder}: cannot be written: {error.strerror or error}; what was there is unchanged"
            ) from None

    def drop(self, columns: Sequence[str], doomed: Callable[[pa.Table], np.ndarray]) -> int:
        """Rewrites each file without the rows that `doomed` marks, bool[n], by some columns; how many there were.

        File by file, each as a whole or not at all: what was interrupted is run again. The counts of batches stay as
        they were, and so do the keys: a row that is dropped still counts as known.
        """
        if not self.folder.exists():
            return 0
        dropped = 0
        with locked(self.folder / ".lock"):
            self._sweep()
            for path in list(self._files(None, None, None)):
                content = pq.ParquetFile(path)
                bad = doomed(content.read(columns=list(columns)))
                if bad.any():
                    self.staging.mkdir(exist_ok=True)
                    write_durably(content.read().filter(pa.array(~bad)), self.staging / path.name)
                    os.replace(self.staging / path.name, path)
                    dropped += int(bad.sum())
            shutil.rmtree(self.staging, ignore_errors=True)
        return dropped

    @property
    def staging(self) -> Path:
        """Where files are prepared; what lies there counts for nothing."""
        return self.folder / ".staging"

    def stored_ids(self) -> IdSet:
        """The keys of all committed rows."""
        return self.ids.load([batch.id for batch in self.batches()], lambda ids: self.marks(self.read(batches=ids)))

    def marks(self, table: pa.Table) -> np.ndarray:
        """uint64[2, n]: fingerprints of the rows' keys."""
        return fingerprints(table.select(list(self.key)))

    def days(self) -> dict[int, list[Path]]:
        """Files of committed rows by UTC day (days since 1970), oldest first."""
        found: dict[int, list[Path]] = {}
        for path in self._files(None, None, None):
            day = clock.parse_instant(path.parent.name.removeprefix("day=")) // clock.DAY
            found.setdefault(day, []).append(path)
        return found

    def _files(self, since: int | None, until: int | None, batches: Sequence[str] | None) -> Iterator[Path]:
        wanted = {batch.id for batch in self.batches()}
        if batches is not None:
            wanted &= set(batches)
        first = "day=" if since is None else f"day={clock.isoformat(since)[:10]}"
        last = "day=~" if until is None else f"day={clock.isoformat(until)[:10]}"
        for day in sorted(entry.path for entry in _entries(self.folder) if first <= entry.name <= last):
            for part in sorted(entry.name for entry in _entries(Path(day))):
                if part.rpartition("-")[0] in wanted:
                    yield Path(day, part)

    def _sweep(self) -> None:
        """Removes what a killed writer left: its staging folder, and parts moved but never committed."""
        if not self.staging.exists():
            return
        committed = {batch.id for batch in self.batches()}
        for part in self.folder.glob("day=*/*.parquet"):
            if part.name.rpartition("-")[0] not in committed:
                part.unlink()
        for day in self.folder.glob("day=*"):
            if not any(day.iterdir()):
                day.rmdir()
        shutil.rmtree(self.staging)


class Writer:
    """Collects the fresh rows of one batch, in bounded memory."""

    def __init__(self, log: DayLog, source: str, live: bool) -> None:
        self.log, self.source, self.live = log, source, live
        self.id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}.{secrets.token_hex(4)}"
        self.staging = log.staging
        self.seen = log.stored_ids()
        self.rows = 0
        self.notes: dict[str, Any] = {}
        self._marks: list[np.ndarray] = []
        self._held: list[pa.Table] = []
        self._parts: list[tuple[str, str]] = []
        self._flushes = 0

    def add(self, table: pa.Table) -> np.ndarray:
        """bool[n]: the rows that are new; the others are known, from earlier batches or earlier in this one."""
        marks = self.log.marks(table)
        fresh = first_in_chunk(marks) & ~self.seen.contains(marks)
        self.seen.add(marks[:, fresh])
        self._marks.append(marks[:, fresh])
        self._held.append(table if fresh.all() else table.filter(pa.array(fresh)))
        self.rows += int(fresh.sum())
        if sum(held.num_rows for held in self._held) >= BUFFER_ROWS or (
            sum(held.nbytes for held in self._held) >= BUFFER_BYTES
        ):
            self._flush()
        return fresh

    def commit(self) -> None:
        """Moves the parts into place, then writes the line that makes them count."""
        self._flush()
        if not self.rows:
            return
        for day, part in self._parts:
            target = self.log.folder / day
            target.mkdir(exist_ok=True)
            os.rename(self.staging / f"{day}~{part}", target / part)
        days = sorted(day.removeprefix("day=") for day, _ in self._parts)
        position = len(self.log.batches())
        batch = Batch(self.id, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", self.source, self.live, self.rows,
                      days[0], days[-1], self.notes, self.log.derive is not None)  # fmt: skip
        append_line(self.log.folder / "batches.jsonl", json.dumps(asdict(batch)))
        with suppress(OSError):  # the batch counts already; what the cache of ids lacks is rebuilt
            self.log.ids.extend(position, np.concatenate(self._marks, axis=1))

    def _flush(self) -> None:
        table = pa.concat_tables(self._held, promote_options="permissive") if self._held else None
        self._held = []
        if table is None or not table.num_rows:
            return
        if self.log.derive is not None:
            table = self.log.derive(table)
        table = table.take(pc.sort_indices(table, sort_keys=[(self.log.at, "ascending")])).combine_chunks()
        days = table[self.log.at].cast(pa.int64()).to_numpy() // clock.DAY
        starts = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
        self.staging.mkdir(exist_ok=True)

        def write(start: int, end: int) -> None:
            self._write(f"day={clock.isoformat(int(days[start]) * clock.DAY)[:10]}", table.slice(start, end - start))

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, starts, [*starts[1:], len(days)]))
        self._flushes += 1

    def _write(self, day: str, rows: pa.Table) -> None:
        part = f"{self.id}-{self._flushes}.parquet"
        write_durably(rows, self.staging / f"{day}~{part}")
        self._parts.append((day, part))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def write_durably(table: pa.Table, path: Path) -> None:
    """A Parquet file that is on disk on return."""
    with open(path, "wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())


def append_line(path: Path, line: str) -> None:
    """Appends one line so that it is on disk; what a killed process left of a torn line is cut first."""
    with open(path, "ab") as file:
        size = file.tell()
        if size:
            content = path.read_bytes()
            file.truncate(content.rfind(b"\n") + 1)
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits for the log's other writers; the lock dies with its process."""
    with open(path, "w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def held(path: Path, refusal: str) -> Iterator[None]:
    """Holds a lock, or raises WorkspaceError with `refusal` where another process does."""
    with open(path, "w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise WorkspaceError(refusal) from None
        yield
