"""What is particular to the PostgreSQL store: several writers at once, a schema many may create, a database lost."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import stores
from test_store import ask, row
from worlds import playbook

from features.workspace import Workspace, WorkspaceError
from serving.store import open_store, open_url, postgres, postgres_schema
from serving.store.postgres import PostgresStore
from serving.store.protocol import Unavailable
from serving.store.schema import WrongFile

ROOT = Path(__file__).parents[2]
#: Seconds: whoever waits for a database that is away waits for minutes, or for ever.
HANGS = 60


@pytest.fixture
def place(tmp_path):
    found = stores.place("postgres", tmp_path)
    yield found
    found.close()


def test_acknowledged_means_on_disk(as_served, place):
    store = place.open()
    settings = ("synchronous_commit", "statement_timeout", "idle_in_transaction_session_timeout")
    asked = store._writer.submit(lambda tx: [tx.execute(f"SHOW {name}").fetchone()[0] for name in settings])
    assert asked.result() == ["on", "5s", "10s"]


def test_the_schema_says_what_it_is(place):
    place.open().close()
    assert place.query("SELECT version FROM tactful_schema") == [(postgres_schema.VERSION,)]
    place.query(f"UPDATE tactful_schema SET version = {postgres_schema.VERSION + 1}")
    with pytest.raises(WrongFile, match="newer Tactful"):
        place.open()


def test_someone_elses_tables_are_left_alone(place):
    place.query("CREATE TABLE customers (precious TEXT)")
    with pytest.raises(WrongFile, match="is not Tactful's"):
        place.open()
    assert place.query("SELECT count(*) FROM customers") == [(0,)]


@pytest.mark.slow
def test_many_processes_may_create_the_tables_at_once(place):
    code = f"from serving.store import open_url; open_url({place.url!r}).close()"
    running = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate(timeout=120)[1].decode() for process in running] == [""] * 3


def test_a_database_that_is_not_there_gets_one_clear_line_at_once(tmp_path):
    (tmp_path / "tactful.yaml").write_text("store: {url: 'postgresql://someone:secret@127.0.0.1:1/nowhere'}\n")
    before = time.monotonic()
    with pytest.raises(WorkspaceError, match=r"store.url in .*tactful.yaml: the database: .*refused") as raised:
        open_store(Workspace.open(tmp_path))
    assert time.monotonic() - before < HANGS
    assert "secret" not in str(raised.value)


def test_new_codes_given_by_many_at_once_are_given_once(place):
    racing = [place.open() for _ in range(4)]

    def run(store, seed):
        for number in range(15):
            kind = f"kind {(number * (seed + 1)) % 16}"
            store.record([row(f"{seed}-{number}", customer_id=f"C{seed}", type=kind)]).result()

    threads = [threading.Thread(target=run, args=(store, i)) for i, store in enumerate(racing)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {f"kind {(number * (seed + 1)) % 16}" for number in range(15) for seed in range(4)}
    assert sorted(each[2] for each in racing[0].vocabulary().entries) == sorted(expected)
    assert [code for (code,) in place.query("SELECT code FROM vocabulary ORDER BY code")] == list(range(len(expected)))
    assert len(racing[0].export("interactions", 0)) == 60


def test_two_who_lock_each_others_customers_both_get_through(place):
    """A deadlock on purpose: one of the two transactions is rolled back, and tried again."""
    one, two = place.open(), place.open()
    one.record([row(1, customer_id="A"), row(2, customer_id="B")]).result()
    both = threading.Barrier(2, timeout=HANGS)
    runs = []

    def crossing(first, second):
        def work(tx):
            runs.append(first)
            tx.lock([first])
            if len(runs) <= 2:
                both.wait()
            tx.lock([second])
            return tx.execute("UPDATE customers SET version = version + 1 WHERE customer_id = ?", (second,)).rowcount

        return work

    done = [one._writer.submit(crossing("A", "B")), two._writer.submit(crossing("B", "A"))]
    assert [future.result(timeout=HANGS) for future in done] == [1, 1]
    assert len(runs) > 2


def test_what_a_server_rolled_back_at_commit_is_not_acknowledged(place):
    """An aborted transaction's COMMIT raises nothing: the server says ROLLBACK, and that is all."""
    store = place.open()

    def aborts(tx):
        with pytest.raises(psycopg.errors.DivisionByZero):
            tx.execute("SELECT 1 / 0")

    with pytest.raises(Unavailable):
        store._writer.submit(aborts).result()
    assert store.record([row(1)]).result().accepted == 1


def test_a_lost_connection_is_opened_anew(place):
    store = place.open()
    ask(store, playbook())
    with closing(psycopg.connect(stores.server().get_uri(), autocommit=True)) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tactful'")
    assert store.read("C1").customer.contacts, "reads go on"
    with pytest.raises(Unavailable):  # what was on its way may or may not have been written
        store.record([row(1)]).result()
    assert store.record([row(1)]).result().received == 1
    assert store.ready() is None


def test_a_server_that_takes_connections_and_says_nothing_is_given_up(as_served):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        before = time.monotonic()
        with pytest.raises(Unavailable, match="timeout"):
            PostgresStore(f"postgresql://someone@127.0.0.1:{deaf.getsockname()[1]}/nowhere")
    assert time.monotonic() - before < HANGS


def test_a_server_that_stops_answering_is_given_up_and_found_again(place, monkeypatch):
    store = place.open()
    store.record([row(1)]).result()
    asked = "SELECT pg_backend_pid()"
    deaf = [store._reader.execute(asked).fetchone()[0]]
    deaf.append(store._writer.submit(lambda tx: tx.execute(asked).fetchone()[0]).result())
    for pid in deaf:
        os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(postgres, "ANSWER_S", 0.5)
    monkeypatch.setattr(postgres, "SILENT_S", 2.0 * HANGS)
    try:
        before = time.monotonic()
        writing = store.record([row(2)])
        with pytest.raises(Unavailable, match="no answer within"):
            store.read("C1")
        with pytest.raises(Unavailable):
            writing.result(timeout=HANGS)
        monkeypatch.setattr(postgres, "ANSWER_S", 2 * HANGS)
        for _ in range(5):  # at once: nobody waits for it again
            with pytest.raises(Unavailable, match="no answer within"):
                store.read("C1")
        assert time.monotonic() - before < HANGS
        store._database._down = (0.0, "")  # as if SILENT_S were over
        assert store.read("C1").state, "others answer"
        assert store.record([row(3)]).result().accepted == 1
        assert store.ready() is None
    finally:
        for pid in deaf:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_a_lost_database_is_said_quickly_and_found_again(postgres_server):
    url = postgres_server.get_uri()
    with PostgresStore(url) as store:
        store.record([row(1)]).result()
        postgres_server.stop()
        before = time.monotonic()
        for _ in range(20):
            with pytest.raises(Unavailable):
                store.read("C1")
            with pytest.raises(Unavailable):
                store.record([row(2)]).result()
        assert time.monotonic() - before < HANGS
        assert "PostgreSQL" in store.ready()
        stores.again(postgres_server)
        assert postgres_server.get_uri() == url
        time.sleep(0.6)
        assert store.record([row(2)]).result().accepted == 1
        assert len(store.export("interactions", 0)) == 2
        assert store.ready() is None


def test_an_id_with_a_null_byte_is_nobodys(place):
    """PostgreSQL has no such texts; whoever asks gets an answer all the same."""
    store = place.open()
    store.record([row(1)]).result()
    assert store.read("C1\0").version == 0
    assert store.erased(["C1\0"]) == set()
    assert store.contact("\0") is None
    assert store.find_decision("\0") is None


def test_urls_say_which_store(tmp_path, place):
    with open_url(f"sqlite:///{tmp_path / 's.db'}") as store:
        assert type(store).__name__ == "SqliteStore"
    with open_url(place.url) as store:
        assert type(store).__name__ == "PostgresStore"
    (tmp_path / "tactful.yaml").write_text("store: {url: 'mysql://x'}\n")
    with pytest.raises(WorkspaceError, match=r"store\.url"):
        Workspace.open(tmp_path)
