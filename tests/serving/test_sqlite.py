"""What is particular to the SQLite store: its file, its schema, its writer."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from features.kernel.notable import OUTBOUND, PLAIN
from features.state import State
from features.vocabulary import Vocabulary
from features.workspace import Workspace, WorkspaceError
from serving.store import SqliteStore, open_store, reading, schema
from serving.store.protocol import Unavailable
from serving.store.sqlite import SqliteDatabase, SqliteSession, SqliteTx
from serving.store.turns import Turns
from serving.store.words import Words
from serving.store.writer import Closed, Writer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def writer(tmp_path):
    def connect() -> SqliteSession:
        connection = sqlite3.connect(tmp_path / "w.db", isolation_level=None, check_same_thread=False)
        connection.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY)")
        connection.set_trace_callback(statements.append)
        return SqliteSession(connection, Turns(tmp_path / "w.lock"))

    forgotten: list[bool] = []
    statements: list[str] = []
    made = Writer(connect, lambda: forgotten.append(True))
    made.forgotten, made.statements = forgotten, statements
    yield made
    made.close()


def put(number: int):
    return lambda tx: tx.execute("INSERT INTO t VALUES (?)", (number,)).rowcount


def hold(writer: Writer) -> threading.Event:
    """Keeps the writer busy until the event is set."""
    entered, gate = threading.Event(), threading.Event()
    writer.submit(lambda _: (entered.set(), gate.wait(60)))
    assert entered.wait(60)
    return gate


def test_waiting_operations_share_one_transaction(writer):
    gate = hold(writer)
    changes = [writer.submit(put(i)) for i in range(50)]
    gate.set()
    assert [change.result() for change in changes] == [1] * 50
    assert writer.statements.count("COMMIT") == 2  # the one that held it up, and one for all who waited


def test_one_failure_undoes_itself_alone_and_voids_what_was_cached(writer):
    gate = hold(writer)
    futures: list[Future[Any]] = [writer.submit(put(i)) for i in (1, 2, 2, 3)]
    gate.set()
    assert [f.exception() is None for f in futures] == [True, True, False, True]
    assert isinstance(futures[2].exception(), sqlite3.IntegrityError)
    assert writer.submit(lambda tx: tx.execute("SELECT count(*) FROM t").fetchone()[0]).result() == 3
    assert writer.forgotten == [True, True]  # all of it was tried once together


def test_a_future_resolves_only_after_the_commit(writer, tmp_path):
    other = sqlite3.connect(tmp_path / "w.db")
    for number in range(20):
        writer.submit(put(number)).result()
        assert other.execute("SELECT max(a) FROM t").fetchone() == (number,)
    other.close()


def test_a_cancelled_operation_is_not_run(writer):
    gate = hold(writer)
    cancelled = writer.submit(put(7))
    assert cancelled.cancel()
    gate.set()
    assert writer.submit(put(7)).result() == 1


def test_a_closed_writer_takes_nothing_more(writer):
    writer.close()
    with pytest.raises(Closed):
        writer.submit(put(1))
    assert not writer.alive()


def test_acknowledged_means_on_disk(tmp_path, flushed, monkeypatch):
    monkeypatch.setattr(SqliteDatabase, "_connect", flushed)
    with SqliteStore(tmp_path / "s.db") as store:
        asked = store._writer.submit(
            lambda tx: [tx.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        )
        assert asked.result() == ["wal", 2]


def test_the_file_says_what_it_is(tmp_path):
    SqliteStore(tmp_path / "s.db").close()
    connection = sqlite3.connect(tmp_path / "s.db")
    assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    with pytest.raises(schema.WrongFile, match="newer Tactful"):
        SqliteStore(tmp_path / "s.db")


def test_someone_elses_database_is_left_alone(tmp_path):
    connection = sqlite3.connect(tmp_path / "theirs.db")
    connection.execute("CREATE TABLE precious (a)")
    connection.close()
    with pytest.raises(schema.WrongFile, match="not a Tactful store"):
        SqliteStore(tmp_path / "theirs.db")


def test_an_older_store_keeps_its_rows(tmp_path):
    """Of before ghosts and purposes: contacts move to the new table, log rows learn when they were."""
    with sqlite3.connect(tmp_path / "old.db", isolation_level=None) as plain:
        for step in schema.STEPS[:3]:
            for statement in schema._statements(step):
                plain.execute(statement)
        plain.execute("PRAGMA user_version = 3")
        plain.execute(f"PRAGMA application_id = {schema.APPLICATION}")
        plain.execute("INSERT INTO customers VALUES ('C1', 7, 5, NULL, ?)", (State().to_bytes(),))
        plain.execute(
            "INSERT INTO contacts VALUES ('k1', 'C1', 'd1', 'a', 'grow', 'g', 'email', 1, 'sent', 1, 2, 1, 2, 0)"
        )
        plain.execute("INSERT INTO interactions (customer_id, body) VALUES ('C1', ?)", (b'{"occurred_at": 123}',))
        plain.execute("INSERT INTO links (body) VALUES (?)", (b'{"received_at": 4, "identifier": "x"}',))
    plain.close()
    with SqliteStore(tmp_path / "old.db") as store:
        (kept,) = store.read("C1").customer.contacts
        assert (kept.contact_id, kept.state, kept.tags, kept.purpose) == ("k1", "sent", (), "marketing")
        assert store.read("C1").version == 7
        assert store.read("C1").state == State().to_bytes()
        assert store._reader.execute("SELECT at FROM interactions").fetchall() == [(123,)]
        assert store._reader.execute("SELECT at, identifier, customer_id FROM links").fetchall() == [(4, "x", None)]


def test_a_workspace_with_a_wrong_store_gets_one_clear_line(tmp_path):
    (tmp_path / "tactful.yaml").write_text("store: {url: 'sqlite:///notes.txt'}\n")
    (tmp_path / "notes.txt").write_text(
        "These are my notes, and quite long enough to look like a file of some kind.\n" * 9
    )
    with pytest.raises(WorkspaceError, match=r"store.url in .*tactful.yaml: .*notes.txt cannot be used"):
        open_store(Workspace.open(tmp_path))


#: Forked, as to import what makes a store takes each of them longer than to make one.
FOUR = """
import os, sys
from serving.store import SqliteStore
SqliteStore(sys.argv[2]).close()
children = []
for _ in range(4):
    if not (child := os.fork()):
        SqliteStore(sys.argv[1]).close()
        print("made")
        sys.exit()
    children.append(child)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


def test_many_processes_may_create_the_file_at_once(tmp_path):
    words = [sys.executable, "-c", FOUR, str(tmp_path / "s.db"), str(tmp_path / "other.db")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", ["made"] * 4)
    SqliteStore(tmp_path / "s.db").close()


def test_a_store_that_cannot_write_says_so_and_recovers(tmp_path):
    with SqliteStore(tmp_path / "s.db") as store:
        connection = store._writer.submit(lambda tx: tx.connection).result()
        limit = store._writer.submit(lambda tx: tx.execute("PRAGMA max_page_count = 80").fetchone()).result()
        assert limit == (80,)
        assert store.ready() is None
        with pytest.raises((Unavailable, sqlite3.OperationalError), match="full"):
            store._writer.submit(put_blob).result()
        pages = store._writer.submit(lambda tx: tx.execute("PRAGMA page_count").fetchone()[0]).result()
        store._writer.submit(lambda tx: tx.execute(f"PRAGMA max_page_count = {pages}").fetchone()).result()
        with pytest.raises(Unavailable, match="full"):
            store._writer.submit(put_blob).result()
        for _ in range(2):
            assert "full" in store.ready(), "it still reads, yet takes nothing: no decision would be answered"
        store._writer.submit(lambda tx: tx.execute("PRAGMA max_page_count = 400000").fetchone()).result()
        assert store.ready() is None
        assert store._writer.submit(lambda tx: tx.execute("SELECT count(*) FROM synced").fetchone()).result() == (0,)
        assert store._writer.submit(put_blob).result() == 1
        assert connection.in_transaction is False


def put_blob(tx: sqlite3.Connection) -> int:
    sql = "INSERT INTO states (customer_id, state) VALUES ('x', zeroblob(1000000))"
    return tx.execute(sql).rowcount


def test_a_code_that_was_rolled_back_and_given_anew_has_its_own_direction():
    words, table = Words(), SqliteTx(sqlite3.connect(":memory:"))
    table.execute("CREATE TABLE vocabulary (code INTEGER PRIMARY KEY, entry TEXT)")
    words.refresh(table).code("phone", "outbound", "call", None)
    assert words.codes().sorts.tolist() == [OUTBOUND]
    words.forget()
    words.refresh(table).code("web", "inbound", "visit", None)
    assert words.codes().sorts.tolist() == [PLAIN]
    table.connection.close()


def test_directions_fit_their_codes_while_a_slower_thread_writes_what_it_knew_before():
    seen = []

    class Watched(Words):
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == "_codes" and grown:  # a third thread looks in between
                grown.clear()
                seen.append(self.codes())

    class Growing(Vocabulary):
        @property
        def entries(self):
            before = super().entries
            if len(self) == 1:
                self.code("phone", "outbound", "call", None)
                words.codes()  # of a thread that overtakes this one
                grown.append(True)
            return before

    grown: list[bool] = []
    words = Watched()
    words.vocabulary = Growing([("web", "inbound", "visit", None)])
    words.codes()
    assert [codes.sorts.tolist() for codes in seen] == [[PLAIN, OUTBOUND]]
    assert len(seen[0].entries) == 2


@pytest.mark.parametrize("sql", [reading._READ, reading._READ_MANY, reading._READ_PERSON])
def test_a_customer_is_read_without_a_look_at_contacts_that_are_over(tmp_path, sql):
    """Reservations that lapsed pile up over the years: two hundred of them made a read twenty times slower."""
    with SqliteStore(tmp_path / "s.db") as store:
        some = ["C1"] * sql.count("?")
        plan = " ".join(str(row) for row in store._reader.execute(f"EXPLAIN QUERY PLAN {sql}", some))
    assert "contacts_holding" in plan
    assert "contacts_of_customer" not in plan
