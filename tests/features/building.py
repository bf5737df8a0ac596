"""What the tests of the batch engine share: a busy little log, workspaces that hold it, and results to compare."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from interactions_for_tests import DAY, START

from features import batch
from features.catalogue import of
from features.engine.build import Built, build
from features.engine.reading import BASE
from features.history import History, conform
from features.interactions import INSTANT
from features.manifest import FILE
from features.past import Past
from features.scaffold import init_workspace
from features.workspace import Workspace

CUTOFFS = [START + day * DAY for day in (20, 27, 41)]
#: Every ninth feature, of all sorts: how a table is put together does not depend on how wide it is, its price does.
SOME = "from features.catalogue import DEFAULT\n\nCATALOGUE = DEFAULT.features[3::9]\n"
#: Room for so few rows that even a small log is split over many buckets.
TIGHT = BASE + (3 << 17)


def log(
    rows: int = 1400, customers: int = 90, seed: int = 7, first: int = 0, days: tuple[int, int] = (0, 40)
) -> pa.Table:
    """Interactions in the contract's columns: late ones, ties, nulls, ids i`first` and on."""
    rng = np.random.default_rng(seed)
    at = START + rng.integers(days[0], days[1], rows) * DAY + rng.choice([0, 0, 1, DAY // 3], rows)
    late = rng.choice([0, 0, 0, 5 * DAY], rows)

    def some(words: list, share: float = 1.0) -> pa.Array:
        picked = np.array(words, object)[rng.integers(0, len(words), rows)]
        return pa.array(np.where(rng.random(rows) < share, picked, None), pa.string())

    def numbers(share: float, values: np.ndarray) -> pa.Array:
        return pa.array(np.where(rng.random(rows) < share, values, np.nan), pa.float64(), from_pandas=True)

    kinds = some(["purchase", "purchase", "contact", "complaint", "case_closed"])
    return pa.table(
        {
            "interaction_id": pa.array([f"i{first + number}" for number in range(rows)]),
            "customer_id": pa.array([f"c{number}" for number in rng.integers(0, customers, rows)]),
            "occurred_at": pa.array(at, pa.int64()).cast(INSTANT),
            "received_at": pa.array(at + late, pa.int64()).cast(INSTANT),
            "channel": some(["web", "email", "fax"]),
            "direction": pc.if_else(pc.equal(kinds, "contact"), "outbound", "inbound"),
            "type": kinds,
            "topic": some(["billing", "health"], 0.6),
            "value": numbers(0.5, rng.integers(-500, 100_000, rows) / 100),
            "satisfaction": numbers(0.2, rng.random(rows)),
            "case_id": some(["case a", "case b"], 0.2),
            "decision_id": some(["d1", "d2"], 0.1),
            "attributes": some(['{"discount": 1.25}', '{"note": "x"}'], 0.1),
        }
    )


def workspace(folder: Path, *tables: pa.Table, settings: str = "", catalogue: str | None = SOME) -> Workspace:
    """A workspace with one batch of history for each table; `catalogue` None: with the default one."""
    files = {"tactful.yaml": settings} | ({} if catalogue is None else {"catalogue.py": catalogue})
    opened = init_workspace(folder / "shop", files)
    for number, table in enumerate(tables):
        History(opened).append(conform(table), f"batch {number}")
    return opened


def whole(opened: Workspace, past: pa.Table | Past, cutoffs: list[int] = CUTOFFS) -> pa.Table:
    """What one computation in memory gives, by cutoff and customer."""
    return batch.compute(past, cutoffs, of(opened), opened.settings).to_arrow()


def built(out: Path) -> pa.Table:
    """The rows of a result by cutoff and customer."""
    parts = sorted(out.glob("part-*.parquet")) if out.is_dir() else [out]
    table = pa.concat_tables([pq.read_table(part, partitioning=None) for part in parts])
    return table.take(pc.sort_indices(table, sort_keys=[("as_of", "ascending"), ("customer_id", "ascending")]))


def same(found: pa.Table, wanted: pa.Table) -> None:
    """To the last bit, nulls and all."""
    assert found.schema.remove_metadata() == wanted.schema.remove_metadata()
    for name in wanted.column_names:
        one, other = (_bits(table.column(name)) for table in (found, wanted))
        np.testing.assert_array_equal(one, other, err_msg=name)


def content(out: Path) -> dict[str, bytes]:
    """The bytes of what a reader finds; without the manifest, which knows in how many steps it came about."""
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.name != FILE}


def run(opened: Workspace, out: Path, source: Path | str | None = None, memory: int = TIGHT, tick=None) -> Built:
    return build(opened, CUTOFFS, out, None if source is None else str(source), memory, tick=tick)


def _bits(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_floating(column.type):
        return column.to_numpy().view(np.int64)
    if pa.types.is_dictionary(column.type):
        return np.array(column.cast(pa.string()).to_pylist(), object)
    return np.array(column.to_pylist(), object)
