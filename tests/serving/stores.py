"""Stores for tests: each kind there is, empty, to be opened as often as a test likes.

The PostgreSQL is a real one, from a wheel. It does not flush to disk, for speed: what a lost machine loses is its own
affair, and what a killed client loses shows all the same. Nor does SQLite in the tests' own process.
"""

import atexit
import itertools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import postgresql_server
import psycopg
import pytest

from serving.store import Store, open_url
from serving.store.sqlite import SqliteDatabase

KINDS = ("sqlite", "postgres")
start, again = postgresql_server.start, postgresql_server.again
_numbers = itertools.count(1)


@cache
def server() -> Any:
    """One a test process, started when it is first needed."""
    folder = tempfile.mkdtemp(prefix="tactful-postgres-")
    started = postgresql_server.start(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with closing(psycopg.connect(started.get_uri(), autocommit=True)) as connection:
        for setting in ("fsync = off", "full_page_writes = off"):
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
    return started


@contextmanager
def unflushed() -> Iterator[Callable[[SqliteDatabase], sqlite3.Connection]]:
    """SQLite does not wait for a disk in this process. Gives what connects it as the service does."""
    connect = SqliteDatabase._connect

    def hastily(self: SqliteDatabase) -> sqlite3.Connection:
        connection = connect(self)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteDatabase, "_connect", hastily)
        yield connect


@dataclass
class Place:
    """Where one store is: `open` it as another process would, or look at its tables past it."""

    kind: str
    url: str
    opened: list[Store] = field(default_factory=list)

    def open(self, sensitive: Any = ("health",), **settings: Any) -> Any:
        self.opened.append(open_url(self.url, set(sensitive), **settings))
        return self.opened[-1]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the tables as they are on disk; changes are committed."""
        connection: Any
        if self.kind == "sqlite":
            connection = sqlite3.connect(self.url.removeprefix("sqlite:///"))
        else:
            connection = psycopg.connect(self.url)
        with closing(connection):
            cursor = connection.execute(sql)
            rows = cursor.fetchall() if cursor.description else []
            connection.commit()
        return rows

    def close(self) -> None:
        for store in self.opened:
            store.close()
        self.opened.clear()


def place(kind: str, folder: Path) -> Place:
    """A new one: a file of the folder, or a schema of the server."""
    if kind == "sqlite":
        return Place(kind, f"sqlite:///{folder / f'store-{next(_numbers)}.db'}")
    url, name = server().get_uri(), f"test_{os.getpid()}_{next(_numbers)}"
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return Place(kind, f"{url}&options=-csearch_path%3D{name}")
