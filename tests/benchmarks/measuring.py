"""How the benchmarks measure, and the two things that most of them compare: the floor, and features of history."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import busy_log
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features import batch, clock, online
from features.arrange import COLUMNS
from features.catalogue import DEFAULT, Catalogue
from features.clock import DAY
from features.physical import STANDS_FOR
from features.vocabulary import Vocabulary
from features.workspace import Settings

FULL = os.environ.get("TACTFUL_BENCH_FULL") == "1"
ROWS = int(os.environ.get("TACTFUL_BENCH_ROWS", 10_000_000))
SETTINGS = Settings()
_WORDS = ["customer_id", "channel", "direction", "type", "topic"]


def cpu(work: Callable[[], Any], repeats: int = 3) -> float:
    """The best CPU time of all threads, in seconds."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def each(work: Callable[[], Any], number: int = 5_000) -> str:
    """p50 and p99 of the wall time of single calls, in microseconds."""
    spans = np.empty(number)
    for i in range(number):
        begin = time.perf_counter_ns()
        work()
        spans[i] = time.perf_counter_ns() - begin
    return f"p50 {np.percentile(spans, 50) / 1e3:.1f} us, p99 {np.percentile(spans, 99) / 1e3:.1f} us"


def floor(path: str) -> pa.Table:
    """One SUM and counts by customer over five columns: what knowing something of everyone costs at least.

    The counts have conditions: a bare COUNT of a column without nulls is answered without reading it (`two_columns`).
    """
    middle = clock.isoformat(busy_log.START + busy_log.DAYS * DAY // 2)
    counts = f"COUNT_IF(occurred_at >= '{middle}'), COUNT_IF(channel = 'web'), COUNT_IF(type = 'purchase')"
    return duckdb.sql(
        f"SELECT customer_id, SUM(value), {counts} FROM read_parquet('{path}') GROUP BY customer_id"
    ).to_arrow_table()


def two_columns(path: str) -> pa.Table:
    """The same with bare counts, for which DuckDB reads customer_id and value only."""
    return duckdb.sql(
        "SELECT customer_id, SUM(value), COUNT(occurred_at), COUNT(channel), COUNT(type) "
        f"FROM read_parquet('{path}') GROUP BY customer_id"
    ).to_arrow_table()


def ours(path: str, cutoffs: Sequence[int], physical: bool = True, catalogue: Catalogue = DEFAULT) -> pa.Table:
    """Every feature of everyone, from Parquet to an Arrow table; as history is read, or a stranger's file."""
    columns = set(COLUMNS)
    if physical:
        columns = columns - set(STANDS_FOR.values()) | set(STANDS_FOR)
    table = pq.read_table(path, columns=sorted(columns), read_dictionary=_WORDS)
    return batch.compute(table, cutoffs, catalogue, SETTINGS).to_arrow()


def warm() -> None:
    """Compiles what is not compiled yet."""
    online.warm(DEFAULT.compile(Vocabulary(), SETTINGS))
    batch.compute(next(busy_log.tables(1_000)), [busy_log.START + 365 * DAY], DEFAULT, SETTINGS).to_arrow()
