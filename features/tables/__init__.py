"""Tables of any columns, wherever they lie, read in batches: Parquet files and folders, DuckDB, PostgreSQL.

duckdb:///shop.db?table=interactions             a path like SQLite's: three slashes and it starts here,
duckdb:////data/shop.db?table=main.interactions  four and it starts at the root
postgresql://user:secret@host/shop?table=public.interactions
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

import pyarrow as pa

from features.workspace import WorkspaceError

SCHEMES = ("duckdb", "postgresql", "postgres")
#: Rows of a batch: the unit of memory and of progress.
BATCH_ROWS = 131_072


@dataclass(frozen=True)
class Unit:
    """A piece that a table is made of and that never changes under its name: a file, or a batch of the history."""

    id: str


class Table(Protocol):
    """An opened table. `name` is what a user may see of it: never a password.

    `units` are its pieces, so that what has been added since can be told; None where nobody knows without reading.
    """

    name: str
    columns: list[str]

    def rows(self) -> int:
        """How many, or nearly."""
        ...

    def units(self) -> list[Unit] | None: ...

    def batches(
        self, columns: Sequence[str], until: int | None = None, units: Sequence[Unit] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows, some of which may be left out where `occurred_at` is not before `until` (microseconds).

        `units` reads those pieces only. Raises WorkspaceError where the table cannot be read to its end.
        """
        ...


def is_url(source: str) -> bool:
    """Whether it names a table of a database, and not a file."""
    return "://" in source


def open_table(source: str) -> Table:
    """Parquet by its path, or a database's table by its URL. WorkspaceError says what is wrong and how to write it."""
    if not is_url(source):
        from features.tables.parquet import ParquetTable

        return ParquetTable(Path(source))
    scheme = urlsplit(source).scheme
    if scheme == "duckdb":
        from features.tables.duck import DuckTable

        return DuckTable(source)
    if scheme in ("postgresql", "postgres"):
        from features.tables.postgres import PostgresTable

        return PostgresTable(source)
    raise WorkspaceError(f"{without_password(source)}: tables are read from {', '.join(SCHEMES[:2])}, not {scheme}")


def split_table(url: str) -> tuple[str, str]:
    """The URL without its `table=`, and the table. Raises WorkspaceError where no table is named."""
    base, _, query = url.partition("?")
    options = parse_qsl(query, keep_blank_values=True)
    tables = [value for key, value in options if key == "table" and value]
    if len(tables) != 1:
        raise WorkspaceError(f"{without_password(url)}: say which table to read by table=NAME behind a ?")
    rest = urlencode([(key, value) for key, value in options if key != "table"])
    return f"{base}?{rest}" if rest else base, tables[0]


def without_password(url: str) -> str:
    """The URL as it may be shown and kept."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    return url.replace(f":{parts.password}@", ":***@", 1)


def quoted(table: str) -> str:
    """`schema.table` as an SQL name.

    >>> quoted('shop.order "lines"')
    '"shop"."order ""lines\"""'
    """
    return ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))
