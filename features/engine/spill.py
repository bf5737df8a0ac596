"""Rows brought together by customer: in memory while they are few, else in one file a bucket."""

import math
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.engine.compact import Words

#: Rows that are split over the buckets at a time: the longer, the fewer and larger writes.
CHUNK_ROWS = 1_000_000
_CELLS = 1 << 22


class Distinct:
    """How many different keys went by, within a percent or two, in half a megabyte (linear counting)."""

    def __init__(self) -> None:
        self._met = np.zeros(_CELLS, bool)

    def add(self, keys: np.ndarray) -> None:
        self._met[(keys >> np.uint64(40)) & np.uint64(_CELLS - 1)] = True  # the low bits choose the bucket

    def __int__(self) -> int:
        free = _CELLS - int(self._met.sum())
        return round(_CELLS * math.log(_CELLS / max(1, free)))


class Spill:
    """Compact rows in `n` buckets by their key; with a folder they are written there, one Arrow stream a bucket.

    `skip` are buckets whose rows nobody will ask for: they are counted, not kept.
    """

    def __init__(self, n: int, words: Words, folder: Path | None = None, skip: Collection[int] = ()) -> None:
        if folder is None and n != 1:
            raise ValueError("several buckets need a folder")
        self.n, self.words, self.folder, self.skip = n, words, folder, frozenset(skip)
        self.customers, self.rows = Distinct(), 0
        self._held: list[pa.Table] = []
        self._waiting = 0
        self._schema = pa.schema([])
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, rows: pa.Table) -> None:
        """Takes some rows; they are in their buckets after `close`."""
        self.customers.add(rows.column("_key").to_numpy())
        self.rows += rows.num_rows
        self._schema = rows.schema
        self._hold(rows)

    def close(self) -> None:
        """All rows are in: the files are whole."""
        if self.folder is not None:
            self._flush()
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def has(self, bucket: int) -> bool:
        """Whether there are rows in a bucket."""
        return bool(self._held) if self.folder is None else self._path(bucket).exists()

    def read(self, bucket: int) -> pa.Table:
        """The rows of a bucket in the columns that features read."""
        parts = list(self._parts(bucket))
        table = pa.concat_tables(parts) if parts else self._schema.empty_table()
        return self.words.decoded(table.drop_columns("_key"))

    def split(self, factor: int, folder: Path) -> "Spill":
        """The same rows in `n * factor` buckets: each of these splits into `factor`. This one is empty afterwards.

        Rows held in memory are split into files that may still be added to: `close` when all are in.
        """
        finer = Spill(self.n * factor, self.words, folder)
        finer.customers, finer.rows, finer._schema = self.customers, self.rows, self._schema
        for bucket in range(self.n):
            for part in self._parts(bucket):
                finer._hold(part)
            self.drop(bucket)
            if self.folder is not None:
                finer.close()  # no later bucket holds rows of the same finer ones
        return finer

    def drop(self, bucket: int) -> None:
        """Gives the room of a bucket back."""
        self._held = []
        if self.folder is not None:
            self._path(bucket).unlink(missing_ok=True)

    def _hold(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self._held.append(rows)
            self._waiting += rows.num_rows
        if self.folder is not None and self._waiting >= CHUNK_ROWS:
            self._flush()

    def _flush(self) -> None:
        """Splits what waits over the buckets: one stable sort of small numbers, one copy of the rows."""
        if not self._held:
            return
        table = pa.concat_tables([_plain(held) for held in self._held])
        self._held, self._waiting = [], 0
        bucket = (table.column("_key").to_numpy() % np.uint64(self.n)).astype(np.uint16)
        order = np.argsort(bucket, kind="stable")
        edges = np.searchsorted(bucket[order], np.arange(self.n + 1))
        table = table.take(pa.array(order)).combine_chunks()
        for number in np.flatnonzero(np.diff(edges)).tolist():
            if number not in self.skip:
                self._writer(number, table.schema).write_table(
                    table.slice(edges[number], edges[number + 1] - edges[number])
                )

    def _writer(self, bucket: int, schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter:
        if bucket not in self._writers:
            self._writers[bucket] = pa.ipc.new_stream(str(self._path(bucket)), schema)
        return self._writers[bucket]

    def _parts(self, bucket: int) -> Iterator[pa.Table]:
        if self.folder is None:
            yield from self._held
        elif self._path(bucket).exists():
            with pa.OSFile(str(self._path(bucket))) as file, pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    yield pa.Table.from_batches([batch])

    def _path(self, bucket: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{bucket:05d}.arrow"


def _plain(table: pa.Table) -> pa.Table:
    """Customer ids as text: a dictionary would travel whole into every bucket."""
    place = table.column_names.index("customer_id")
    return table.set_column(place, "customer_id", table.column(place).cast(pa.string()))
