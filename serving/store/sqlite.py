"""The embedded store: one SQLite file, many processes. Acknowledged means on disk (WAL, synchronous=FULL)."""

import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from features.workspace import Identity, WorkspaceError
from serving.store import schema
from serving.store.protocol import Unavailable
from serving.store.sql_store import SqlStore
from serving.store.turns import Turns
from serving.store.tx import Reader, Rows, for_sqlite, listed
from serving.store.writer import Gone

_NO_END = (1 << 63) - 1
#: Rows that go in with one statement: during each, and between two, Python's lock changes hands, and whoever judges
#: decisions beside the writer would be stopped as often.
TOGETHER = 16
#: The log is folded into the file so often that nobody waits long for it: at 4,000 pages one decision in sixty waited
#: 20 ms, at 1,000 one in sixteen waits 4 ms, for the same CPU.
FOLDED = 1_000
PAGES = 2_000  # copied by a backup in one go: writers wait for some milliseconds


class SqliteTx:
    """`serving.store.tx.Tx` on a connection. One process writes at a time, so there is nothing more to lock."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        return self.connection.execute(for_sqlite(sql), [listed(each) for each in parameters])

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self.connection.executemany(for_sqlite(sql), rows)

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        for start in range(0, len(rows), TOGETHER):
            some = rows[start : start + TOGETHER]
            self.connection.execute(_insert(table, tuple(columns), len(some)), [*chain.from_iterable(some)])

    def each(self, sql: str, rows: Sequence[Sequence[Any]]) -> list[bool]:
        return [self.connection.execute(for_sqlite(sql), row).rowcount > 0 for row in rows]

    def lock(self, customer_ids: Collection[str]) -> None:
        pass

    def alone(self, matter: str) -> None:
        pass

    def beside(self, matters: Collection[str]) -> None:
        pass


class SqliteSession:
    """`serving.store.writer.Session`: processes take turns."""

    def __init__(self, connection: sqlite3.Connection, turns: Turns) -> None:
        self._connection, self._turns = connection, turns
        self._tx = SqliteTx(connection)

    @contextmanager
    def transaction(self, about: Collection[str]) -> Iterator[SqliteTx]:  # noqa: ARG002  all are locked
        with self._turns.taken():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._tx
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self._connection.execute("SAVEPOINT operation")
        try:
            yield
        except Exception as error:
            if not self._connection.in_transaction:  # SQLite gave it up: disk full, I/O error
                raise Gone(str(error)) from error
            self._connection.execute("ROLLBACK TO operation")
            self._connection.execute("RELEASE operation")
            raise
        self._connection.execute("RELEASE operation")

    def passing(self, error: BaseException) -> bool:  # noqa: ARG002  whoever has the turn is alone
        return False

    def explained(self, error: BaseException) -> BaseException:
        if isinstance(error, sqlite3.OperationalError):
            return Unavailable(f"the store could not write: {error}")
        return error

    def close(self) -> None:
        self._connection.close()
        self._turns.close()


class SqliteDatabase:
    """`serving.store.sql_store.Database`: a file, a connection for each thread that reads."""

    remote = False

    def __init__(self, path: Path) -> None:
        """Creates the file where it is missing. Raises schema.WrongFile where it is something else."""
        self.path = path
        self.reader: Reader = self
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        turns = self._turns()
        try:
            with turns.taken(), closing(self._connect()) as first:
                schema.migrate(first, str(path))
        except sqlite3.DatabaseError as error:
            raise schema.WrongFile(f"{path} cannot be used as a store: {error}") from None
        finally:
            turns.close()

    def __str__(self) -> str:
        return str(self.path)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection.execute(for_sqlite(sql), [listed(each) for each in parameters])

    def session(self) -> SqliteSession:
        return SqliteSession(self._connect(), self._turns())

    def settled(self, table: str) -> int:  # noqa: ARG002  positions are given in the order of commits
        return _NO_END

    def problem(self) -> str | None:
        try:
            self.execute("SELECT 1 FROM synced LIMIT 1").fetchone()
        except (sqlite3.Error, OSError) as error:
            return f"{self.path}: {error}"
        return None

    def backup(self, target: Path) -> None:
        """SQLite's online backup into a new file: readers and writers go on."""
        if target.exists():
            raise WorkspaceError(f"{target} exists already; name a new file for the backup")
        own = target.with_name(target.name + ".part")
        own.unlink(missing_ok=True)
        try:
            with closing(self._connect()) as source, closing(sqlite3.connect(own)) as copy:
                source.backup(copy, pages=PAGES, sleep=0.001)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
            own.rename(target)
        except (sqlite3.Error, OSError) as error:
            own.unlink(missing_ok=True)
            raise WorkspaceError(f"{target}: the backup could not be written: {error}") from None

    def scrub(self) -> None:
        """Writes the file anew and empties the log before it: free pages and old versions of rows are no more.

        Writers wait meanwhile, some seconds a gigabyte.
        """
        turns = self._turns()
        try:
            with turns.taken(), closing(self._connect()) as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise Unavailable(f"{self.path} could not be written anew: {error}") from None
        finally:
            turns.close()

    def close(self) -> None:
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _turns(self) -> Turns:
        return Turns(self.path.with_name(self.path.name + "-lock"))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {FOLDED}")
        connection.execute("PRAGMA cache_size = -32000")
        return connection


@lru_cache(maxsize=256)
def _insert(table: str, columns: tuple[str, ...], number: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * number)}"


def restore(source: Path, target: Path) -> None:
    """A backup to where a store is to be. Raises WorkspaceError where one is, or the backup is none."""
    if target.exists():
        raise WorkspaceError(f"{target} exists already; stop the service and move the file away first")
    own = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        own.unlink(missing_ok=True)
        with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as copy:
            if copy.execute("PRAGMA application_id").fetchone() != (schema.APPLICATION,):
                raise WorkspaceError(f"{source} is no backup of a Tactful store; name what `tactful backup` wrote")
            if (found := copy.execute("PRAGMA integrity_check").fetchone()) != ("ok",):
                raise WorkspaceError(f"{source} is damaged ({found[0]}); use another backup")
            with closing(sqlite3.connect(own)) as fresh:
                copy.backup(fresh)
        with closing(sqlite3.connect(own, isolation_level=None)) as fresh:
            schema.migrate(fresh, str(source))
        with own.open("rb") as file:
            os.fsync(file.fileno())
        os.link(own, target)  # unlike a renaming, never over a store that was made meanwhile
    except (sqlite3.Error, OSError, schema.WrongFile) as error:
        raise WorkspaceError(f"{source}: cannot be restored to {target}: {error}") from None
    finally:
        own.unlink(missing_ok=True)


class SqliteStore(SqlStore):
    """The store on one file."""

    def __init__(
        self,
        path: Path | str,
        sensitive: Collection[str] = (),
        attributes: Callable[[], Collection[str]] = tuple,
        kinds: Mapping[str, str] = Identity().kinds,
    ) -> None:
        """Creates the file where it is missing. Raises schema.WrongFile where it is something else."""
        self.path = Path(path)
        super().__init__(SqliteDatabase(self.path), sensitive, attributes, kinds)
