"""A table or view of a DuckDB file, streamed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from features import clock
from features.tables import BATCH_ROWS, Unit, quoted, split_table
from features.workspace import WorkspaceError

#: What Arrow has no plain type for is read as text, and exact numbers as doubles.
_AS_TEXT = ("UUID", "ENUM", "JSON", "INTERVAL", "BIT")
_AS_NUMBER = ("DECIMAL", "HUGEINT", "UHUGEINT", "BIGNUM", "VARINT")


class DuckTable:
    """Opened for reading only, so that another reader may have it open as well."""

    def __init__(self, url: str) -> None:
        database, table = split_table(url)
        self.name = url
        self._path, self._table = Path(database.removeprefix("duckdb:///")), table
        if not self._path.is_file():
            raise WorkspaceError(f"{url}: no such file: {self._path}")
        try:
            with self._connect() as connection:
                described = connection.execute(f"DESCRIBE {quoted(table)}").fetchall()
                self._rows = int(connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchall()[0][0])
        except duckdb.Error as error:
            raise self._failed(error) from None
        self._kinds = {str(name): str(kind) for name, kind, *_ in described}
        self.columns = list(self._kinds)

    def rows(self) -> int:
        return self._rows

    def units(self) -> list[Unit] | None:
        return None

    def batches(
        self, columns: Sequence[str], until: int | None = None, units: Sequence[Unit] | None = None
    ) -> Iterator[pa.RecordBatch]:
        assert units is None
        query = f"SELECT {', '.join(self._column(name) for name in columns)} FROM {quoted(self._table)}"
        if until is not None and self._kinds.get("occurred_at", "").startswith("TIMESTAMP"):
            query += f" WHERE occurred_at < '{clock.isoformat(until)}'::TIMESTAMPTZ OR occurred_at IS NULL"
        try:
            with self._connect() as connection:
                for batch in connection.sql(query).to_arrow_reader(BATCH_ROWS):
                    if batch.num_rows:
                        yield batch
        except (duckdb.Error, pa.ArrowInvalid) as error:
            raise self._failed(error) from None

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(str(self._path), read_only=True, config={"memory_limit": "512MB", "threads": 1})
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def _column(self, name: str) -> str:
        kind, column = self._kinds[name].upper(), quoted_name(name)
        if kind.startswith(_AS_TEXT):
            return f"CAST({column} AS VARCHAR) AS {column}"
        return f"CAST({column} AS DOUBLE) AS {column}" if kind.startswith(_AS_NUMBER) else column

    def _failed(self, error: Exception) -> WorkspaceError:
        return WorkspaceError(f"{self.name}: DuckDB says: {str(error).splitlines()[0]}")


def quoted_name(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'
