"""Features on Spark: buckets of customers, each computed by the same `batch.compute`, wherever the executors are.

Nothing here knows what a feature is. Every row of a customer goes to one bucket, a bucket is one Arrow table, and what
comes of it is what one machine gives, to the last bit. Only DataFrames are used, so that Spark Connect works as well.
Executors need Python with this package: on a cluster it travels with the environment (`spark.archives`).
"""

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.arrange import COLUMNS
from features.batch import compute
from features.catalogue import Catalogue
from features.interactions import INSTANT, SCHEMA
from features.vocabulary import Vocabulary
from features.workspace import Settings, WorkspaceError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Interactions of one bucket, about: what an executor's Python holds at a time is a few hundred MB.
BUCKET_ROWS = 500_000
#: And at least so many buckets, so that there is work for every core of a small cluster.
BUCKETS = 16
_LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.log.level": "OFF",
}


def session(master: str | None = None, memory: str = "2g") -> "SparkSession":
    """The Spark session that is there, else one on `master`, else as spark-submit or the environment say, else local.

    `memory` is what Spark's own process on this machine may take. Raises WorkspaceError where Spark or Java is missing.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise WorkspaceError("the Spark engine needs pyspark: pip install 'tactful[spark]'") from None
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    elsewhere = any(name in os.environ for name in ("PYSPARK_GATEWAY_PORT", "SPARK_REMOTE", "SPARK_CONF_DIR"))
    if master is None and not elsewhere:
        master = "local[*]"
    builder: Any = SparkSession.builder
    builder = builder.appName("tactful").config("spark.sql.session.timeZone", "UTC")
    if master is not None:
        builder = builder.master(master)
    if master is not None and master.startswith("local"):
        if not java():
            raise WorkspaceError("the Spark engine needs Java 17: install openjdk-17-jre-headless, or set JAVA_HOME")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else workers take whichever python3 comes first
        for key, value in {**_LOCAL, "spark.driver.memory": memory}.items():
            builder = builder.config(key, value)
    with _one_line("Spark cannot be started"), _silent_stderr(master):
        return builder.getOrCreate()


def java() -> bool:
    """Whether there is a Java that runs."""
    home = os.environ.get("JAVA_HOME")
    program = os.path.join(home, "bin", "java") if home else shutil.which("java")
    if not program or not os.path.exists(program):
        return False
    return subprocess.run([program, "-version"], capture_output=True, check=False).returncode == 0


def compute_spark(
    source: "DataFrame | Sequence[str]",
    cutoffs: Sequence[int],
    catalogue: Catalogue,
    settings: Settings,
    master: str | None = None,
    buckets: int | None = None,
) -> "DataFrame":
    """The rows of `batch.compute(...).to_arrow()` as a Spark DataFrame, in no particular order; nothing runs yet.

    `source` is a DataFrame in the contract's columns, or Parquet files or folders that hold one. Categorical features
    are strings. Raises WorkspaceError naming a column that is missing.
    """
    from pyspark.sql import functions as sql

    with _one_line("Spark cannot read the interactions"):
        frame = _parquet(session(master), source) if isinstance(source, Sequence) else source
        frame = _contract(frame)
        if buckets is None:
            buckets = max(BUCKETS, -(-frame.count() // BUCKET_ROWS))
        bucket = sql.pmod(sql.xxhash64("customer_id"), sql.lit(buckets))
        worker = _worker([int(cutoff) for cutoff in cutoffs], catalogue, settings)
        groups = frame.withColumn("_bucket", bucket).groupBy("_bucket")
        return groups.applyInArrow(worker, _schema(catalogue, settings))


def tables(frame: "DataFrame", catalogue: Catalogue, settings: Settings, folder: Path) -> Iterator[pa.Table]:
    """Runs it, Spark writing to `folder` (which must be new), and gives the parts in the columns of `to_arrow()`."""
    with _one_line("Spark failed"):
        frame.write.option("compression", "zstd").parquet(str(folder))
    levels = catalogue.compile(Vocabulary(), settings).levels
    for part in sorted(folder.glob("part-*.parquet")):
        yield _labelled(pq.read_table(part), levels)


def _parquet(spark: "SparkSession", paths: Sequence[str]) -> "DataFrame":
    """Instants before 1900 mean what they mean elsewhere, and a later file may have columns that an earlier has not."""
    reader = spark.read.option("datetimeRebaseMode", "CORRECTED").option("mergeSchema", "true")
    return reader.parquet(*paths)


def _contract(frame: "DataFrame") -> "DataFrame":
    """The columns that features read; optional ones that the source has not take their defaults."""
    from pyspark.sql import functions as sql

    defaults = {"direction": sql.lit("inbound"), "received_at": sql.col("occurred_at")}
    columns = []
    for name in COLUMNS:
        if name in frame.columns:
            columns.append(sql.col(name))
        elif name in defaults:
            columns.append(defaults[name].alias(name))
        elif SCHEMA.field(name).nullable:
            columns.append(
                sql.lit(None).cast("double" if SCHEMA.field(name).type == pa.float64() else "string").alias(name)
            )
        else:
            raise WorkspaceError(f"the interactions lack the column {name}; see features/interactions.py")
    return frame.select(columns)


def _schema(catalogue: Catalogue, settings: Settings) -> Any:
    from pyspark.sql import types

    levels = catalogue.compile(Vocabulary(), settings).levels
    word, instant, number = types.StringType(), types.TimestampType(), types.DoubleType()
    features = {name: word if name in levels else number for name in catalogue.names}
    columns = {"customer_id": word, "as_of": instant, **features}
    return types.StructType([types.StructField(name, kind) for name, kind in columns.items()])


def _worker(cutoffs: list[int], catalogue: Catalogue, settings: Settings) -> Callable[[pa.Table], pa.Table]:
    """What an executor does with a bucket; one thread each, because Spark gives every core a bucket of its own."""

    def features(bucket: pa.Table) -> pa.Table:
        table = compute(_instants(bucket), cutoffs, catalogue, settings, workers=1).to_arrow()
        plain = [
            column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in table.columns
        ]
        return pa.table(plain, names=table.column_names)

    return features


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


@contextmanager
def _silent_stderr(master: str | None) -> Iterator[None]:
    """A local JVM keeps the standard error that it was started with, and is talkative: it gets none."""
    if master is None or not master.startswith("local"):
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Spark's errors are a page of Java: the first line says what happened."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
            yield
    except (PySparkException, Py4JError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = next((line for line in reversed(lines) if "Error:" in line), lines[0] if lines else repr(error))
        raise WorkspaceError(f"{what}: {told}") from None
