"""A table or view of PostgreSQL, streamed as Arrow by its binary COPY (ADBC): one query, one snapshot."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from features import clock
from features.tables import Unit, quoted, split_table, without_password
from features.workspace import WorkspaceError

#: Types that come over as they are; numeric is read as a double, everything else as text.
_PLAIN = {
    "boolean", "smallint", "integer", "bigint", "real", "double precision", "text", "character varying",
    "timestamp with time zone", "timestamp without time zone", "date",
}  # fmt: skip


class PostgresTable:
    """Every reading opens a connection of its own and closes it."""

    def __init__(self, url: str) -> None:
        try:
            from adbc_driver_postgresql import dbapi
        except ImportError:
            raise WorkspaceError("PostgreSQL tables need a driver: pip install 'tactful[postgres]'") from None
        self._driver: Any = dbapi
        self.name = without_password(url)
        self._database, table = split_table(url)
        self._table = quoted(table)
        regclass = "'" + self._table.replace("'", "''") + "'::regclass"
        try:
            with self._driver.connect(self._database) as connection, connection.cursor() as cursor:
                cursor.execute(
                    "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute"
                    f" WHERE attrelid = {regclass} AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
                )
                self._kinds = dict(cursor.fetchall())
                cursor.execute(f"SELECT reltuples::bigint FROM pg_class WHERE oid = {regclass}")
                self._rows = int(cursor.fetchall()[0][0])
                if self._rows < 1:  # never analysed, or a view
                    cursor.execute(f"SELECT count(*) FROM {self._table}")
                    self._rows = int(cursor.fetchall()[0][0])
        except self._driver.Error as error:
            raise self._failed(error) from None
        self.columns = list(self._kinds)

    def rows(self) -> int:
        return self._rows

    def units(self) -> list[Unit] | None:
        return None

    def batches(
        self, columns: Sequence[str], until: int | None = None, units: Sequence[Unit] | None = None
    ) -> Iterator[pa.RecordBatch]:
        assert units is None
        query = f"SELECT {', '.join(self._column(name) for name in columns)} FROM {self._table}"
        if until is not None and self._kinds.get("occurred_at", "").startswith("timestamp"):
            zone = "timestamptz" if "with time zone" in self._kinds["occurred_at"] else "timestamp"
            query += f" WHERE occurred_at < '{clock.isoformat(until)}'::{zone} OR occurred_at IS NULL"
        try:
            with self._driver.connect(self._database) as connection, connection.cursor() as cursor:
                cursor.execute(query)
                for batch in cursor.fetch_record_batch():
                    if batch.num_rows:
                        yield batch
        except (self._driver.Error, pa.ArrowException, OSError) as error:
            raise self._failed(error) from None

    def _column(self, name: str) -> str:
        kind, column = self._kinds[name], '"' + name.replace('"', '""') + '"'
        if kind in _PLAIN:
            return column
        return f"{column}::{'double precision' if kind == 'numeric' else 'text'} AS {column}"

    def _failed(self, error: Exception) -> WorkspaceError:
        text = " ".join(str(error).split()).replace(self._database, self.name)
        return WorkspaceError(f"{self.name}: PostgreSQL says: {text}")
