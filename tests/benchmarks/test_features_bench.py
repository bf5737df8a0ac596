"""What features cost, as ratios to a floor measured in the same run (`make bench`, or pytest -m bench -s).

The floor is DuckDB reading five columns of the same Parquet file with one SUM and counts by customer: no engine that
knows something of every customer can do less. CPU seconds, not wall time, so that a busy machine disturbs little.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import batch, online
from features.arrange import COLUMNS
from features.catalogue import DEFAULT
from features.clock import DAY, parse_instant
from features.interactions import CHANNELS, INSTANT
from features.vocabulary import Vocabulary
from features.workspace import Settings

pytestmark = pytest.mark.bench

ROWS = int(os.environ.get("TACTFUL_BENCH_ROWS", 5_000_000))
BY_CUSTOMER = 53  # interactions of one customer in a year
START = parse_instant("2023-01-01")
SETTINGS = Settings()
TYPES = ("purchase", "page_view", "call", "contact")


def log(rows: int, seed: int = 0) -> pa.Table:
    """A year of interactions in order of time, as a history that was filled day by day has them."""
    rng = np.random.default_rng(seed)
    at = np.sort(START + rng.integers(0, 365 * DAY, rows))
    kind = rng.integers(0, len(TYPES), rows)

    def words(codes: np.ndarray, labels: tuple[str, ...]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(labels)).cast(pa.string())

    customers = tuple(f"customer-{number:07d}" for number in range(rows // BY_CUSTOMER))
    return pa.table(
        {
            "customer_id": words(rng.integers(0, len(customers), rows), customers),
            "interaction_id": pa.array(np.char.add("interaction-", np.arange(rows).astype(str))),
            "occurred_at": pa.array(at).cast(INSTANT),
            "received_at": pa.array(at).cast(INSTANT),
            "channel": words(rng.integers(0, len(CHANNELS), rows), CHANNELS),
            "direction": words((kind == 3).astype(int), ("inbound", "outbound")),
            "type": words(kind, TYPES),
            "topic": words(rng.integers(0, 5, rows), ("billing", "delivery", "returns", "garden", "grocery")),
            "value": pa.array(rng.gamma(2, 10, rows), mask=kind != 0),
            "satisfaction": pa.nulls(rows, pa.float64()),
            "case_id": pa.nulls(rows, pa.string()),
        }
    )


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "log.parquet"
    pq.write_table(log(ROWS), path)
    return str(path)


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


def test_history(parquet):
    def floor() -> None:
        duckdb.sql(
            "SELECT customer_id, SUM(value), COUNT(occurred_at), COUNT(channel), COUNT(type) "
            f"FROM read_parquet('{parquet}') GROUP BY customer_id"
        ).to_arrow_table()

    def features(cutoffs: int) -> None:
        words = ["customer_id", "channel", "direction", "type", "topic"]
        table = pq.read_table(parquet, columns=list(COLUMNS), read_dictionary=words)
        batch.compute(table, [START + (365 - 28 * i) * DAY for i in range(cutoffs)], DEFAULT, SETTINGS)

    online.warm(DEFAULT.compile(Vocabulary(), SETTINGS))
    batch.compute(log(1_000), [START + 365 * DAY], DEFAULT, SETTINGS)
    least, one, twelve = cpu(floor), cpu(lambda: features(1)), cpu(lambda: features(12), 2)
    print(
        f"\n{ROWS:,} rows, {len(DEFAULT)} features, Parquet to matrix, CPU seconds:"
        f"\n  floor {least:.2f}; 1 cutoff {one:.2f} ({one / least:.1f}x); "
        f"12 cutoffs {twelve:.2f} ({twelve / least:.1f}x)"
    )
    assert twelve < 6 * one, "eleven more cutoffs must cost less than five more runs"


def test_now():
    words = Vocabulary()
    table = log(200 * BY_CUSTOMER).slice(0, 200)
    table = table.set_column(0, "customer_id", pa.array(["ann"] * 200))
    items = online.items_from_table(table, words)
    compiled = DEFAULT.compile(words, SETTINGS)
    state, _ = online.update(online.State(), items.take(slice(0, 199)))
    newest, full = items.take(slice(199, 200)), online.update(state, items.take(slice(199, 200)))[0]
    blob, now = full.to_bytes(), START + 366 * DAY
    print(
        f"\n200 interactions, {len(DEFAULT)} features, {len(blob):,} bytes packed:"
        f"\n  compute {each(lambda: online.compute(full, now, compiled))}"
        f"\n  update {each(lambda: online.update(state, newest))}"
        f"\n  unpack {each(lambda: online.State.from_bytes(blob))}; pack {each(full.to_bytes)}"
    )
    assert len(blob) < 40 * 200
