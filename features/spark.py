"""Features on Spark: buckets of customers, each computed by the same `batch.compute`, wherever the executors are.

Nothing here knows what a feature is. Every row of a customer goes to one bucket, a bucket is one Arrow table, and what
comes of it is what one machine gives, to the last bit. Only DataFrames are used, so that Spark Connect works as well.
Executors need Python with this package: on a cluster it travels with the environment (`spark.archives`).
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.arrange import COLUMNS
from features.batch import compute
from features.buckets import Keys
from features.catalogue import Catalogue
from features.interactions import INSTANT, SCHEMA
from features.kernel.entries import own_kinds
from features.past import Past
from features.spark_session import one_line, session
from features.vocabulary import Vocabulary
from features.workspace import Settings, WorkspaceError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from features.engine.beside import Beside

#: Interactions of one bucket, about: what an executor's Python holds at a time is a few hundred MB.
BUCKET_ROWS = 500_000
#: And at least so many buckets, so that there is work for every core of a small cluster.
BUCKETS = 16
_BUCKET = "_bucket"


def compute_spark(
    source: "DataFrame | Sequence[str]",
    cutoffs: Sequence[int],
    catalogue: Catalogue,
    settings: Settings,
    master: str | None = None,
    beside: "Beside | None" = None,
    buckets: int | None = None,
) -> "DataFrame":
    """The rows of `batch.compute(...).to_arrow()` as a Spark DataFrame, in no particular order; nothing runs yet.

    `source` is a DataFrame in the contract's columns, or Parquet files or folders that hold one; `beside` brings
    attributes and links. Categorical features are strings. Raises WorkspaceError naming a column that is missing.
    """
    with one_line("Spark cannot read the interactions"):
        frame = parquet(session(master), source) if isinstance(source, Sequence) else source
        frame = contract(frame)
        n = buckets or buckets_for(frame.count())
        carry(catalogue)
        instants = [int(cutoff) for cutoff in cutoffs]

        def work(_bucket: int, past: Past) -> pa.Table:
            # one thread each: Spark gives every core a bucket of its own
            return _plain(compute(past, instants, catalogue, settings, workers=1).to_arrow())

        return by_bucket(frame, n, work, _schema(catalogue, settings), beside)


def carry(catalogue: Catalogue) -> None:
    """Executors have no `catalogue.py` of the workspace: what it defines travels as code, not as a name."""
    import numba.cloudpickle
    import pyspark.cloudpickle

    for kind in own_kinds(catalogue):
        for pickle in (pyspark.cloudpickle, numba.cloudpickle):
            pickle.register_pickle_by_value(sys.modules[kind.__module__])


def buckets_for(rows: int) -> int:
    """How many buckets so many interactions are split into."""
    return max(BUCKETS, -(-rows // BUCKET_ROWS))


def by_bucket(
    frame: "DataFrame", n: int, work: Callable[[int, Past], pa.Table], schema: Any, beside: "Beside | None" = None
) -> "DataFrame":
    """What `work(bucket, past)` returns, in the columns of `schema`, of each of `n` buckets of customers.

    `work` runs on executors, once or more often. The buckets are those of features/buckets.py.
    """
    from pyspark.sql.pandas.functions import arrow_udf

    keys = Keys() if beside is None else beside.keys

    def bucket_of(customer_id: pa.Array) -> pa.Array:
        if customer_id.null_count:
            raise ValueError("an interaction has no customer_id; `tactful ingest` sets such rows aside")
        return pa.array((keys.of(customer_id) % np.uint64(n)).astype(np.int32))

    def alone(key: tuple[pa.Scalar], rows: pa.Table) -> pa.Table:
        return work(key[0].as_py(), Past(_instants(rows.drop_columns(_BUCKET))))

    def together(key: tuple[pa.Scalar], rows: pa.Table, other: pa.Table) -> pa.Table:
        attributes, links = (_unpacked(other, name) for name in ("attributes", "links"))
        return work(key[0].as_py(), Past(_instants(rows.drop_columns(_BUCKET)), attributes, links))

    with one_line("Spark cannot read the interactions"):
        udf: Any = arrow_udf  # its stubs know no type hints on the function, which it prefers itself
        bucket = udf(bucket_of, "int")("customer_id")
        groups = frame.withColumn(_BUCKET, bucket).groupBy(_BUCKET)
        if beside is None:
            return groups.applyInArrow(alone, schema)
        others = frame.sparkSession.createDataFrame(_packed(beside, n))
        return groups.cogroup(others.groupBy(_BUCKET)).applyInArrow(together, schema)


def tables(frame: "DataFrame", catalogue: Catalogue, settings: Settings, folder: Path) -> Iterator[pa.Table]:
    """Runs it, Spark writing to `folder` (which must be new), and gives the parts in the columns of `to_arrow()`."""
    with one_line("Spark failed"):
        frame.write.option("compression", "zstd").parquet(str(folder))
    levels = catalogue.compile(Vocabulary(), settings).levels
    for part in sorted(folder.glob("part-*.parquet")):
        yield _labelled(pq.read_table(part), levels)


def parquet(spark: "SparkSession", paths: Sequence[str]) -> "DataFrame":
    """Instants before 1900 mean what they mean elsewhere, and a later file may have columns that an earlier has not."""
    reader = spark.read.option("datetimeRebaseMode", "CORRECTED").option("mergeSchema", "true")
    return reader.parquet(*paths)


def contract(frame: "DataFrame") -> "DataFrame":
    """The columns that features read; optional ones that the source has not take their defaults."""
    return frame.select([_column(frame, name) for name in COLUMNS])


def _column(frame: "DataFrame", name: str) -> "Column":
    from pyspark.sql import functions as sql

    if name in frame.columns:
        column = sql.col(name)
    elif name == "direction":
        column = sql.lit("inbound")
    elif name == "received_at":
        column = sql.col("occurred_at")
    elif SCHEMA.field(name).nullable:
        column = sql.lit(None).cast("double" if SCHEMA.field(name).type == pa.float64() else "string")
    else:
        raise WorkspaceError(f"the interactions lack the column {name}; see features/interactions.py")
    # of two columns features ask little, so that little is shuffled: whether there is any, and the discount
    if name == "decision_id":
        return column.isNotNull().alias("_own")
    if name == "attributes":
        return sql.when(column.contains('"discount"'), column).alias(name)
    return column.alias(name)


def _schema(catalogue: Catalogue, settings: Settings) -> Any:
    from pyspark.sql import types

    levels = catalogue.compile(Vocabulary(), settings).levels
    word, instant, number = types.StringType(), types.TimestampType(), types.DoubleType()
    features = {name: word if name in levels else number for name in catalogue.names}
    columns = {"customer_id": word, "as_of": instant, **features}
    return types.StructType([types.StructField(name, kind) for name, kind in columns.items()])


def _packed(beside: "Beside", n: int) -> pa.Table:
    """Attributes and links of each bucket that has any, as bytes: one row a bucket."""
    nothing = SCHEMA.empty_table()
    pasts = [beside.past(nothing, bucket, n) for bucket in range(n)]
    columns = {_BUCKET: pa.array(range(n), pa.int32())}
    for name in ("attributes", "links"):
        columns[name] = pa.array([_bytes(getattr(past, name)) for past in pasts], pa.binary())
    return pa.table(columns)


def _bytes(table: pa.Table | None) -> bytes | None:
    if table is None:
        return None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _unpacked(other: pa.Table, name: str) -> pa.Table | None:
    content = other.column(name)[0].as_py() if other.num_rows else None
    return None if content is None else pa.ipc.open_stream(content).read_all()


def _plain(table: pa.Table) -> pa.Table:
    """Spark knows no dictionaries."""
    plain = [column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in table.columns]
    return pa.table(plain, names=table.column_names)


def _instants(table: pa.Table) -> pa.Table:
    """Spark's instants carry the session's zone, or none; the contract's are UTC."""
    for position, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(position, field.name, table.column(position).cast(INSTANT))
    return table


def _labelled(table: pa.Table, levels: dict[str, tuple[str, ...]]) -> pa.Table:
    """Categorical columns as dictionaries of the same labels as `to_arrow()`; instants as the contract's."""
    table = _instants(table)
    for name, labels in levels.items():
        words = pa.array(labels, pa.string())
        codes = pc.index_in(table.column(name), words).combine_chunks()
        column = pa.DictionaryArray.from_arrays(codes, words)
        table = table.set_column(table.column_names.index(name), name, column)
    return table
