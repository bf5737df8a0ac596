"""The store on PostgreSQL, for when more than one machine decides. Acknowledged means on disk (synchronous_commit).

Every process has one writer that groups what waits into a transaction. Whoever changes a customer locks their row
first, and a transaction locks all of its customers in one order; what still collides is rolled back and tried again.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg.pq import TransactionStatus
from psycopg.types.json import set_json_loads
from psycopg.types.numeric import Int8Dumper

from features.workspace import Identity, WorkspaceError
from serving.store import folding, postgres_schema
from serving.store.protocol import Unavailable
from serving.store.sql_store import SqlStore
from serving.store.tx import Reader, Rows, arrayed, for_postgres
from serving.store.writer import Gone

CONNECT_S, STATEMENT_S, IDLE_S = 2, 5, 10  # a database that does not answer is given up after so many seconds
ANSWER_S = STATEMENT_S + 1  # whether or not the server is there to notice that a statement takes too long
DOWN_S = 0.5  # and not asked again for so long, lest every request waits for it
SILENT_S = 5  # the same where it takes connections and says nothing: each try would take CONNECT_S
KEPT_OPEN = 8  # connections for reading
COPIED = 20  # rows from which on COPY, two journeys more, is quicker than statements

_LOCK_INSERT = """
    INSERT INTO customers (customer_id, version, seen_to)
    SELECT value, 0, 0 FROM texts(?) ORDER BY value ON CONFLICT DO NOTHING"""
_LOCK = """
    SELECT 1 FROM customers WHERE customer_id IN (SELECT value FROM texts(?)) OR customer_id IN (
        SELECT persons.customer_id FROM persons WHERE raw IN (SELECT value FROM texts(?)))
    ORDER BY customer_id FOR NO KEY UPDATE"""
_BESIDE = "SELECT pg_advisory_xact_lock_shared(hashtextextended(value, ?)) FROM texts(?)"


class Silent(psycopg.OperationalError):
    """The server did not answer: it hangs, or the network swallows what is sent."""


class Patient(psycopg.Connection[Any]):
    """A connection that is given up where a statement is not answered within ANSWER_S: its state is unknown then."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, ANSWER_S if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise Silent(f"no answer within {ANSWER_S} s") from None


class PostgresTx:
    """`serving.store.tx.Tx` on a connection."""

    def __init__(self, connection: "psycopg.Connection[Any]", seed: int) -> None:
        self._connection, self._seed = connection, seed
        self.locked: set[str] = set()
        self.matters: set[str] = set()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        return _execute(self._connection, sql, parameters)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        if len(rows) == 1:
            self.execute(sql, rows[0])
        elif rows:
            self._connection.cursor().executemany(for_postgres(sql), rows)

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        if len(rows) < COPIED:
            marks = ", ".join("?" * len(columns))
            self.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
            return
        with self._connection.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copied:
            for row in rows:
                copied.write_row([arrayed(each) for each in row])

    def each(self, sql: str, rows: Sequence[Sequence[Any]]) -> list[bool]:
        if len(rows) < 2:
            return [self.execute(sql, row).rowcount > 0 for row in rows]
        cursor = self._connection.cursor()
        cursor.executemany(for_postgres(sql + " RETURNING 1"), rows, returning=True)
        changed = [cursor.rowcount > 0]
        while cursor.nextset():
            changed.append(cursor.rowcount > 0)
        return changed

    def lock(self, customer_ids: Collection[str]) -> None:
        """A customer whom nobody has seen gets a row to lock, of version 0, which says nothing."""
        if fresh := sorted(set(customer_ids) - self.locked):
            self.execute(_LOCK_INSERT, (fresh,))
            self.execute(_LOCK, (fresh, fresh))
            self.locked.update(fresh)

    def alone(self, matter: str) -> None:
        if matter not in self.matters:
            self.execute("SELECT pg_advisory_xact_lock(hashtextextended(?, ?))", (matter, self._seed))
            self.matters.add(matter)

    def beside(self, matters: Collection[str]) -> None:
        if asked := sorted(set(matters) - self.matters):
            self.execute(_BESIDE, (self._seed, asked))


class PostgresSession:
    """`serving.store.writer.Session`: a connection that is opened when it is needed, and anew when it was lost."""

    def __init__(self, database: "PostgresDatabase") -> None:
        self._database = database
        self._connection: psycopg.Connection[Any] | None = None
        #: Whoever reads a log to its end waits for those who are writing: see PostgresDatabase.settled.
        self._begin = f"BEGIN; SELECT pg_advisory_xact_lock_shared({database.seed})"

    @contextmanager
    def transaction(self, about: Collection[str]) -> Iterator[PostgresTx]:
        if self._connection is None or self._connection.closed:
            self._connection = self._database.connect()
        connection = self._connection
        self._tx = tx = PostgresTx(connection, self._database.seed)
        try:
            connection.execute(self._begin, prepare=False)
            tx.lock(about)
            yield tx
            if connection.execute("COMMIT").statusmessage != "COMMIT":  # it was aborted: the server rolled it back
                raise Gone("an operation left the transaction aborted")
        except BaseException:
            self._roll_back(connection)
            raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        tx, connection = self._tx, self._connection
        assert connection is not None
        before = set(tx.locked), set(tx.matters)
        connection.execute("SAVEPOINT operation")
        try:
            yield
        except Exception as error:
            if connection.closed:
                raise Gone(str(error)) from error
            if not self.passing(error):
                connection.execute("ROLLBACK TO operation; RELEASE operation", prepare=False)
                tx.locked, tx.matters = before  # what was locked inside is free again
            raise
        connection.execute("RELEASE operation")

    def passing(self, error: BaseException) -> bool:
        return isinstance(error, (DeadlockDetected, SerializationFailure))

    def explained(self, error: BaseException) -> BaseException:
        return unavailable(error) if isinstance(error, psycopg.Error) else error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _roll_back(self, connection: "psycopg.Connection[Any]") -> None:
        """To an idle connection, or none."""
        try:
            if not connection.closed and connection.info.transaction_status != TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()


class PostgresDatabase:
    """`serving.store.sql_store.Database`: a schema of a database, and connections that are idle between reads.

    Not psycopg_pool's: it hands out a lost connection unless each is checked, which is a round trip more than the read
    itself, and it tries to connect behind our back for minutes where we say at once that the database is away. As many
    connections stay open as read at one time, which the threads that read limit.
    """

    remote = True

    def __init__(self, url: str) -> None:
        """Creates the tables where they are missing. Raises Unavailable, schema.WrongFile."""
        self._aim(url)
        with self.connect() as first:
            try:
                if not postgres_schema.is_current(first):
                    with self.connect(psycopg.Connection) as upgrading:  # which may take its time
                        postgres_schema.migrate(upgrading, self._name)
            except psycopg.Error as error:
                raise unavailable(error) from None
            found = first.execute("SELECT hashtextextended('tactful ' || current_schema(), 0)").fetchone()
            assert found is not None
            self.seed = int(found[0])

    @classmethod
    def bare(cls, url: str) -> "PostgresDatabase":
        """Only to connect to: no table is made."""
        database = cls.__new__(cls)
        database._aim(url)
        return database

    def _aim(self, url: str) -> None:
        self._url = url
        parts = conninfo_to_dict(url)
        host, name = parts.get("host") or "localhost", parts.get("dbname") or parts.get("user")
        self._name = f"PostgreSQL database {name} on {host}"
        self.reader: Reader = self
        self._idle: deque[psycopg.Connection[Any]] = deque()
        self._closed = False
        self._down: tuple[float, str] = (0.0, "")

    def __str__(self) -> str:
        return self._name

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        """Reads; once more where the connection had been lost meanwhile. Raises Unavailable."""
        while True:
            connection, is_old = self._take()
            try:
                rows = _execute(connection, sql, parameters)
            except Silent as error:
                while self._idle:  # each of them would be waited for as long
                    self._idle.pop().close()
                raise self._gone(error, SILENT_S) from None
            except psycopg.Error as error:
                if is_old and connection.closed:
                    continue  # others may be lost with it: each is thrown away as it is met
                raise unavailable(error) from None
            finally:
                self._give_back(connection)
            return rows

    def connect(self, kind: type[psycopg.Connection[Any]] = Patient) -> "psycopg.Connection[Any]":
        """A new connection in autocommit mode. Raises Unavailable."""
        until, why = self._down
        if time.monotonic() < until:
            raise Unavailable(why)
        try:
            connection = kind.connect(
                self._url,
                autocommit=True,
                prepare_threshold=2,
                connect_timeout=CONNECT_S,
                application_name="tactful",
                tcp_user_timeout=1000 * STATEMENT_S,
                keepalives_idle=IDLE_S,
            )
            connection.execute(
                f"SET synchronous_commit = on; SET statement_timeout = '{STATEMENT_S}s'; "
                f"SET idle_in_transaction_session_timeout = '{IDLE_S}s'",
                prepare=False,
            )
        except psycopg.Error as error:
            silent = isinstance(error, (Silent, psycopg.errors.ConnectionTimeout))
            raise self._gone(error, SILENT_S if silent else DOWN_S) from None
        set_json_loads(_as_it_is, connection)
        connection.adapters.register_dumper(int, Int8Dumper)
        return connection

    def _gone(self, error: psycopg.Error, seconds: float) -> Unavailable:
        """Nobody asks again for some seconds; each would wait as long."""
        failure = unavailable(error)
        self._down = time.monotonic() + seconds, str(failure)
        return failure

    def session(self) -> PostgresSession:
        folding.warm()
        return PostgresSession(self)

    def settled(self, table: str) -> int:
        """Positions are given before they are committed: whoever holds one that is not there yet is waited for."""
        connection, _ = self._take()
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", (self.seed,))
            asked = f"SELECT coalesce(max(position), 0), pg_advisory_unlock(%s) FROM {table}"
            found = connection.execute(asked, (self.seed,)).fetchone()
            assert found is not None
            return int(found[0])
        except psycopg.Error as error:
            connection.close()
            raise unavailable(error) from None
        finally:
            self._give_back(connection)

    def problem(self) -> str | None:
        try:
            self.execute("SELECT 1").fetchone()
        except Unavailable as error:
            return f"{self._name}: {error}"
        return None

    def backup(self, target: Path) -> None:
        from serving.store import postgres_copy

        with self.connect(psycopg.Connection) as connection:  # a copy of a table takes its time
            postgres_copy.write(connection, target)

    def scrub(self) -> None:
        """Old versions of rows are removed from the tables; their write-ahead log is the server's to keep."""
        try:
            with self.connect(psycopg.Connection) as connection:
                connection.execute("SET statement_timeout = 0")
                connection.execute("VACUUM")
        except psycopg.Error as error:
            raise unavailable(error) from None

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> "tuple[psycopg.Connection[Any], bool]":
        """A connection, and whether it was there before. As many as read at one time, so mostly one."""
        try:
            return self._idle.pop(), True
        except IndexError:
            return self.connect(), False

    def _give_back(self, connection: "psycopg.Connection[Any]") -> None:
        if connection.closed:
            return
        if self._closed or len(self._idle) >= KEPT_OPEN:
            connection.close()
        else:
            self._idle.append(connection)


def restore(source: Path, url: str) -> None:
    """A backup into an empty schema. Raises WorkspaceError where it is not empty, or the backup is none."""
    from serving.store import postgres_copy

    database = PostgresDatabase.bare(url)
    try:
        with database.connect(psycopg.Connection) as connection:
            postgres_copy.read(connection, source, str(database))
    except Unavailable as error:
        raise WorkspaceError(f"{source}: cannot be restored: {error}") from None


class PostgresStore(SqlStore):
    """The store in one schema of a database (`?options=-csearch_path%3DNAME` in the URL chooses another)."""

    def __init__(
        self,
        url: str,
        sensitive: Collection[str] = (),
        attributes: Callable[[], Collection[str]] = tuple,
        kinds: Mapping[str, str] = Identity().kinds,
    ) -> None:
        """Creates the tables where they are missing. Raises Unavailable, schema.WrongFile."""
        self.url = url
        super().__init__(PostgresDatabase(url), sensitive, attributes, kinds)


def unavailable(error: BaseException) -> Unavailable:
    """In one line."""
    failure = Unavailable(f"the database: {' '.join(str(error).split())}")
    failure.__cause__ = error
    return failure


def _execute(connection: "psycopg.Connection[Any]", sql: str, parameters: Sequence[Any]) -> Rows:
    values = [arrayed(each) for each in parameters]
    return connection.execute(for_postgres(sql), values, binary=True)


def _as_it_is(text: Any) -> Any:
    """JSON stays text: we read it ourselves."""
    return text
