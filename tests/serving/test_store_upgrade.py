"""A store from before states had a table of their own is brought up to date by whoever opens it first."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import stores
from test_store import ONE_A_WEEK, ask, playbook, row

from features.state import State
from serving.store import postgres_schema, schema

ROOT = Path(__file__).parents[2]
#: The version of the schema that had packed states in `customers`.
BEFORE = {"sqlite": 5, "postgres": 2}
CUSTOMERS = 300


@pytest.fixture
def old(place, tmp_path):
    """C0 ... with a state each and a version of 7, as that schema held them."""
    with stores.place(place.kind, tmp_path).open() as modern:
        modern.record([row(i, value=float(i)) for i in range(9)]).result()
        state = modern.read("C1").state
        (entry,) = modern._reader.execute("SELECT entry FROM vocabulary").fetchone()
    number = BEFORE[place.kind]
    if place.kind == "sqlite":
        import sqlite3

        plain, mark = sqlite3.connect(place.url.removeprefix("sqlite:///"), isolation_level=None), "?"
        for step in schema.STEPS[:number]:
            for statement in schema._statements(step):
                plain.execute(statement)
        plain.execute(f"PRAGMA user_version = {number}")
        plain.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    else:
        plain, mark = psycopg.connect(place.url, autocommit=True), "%s"
        postgres_schema.migrate(plain, "an old store", number)
    with closing(plain):
        plain.execute(f"INSERT INTO vocabulary (code, entry) VALUES (0, {mark})", (entry,))
        for i in range(CUSTOMERS):
            plain.execute(
                "INSERT INTO customers (customer_id, version, seen_to, profile, state, assigned_at) "
                f"VALUES ('C{i}', 7, {i}, NULL, {mark}, 3)", (state if i else None,),
            )  # fmt: skip
    return place, state


def test_nobody_loses_their_state(old):
    place, state = old
    store = place.open()
    assert len(State.from_bytes(state).items) == 9
    for i in (1, 2, CUSTOMERS - 1):
        found = store.read(f"C{i}")
        assert (found.state, found.version, found.customer.seen_to) == (state, 7, i)
    assert store.read("C0").state == b""
    assert store.read("C0").version == 7
    assert place.query("SELECT count(*), min(assigned_at) FROM customers") == [(CUSTOMERS, 3)]
    assert place.query("SELECT count(*) FROM states") == [(CUSTOMERS - 1,)]
    assert ask(store, playbook(**ONE_A_WEEK)).contact is not None
    assert store.record([row("new")]).result().accepted == 1
    assert len(State.from_bytes(store.read("C1").state).items) == 10
    assert store.read("C1").version == 9


@pytest.mark.slow
def test_several_processes_may_upgrade_it_at_once(old):
    place, state = old
    code = f"from serving.store import open_url; s = open_url({place.url!r}); print(len(s.read('C5').state)); s.close()"
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    outputs = [tuple(part.decode() for part in process.communicate(timeout=120)) for process in running]
    assert outputs == [(f"{len(state)}\n", "")] * 4
    assert place.query("SELECT count(*) FROM states") == [(CUSTOMERS - 1,)]
