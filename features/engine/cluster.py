"""Buckets computed by Spark: executors write the same parts that this machine would, into the staging folder.

Rows of the result never pass through Spark, only a line about each bucket. So the staging folder, which lies beside
OUT, must be one that executors share with this machine; with a local master it always is.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from features.batch import compute
from features.buckets import Keys
from features.catalogue import Catalogue
from features.engine.beside import Beside
from features.engine.compact import Compactor, Fingerprint, Words
from features.engine.reading import Tick
from features.engine.result import Staging
from features.interactions import SCHEMA
from features.past import Past
from features.spark import buckets_for, by_bucket, carry, contract, parquet
from features.spark_session import one_line, session
from features.workspace import Settings

#: Numbers of the result that an executor's Python holds at a time.
_NUMBERS = 1 << 25
_LINE = "bucket int, rows long, total string, odd string, words string"
_POLL = 0.5  # seconds


def fill(
    files: Sequence[str],
    name: str,
    cutoffs: Sequence[int],
    catalogue: Catalogue,
    settings: Settings,
    beside: Beside,
    staging: Staging,
    schema: pa.Schema,
    tick: Tick,
    master: str | None = None,
) -> tuple[int, Fingerprint, dict[str, list[str]]]:
    """Writes every bucket's part; returns how many there are, the fingerprint of the rows, and the words met.

    `files` are Parquet in the contract's columns, `name` is what a user calls them; `schema` is that of the result.
    Where there are no rows before the last cutoff, nothing is written.
    """
    staging.folder.mkdir(parents=True, exist_ok=True)
    spark = session(master)
    with one_line(f"Spark cannot read {name}"):
        frame = contract(parquet(spark, files))
        n = buckets_for(frame.count())
    carry(catalogue)
    some = beside.past(SCHEMA.empty_table(), 0, 1)
    alone = some.attributes is None and some.links is None
    work = _work(name, list(cutoffs), catalogue, settings, staging, schema)
    lines = by_bucket(frame, n, work, _LINE, None if alone else beside)
    with one_line("Spark failed"), _ticking(staging, n, tick):
        told = lines.toArrow().to_pylist()
    found = Fingerprint()
    words: dict[str, set[str]] = {}
    for line in told:
        found.rows += line["rows"]
        found.total = (found.total + int(line["total"])) % (1 << 64)
        found.odd ^= int(line["odd"])
        for column, labels in json.loads(line["words"]).items():
            words.setdefault(column, set()).update(labels)
    if not found.rows:
        staging.remove()
        return n, found, {}
    for bucket in set(range(n)) - staging.finished():
        staging.write(bucket, (), schema)  # nobody is in it
    return n, found, {column: sorted(labels) for column, labels in words.items()}


def _work(
    name: str, cutoffs: list[int], catalogue: Catalogue, settings: Settings, staging: Staging, schema: pa.Schema
) -> Callable[[int, Past], pa.Table]:
    """What an executor does with a bucket: what Reading and build.py do here, and a line about it."""

    def work(bucket: int, past: Past) -> pa.Table:
        words, mark = Words(), Fingerprint()
        rows = Compactor(name, words, Keys(), cutoffs[-1]).compact(past.interactions)
        mark.add(rows.column("_mark").to_numpy())
        known = Past(words.decoded(rows.drop_columns(["_key", "_mark"])), past.attributes, past.links)
        staging.write(bucket, _tables(known), schema)
        line = {"bucket": bucket, "rows": mark.rows, "total": str(mark.total), "odd": str(mark.odd)}
        return pa.Table.from_pylist([line | {"words": json.dumps(words.common())}], _SCHEMA)

    def _tables(past: Past) -> Iterator[pa.Table]:
        customers = len(past.interactions.column("customer_id").unique())
        step = max(1, _NUMBERS // (max(1, customers) * len(catalogue)))
        for start in range(0, len(cutoffs), step):
            yield compute(past, cutoffs[start : start + step], catalogue, settings, workers=1).to_arrow()

    return work


_SCHEMA = pa.schema(
    [
        pa.field("bucket", pa.int32()),
        pa.field("rows", pa.int64()),
        pa.field("total", pa.string()),
        pa.field("odd", pa.string()),
        pa.field("words", pa.string()),
    ]
)


@contextmanager
def _ticking(staging: Staging, n: int, tick: Tick) -> Iterator[None]:
    """Tells how many parts are there while Spark works."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL):
            tick("computing", len(staging.finished()), n)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        tick("computing", n, n)
