"""What features cost, as ratios to a floor and to other engines measured in the same run (`make bench`).

The floor is DuckDB reading five columns of the same Parquet file with one SUM and counts by customer: an engine that
knows something of every customer can hardly do less. CPU seconds, not wall time, so that a busy machine disturbs
little. TACTFUL_BENCH_ROWS says how many rows (10 million).
"""

from collections.abc import Callable
from typing import Any

import busy_log
import engines
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from measuring import ROWS, cpu, each, floor, ours, two_columns, warm

from features import online
from features.catalogue import DEFAULT, Catalogue
from features.clock import DAY
from features.vocabulary import Vocabulary
from features.workspace import Settings

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

SETTINGS = Settings()
CUTOFFS = [busy_log.START + (busy_log.DAYS - 28 * i) * DAY for i in range(12)]


@pytest.fixture(scope="module")
def parquet(busy):
    """As history has it: the contract's columns and the physical ones."""
    return busy(ROWS)


def test_history(parquet, tmp_path):
    warm()
    least = cpu(lambda: floor(parquet))
    one, twelve = cpu(lambda: ours(parquet, CUTOFFS[:1])), cpu(lambda: ours(parquet, CUTOFFS), 2)
    plain = cpu(lambda: ours(parquet, CUTOFFS[:1], physical=False), 2)
    least = min(least, cpu(lambda: floor(parquet)))
    bare = cpu(lambda: two_columns(parquet))
    table = ours(parquet, CUTOFFS[:1])
    written = cpu(lambda: pq.write_table(table, tmp_path / "features.parquet", compression="zstd"), 2)
    print(
        f"\n{ROWS:,} rows, {ROWS // busy_log.BY_CUSTOMER:,} customers, {len(DEFAULT)} features, Parquet to an Arrow "
        f"table, CPU seconds:\n  floor {least:.2f} (with bare counts, for which DuckDB reads two columns, {bare:.2f})"
        f"\n  1 cutoff {one:.2f} ({one / least:.1f}x the floor); without history's own columns {plain:.2f}"
        f"\n  12 cutoffs {twelve:.2f} ({twelve / least:.1f}x the floor)"
        f"\n  writing {table.num_rows:,} rows as Parquet beside that {written:.2f}"
    )
    assert twelve < 8 * one, "eleven more cutoffs must cost less than seven more runs"


def test_rivals(parquet):
    """The same features, as far as each engine states them; their values are the same."""
    warm()
    stated = engines.query(DEFAULT)
    found: dict[str, Any] = {}

    def keep(name: str, work: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            found[name] = work()

        return run

    one = cpu(lambda: ours(parquet, CUTOFFS[:1]))
    twelve = cpu(lambda: ours(parquet, CUTOFFS), 1)
    same = Catalogue(tuple(feature for feature in DEFAULT if feature.name in stated.features))
    same_one = cpu(lambda: ours(parquet, CUTOFFS[:1], catalogue=same))
    same_twelve = cpu(lambda: ours(parquet, CUTOFFS, catalogue=same), 2)
    sql = cpu(keep("DuckDB", lambda: engines.in_duckdb(parquet, CUTOFFS[:1], DEFAULT)[0]), 2)
    sql_twelve = cpu(lambda: engines.in_duckdb(parquet, CUTOFFS, DEFAULT), 1)
    polars = cpu(keep("polars", lambda: engines.in_polars(parquet, CUTOFFS[0], DEFAULT)), 2)
    pandas = cpu(keep("pandas", lambda: engines.in_pandas(parquet, CUTOFFS[0], DEFAULT)), 1)
    wanted = engines.by_customer(ours(parquet, CUTOFFS[:1]))
    for name, table in found.items():
        engines.check(name, engines.by_customer(table), wanted)
    print(f"\n{ROWS:,} rows, CPU seconds; in brackets how many times ours, which computes all {len(DEFAULT)} features:")
    print(f"  ours: 1 cutoff {one:.2f}, 12 cutoffs {twelve:.2f}")
    count = len(stated.features)
    print(f"  ours, the {count} features that SQL states: {same_one:.2f}, {same_twelve:.2f}")
    print(f"    so SQL takes {sql / same_one:.1f}x and {sql_twelve / same_twelve:.1f}x for the same")
    print(f"  DuckDB, {count} features: {sql:.2f} ({sql / one:.1f}x), {sql_twelve:.2f} ({sql_twelve / twelve:.1f}x)")
    print(f"  polars, {found['polars'].width - 1} features: {polars:.2f} ({polars / one:.1f}x)")
    print(f"  pandas, {found['pandas'].shape[1]} features: {pandas:.2f} ({pandas / one:.1f}x)")
    assert one < sql, "less CPU than the best SQL, which states fewer features"
    assert twelve < sql_twelve / 3
    assert one < pandas


def test_now():
    """One live customer: the newest of 200 interactions arrives, and the whole catalogue is asked for."""
    words = Vocabulary()
    table = next(busy_log.tables(200 * busy_log.BY_CUSTOMER)).slice(0, 200)
    names = pa.array(["ann"] * 200)
    table = table.set_column(table.column_names.index("customer_id"), "customer_id", names)
    items = online.items_from_table(table, words)
    compiled = DEFAULT.compile(words, SETTINGS)
    state, _ = online.update(online.State(), items.take(slice(0, 199)))
    newest, full = items.take(slice(199, 200)), online.update(state, items.take(slice(199, 200)))[0]
    blob, now = full.to_bytes(), busy_log.START + 366 * DAY
    print(
        f"\n200 interactions, {len(DEFAULT)} features, {len(blob):,} bytes packed:"
        f"\n  compute {each(lambda: online.compute(full, now, compiled))}"
        f"\n  update {each(lambda: online.update(state, newest))}"
        f"\n  unpack {each(lambda: online.State.from_bytes(blob))}; pack {each(full.to_bytes)}"
    )
    assert len(blob) < 80 * 200
