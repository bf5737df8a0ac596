"""A backup of the PostgreSQL store: a folder with one file a table, all as of one moment, and a manifest.

The tables are copied as PostgreSQL itself writes them (COPY ... TO, binary), in one repeatable-read transaction: who
decides meanwhile goes on. It is restored into an empty schema of any database.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import psycopg

from features.workspace import WorkspaceError
from serving.store import postgres_schema

MANIFEST = "tactful-backup.json"
_TABLES = (
    "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'tactful_schema' ORDER BY 1"
)
_COUNTED = ("interactions", "decisions", "contact_log", "attributes", "links", "outbox")


def write(connection: "psycopg.Connection[Any]", target: Path) -> None:
    """Into a new folder, whole or not at all. Raises WorkspaceError."""
    if target.exists():
        raise WorkspaceError(f"{target} exists already; name a new folder for the backup")
    own = target.with_name(target.name + ".part")
    shutil.rmtree(own, ignore_errors=True)
    try:
        own.mkdir(parents=True)
        rows: dict[str, int] = {}
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = 0")
            for (table,) in cursor.execute(_TABLES).fetchall():
                with cursor.copy(f"COPY {table} TO STDOUT (FORMAT binary)") as copied, (own / table).open("wb") as file:
                    for block in copied:
                        file.write(block)
                rows[table] = cursor.rowcount
        manifest = {"schema": postgres_schema.VERSION, "rows": rows}
        (own / MANIFEST).write_text(json.dumps(manifest, indent=1))
        own.rename(target)
    except (psycopg.Error, OSError) as error:
        shutil.rmtree(own, ignore_errors=True)
        raise WorkspaceError(f"{target}: the backup could not be written: {error}") from None


def read(connection: "psycopg.Connection[Any]", source: Path, name: str) -> dict[str, int]:
    """Rows restored, by table; all in one transaction. Raises WorkspaceError where something is there already."""
    try:
        manifest = json.loads((source / MANIFEST).read_text())
        version, expected = int(manifest["schema"]), dict(manifest["rows"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(f"{source} is no backup of a PostgreSQL store ({MANIFEST}: {error})") from None
    if version > postgres_schema.VERSION:
        raise WorkspaceError(f"{source} was written by a newer Tactful (schema {version}); upgrade Tactful")
    try:
        with connection.transaction(), connection.cursor() as cursor:
            if cursor.execute(_TABLES).fetchall():
                raise WorkspaceError(f"{name} is not empty; restore into an empty database or schema")
            cursor.execute("SET LOCAL statement_timeout = 0")
            postgres_schema.migrate(connection, name, version)
            for table, number in expected.items():
                with (
                    cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copied,
                    (source / table).open("rb") as f,
                ):
                    while block := f.read(1 << 20):
                        copied.write(block)
                if cursor.rowcount != number:
                    raise WorkspaceError(f"{source / table}: {cursor.rowcount} rows, the backup was of {number}")
            for table in _COUNTED:
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'position'), "
                    f"(SELECT coalesce(max(position), 0) + 1 FROM {table}), false)"
                )
            postgres_schema.migrate(connection, name)
    except (psycopg.Error, OSError) as error:
        raise WorkspaceError(f"{source}: cannot be restored: {error}") from None
    return expected
