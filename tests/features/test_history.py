"""History is atomic, idempotent and complete, whoever dies when."""

import json
import os
import threading
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import killed, shop

from features import attributes, clock
from features.fingerprints import fingerprints, hexadecimal
from features.history import History, conform
from features.idset import IdSet, first_in_chunk
from features.interactions import SCHEMA
from features.occurrences import Occurrences
from features.workspace import WorkspaceError

NOON = clock.parse_instant("2024-05-01T12:00:00Z")


def some(*ids: str, at: int = NOON, step: int = clock.HOUR, customer: str = "c1", value: float = 1.0) -> pa.Table:
    """Interactions an hour apart."""
    table = pa.table(
        {
            "interaction_id": list(ids),
            "customer_id": [customer] * len(ids),
            "occurred_at": pa.array([at + i * step for i in range(len(ids))]).cast(SCHEMA.field("occurred_at").type),
            "channel": ["web"] * len(ids),
            "type": ["purchase"] * len(ids),
            "value": [value] * len(ids),
        }
    )
    return conform(table)


def ids(history: History) -> list[str]:
    return sorted(history.interactions(["interaction_id"])["interaction_id"].to_pylist())


def test_the_first_one_with_an_id_wins(tmp_path):
    history = History(shop(tmp_path))
    assert str(history.append(some("a", "b", "a"), "one")) == "3 received = 2 accepted + 1 duplicates + 0 quarantined"
    assert history.append(some("b", "c", value=9.0), "two").accepted == 1
    table = history.interactions().sort_by("interaction_id")
    assert table["interaction_id"].to_pylist() == ["a", "b", "c"]
    assert table["value"].to_pylist() == [1.0, 1.0, 9.0]
    assert table.schema == SCHEMA


def test_an_id_is_known_whatever_its_day(tmp_path):
    history = History(shop(tmp_path))
    history.append(some("a"), "one")
    assert history.append(some("a", at=NOON + 40 * clock.DAY), "two").duplicates == 1


def test_parquet_by_utc_day(tmp_path):
    workspace = shop(tmp_path)
    History(workspace).append(some(*"abcdefghijklm", step=4 * clock.HOUR), "one")
    days = sorted(path.name for path in (workspace.history / "interactions").glob("day=*"))
    assert days == ["day=2024-05-01", "day=2024-05-02", "day=2024-05-03"]
    (file,) = (workspace.history / "interactions" / days[1]).iterdir()
    found = pq.read_table(file)["occurred_at"].to_pylist()
    assert found == sorted(found)
    assert {moment.date().isoformat() for moment in found} == {"2024-05-02"}


def test_reading_narrows_by_time_customer_batch_and_column(tmp_path):
    history = History(shop(tmp_path))
    history.append(some(*"abcdefghijklm", step=4 * clock.HOUR), "one")
    history.append(some("z", customer="c2"), "two", live=True)
    first, second = history.batches()
    assert (first.live, second.live, first.rows) == (False, True, 13)
    assert (first.first_day, first.last_day, first.source) == ("2024-05-01", "2024-05-03", "one")
    since, until = NOON + 8 * clock.HOUR, NOON + 24 * clock.HOUR
    assert history.interactions(["interaction_id"], since, until)["interaction_id"].to_pylist() == list("cdef")
    assert history.interactions(customers=["c2"])["interaction_id"].to_pylist() == ["z"]
    assert history.interactions(batches=[second.id]).num_rows == 1
    assert history.interactions(["value"], batches=[]).schema == pa.schema([SCHEMA.field("value")])
    assert history.interactions(since=NOON + 90 * clock.DAY).num_rows == 0


def test_a_past_is_of_one_moment_whatever_comes_in_while_it_is_read(tmp_path):
    class Slow(History):
        def interactions(self, *words, **options):
            found = super().interactions(*words, **options)
            self.append(some("b"), "a sync")
            self.append_attributes(
                attributes.records([{"customer_id": "c1", "valid_from": NOON, "attributes": {"age": 30}}]), "a sync"
            )
            return found

    history = Slow(shop(tmp_path))
    history.append(some("a"), "one")
    past = history.past()
    assert (past.interactions.num_rows, past.attributes.num_rows) == (1, 0)
    assert past.batches == {"interactions": [history.batches()[0].id], "attributes": [], "identifiers": []}
    assert history.past(batches={"interactions": past.batches["interactions"]}).attributes.num_rows == 1


def test_an_empty_history_has_the_contracts_columns(tmp_path):
    history = History(shop(tmp_path))
    assert history.interactions().schema == SCHEMA
    assert history.interactions(["value", "type"]).column_names == ["value", "type"]
    assert (history.batches(), history.decisions().num_rows) == ([], 0)


def test_nothing_new_is_no_batch(tmp_path):
    history = History(shop(tmp_path))
    history.append(some("a"), "one")
    history.append(some("a"), "again")
    history.append(some(), "nothing")
    assert [batch.source for batch in history.batches()] == ["one"]


def test_a_failed_batch_never_happened(tmp_path):
    workspace = shop(tmp_path)
    history = History(workspace)
    history.append(some("a"), "one")

    def fail():
        with history.writer("two") as batch:
            batch.add(some("b"))
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError):
        fail()
    assert ids(history) == ["a"]
    assert not (workspace.history / "interactions" / ".staging").exists()
    assert history.append(some("b"), "three").accepted == 1


def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path, monkeypatch):
    history = History(shop(tmp_path))
    history.append(some("a"), "one")

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("features.daylog.pq.write_table", full)
        with pytest.raises(WorkspaceError, match="cannot be written: No space left on device"):
            history.append(some("b"), "two")
    assert ids(history) == ["a"]
    assert history.append(some("b"), "three").accepted == 1


def test_large_batches_are_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("features.daylog.BUFFER_ROWS", 5)
    history = History(shop(tmp_path))
    with history.writer("many") as batch:
        for start in range(0, 40, 4):
            batch.add(some(*(str(i) for i in range(start, start + 4)), step=20 * clock.HOUR))
            assert not batch.add(some(str(start))).any(), "known within the batch"
    assert len(ids(history)) == 40
    assert len(history.batches()) == 1


def test_required_columns_are_required():
    with pytest.raises(ValueError, match="need the column customer_id"):
        conform(some("a").drop_columns("customer_id"))
    with pytest.raises(ValueError, match="channel is required, yet 1 rows have none"):
        conform(some("a").drop_columns("channel").append_column("channel", pa.array([None], pa.string())))


IMPORTS = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from features import daylog
from features.history import History
from features.workspace import Workspace
from test_history import some, clock
"""
KILLED = """
daylog.BUFFER_ROWS = 50
moment = os.path.basename(folder)
history = History(Workspace.open(os.path.join(folder, "shop")))
if moment == "index":
    daylog.StoredIds.extend = die
if moment == "line":
    daylog.append_line = die
if moment == "moving":
    rename, moved = os.rename, []
    daylog.os.rename = lambda a, b: die() if len(moved) == 3 else (moved.append(1), rename(a, b))
with history.writer("killed") as batch:
    for start in range(0, 400, 40):
        if moment == "writing" and start == 200:
            die()
        batch.add(some(*(f"k{i}" for i in range(start, start + 40)), step=clock.DAY // 2))
"""


MOMENTS = ("writing", "moving", "line", "index")


@pytest.fixture(scope="module")
def struck(tmp_path_factory):
    """By moment, a workspace another writer of which was killed then, and a history that was open before."""
    folders = [tmp_path_factory.mktemp("killed") / moment for moment in MOMENTS]
    for folder in folders:
        folder.mkdir()
    found = {folder.name: (workspace := shop(folder), History(workspace)) for folder in folders}
    for _, history in found.values():
        history.append(some("a", "k7"), "before")
    killed(IMPORTS, KILLED, *folders)
    return found


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_9_leaves_what_was_there(struck, moment):
    workspace, history = struck[moment]
    whole = moment == "index"  # the batch was committed; only its index was not
    assert len(ids(history)) == (401 if whole else 2)
    receipt = history.append(some(*(f"k{i}" for i in range(400))), "after")
    assert receipt.accepted == (0 if whole else 399)
    assert len(ids(history)) == 401
    assert not (workspace.history / "interactions" / ".staging").exists()
    committed = {batch.id for batch in history.batches()}
    parts = (workspace.history / "interactions").glob("day=*/*.parquet")
    assert {part.name.rpartition("-")[0] for part in parts} == committed


def test_a_torn_last_line_does_not_count(tmp_path):
    workspace = shop(tmp_path)
    history = History(workspace)
    history.append(some("a"), "one")
    with open(workspace.history / "interactions" / "batches.jsonl", "a") as file:
        file.write('{"id": "torn')
    assert len(history.batches()) == 1
    history.append(some("b"), "two")
    assert [batch.source for batch in history.batches()] == ["one", "two"]


def test_writers_take_turns(tmp_path):
    workspace = shop(tmp_path)

    def work(name: str) -> None:
        for turn in range(5):
            History(workspace).append(some("shared", f"{name}{turn}"), name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids(History(workspace))) == 16
    assert len(History(workspace).batches()) == 15


def test_a_damaged_part_is_named(tmp_path):
    workspace = shop(tmp_path)
    History(workspace).append(some("a"), "one")
    (part,) = (workspace.history / "interactions").glob("day=*/*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(
        WorkspaceError, match=r"interactions: a file of the history is damaged; put it back .*day=2024-05-01"
    ):
        History(workspace).interactions()


def test_decisions_and_contacts_are_logged_once(tmp_path):
    history = History(shop(tmp_path))
    at = datetime(2024, 5, 1, tzinfo=UTC)
    decisions = pa.table({"decision_id": ["d1", "d2"], "decided_at": [at, at], "action": ["hello", None]})
    assert history.append_log("decisions", decisions).accepted == 2
    assert history.append_log("decisions", decisions).duplicates == 2
    more = pa.table({"decision_id": ["d3"], "decided_at": [at], "action": ["x"], "new": [1]})
    history.append_log("decisions", more)
    assert history.decisions().sort_by("decision_id")["new"].to_pylist() == [None, None, 1]
    contacts = pa.table({"contact_id": ["k", "k"], "status": ["reserved", "claimed"], "changed_at": [at, at]})
    assert history.append_log("contacts", contacts).accepted == 2
    assert history.append_log("contacts", contacts.slice(1)).duplicates == 1
    assert history.contacts().num_rows == 2
    with pytest.raises(ValueError, match="contacts need the columns contact_id, status, changed_at; missing: status"):
        history.append_log("contacts", contacts.drop_columns("status"))


# -- ids ------------------------------------------------------------------------------------------------------------

SMALL = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12)


def halves(pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, np.uint64).reshape(-1, 2).T


@given(chunks=st.lists(SMALL, max_size=8))
@settings(max_examples=200, deadline=None)
def test_the_id_set_is_a_set(chunks):
    """Fingerprints that share their high half, as two ids in 2**64 do."""
    ours, naive = IdSet(), set()
    for chunk in chunks:
        marks = halves(chunk)
        fresh = first_in_chunk(marks) & ~ours.contains(marks)
        expected = []
        for pair in chunk:
            expected.append(pair not in naive)
            naive.add(pair)
        assert fresh.tolist() == expected
        ours.add(marks[:, fresh])


@given(chunks=st.lists(st.lists(st.integers(0, 5), max_size=12), max_size=8))
@settings(max_examples=200, deadline=None)
def test_occurrences_count_from_zero(chunks):
    ours, seen = Occurrences(), []
    for chunk in chunks:
        expected = []
        for value in chunk:
            expected.append(seen.count(value))
            seen.append(value)
        assert ours.number(halves([(value, value) for value in chunk])).tolist() == expected


def test_a_lost_or_merged_index_is_the_same_index(tmp_path):
    workspace = shop(tmp_path)
    history = History(workspace)
    for turn in range(12):
        history.append(some(*(f"{turn}-{i}" for i in range(1 + turn % 4))), "some")
    folder = workspace.history / "interactions" / "ids"
    assert len(list(folder.iterdir())) <= 4
    everything = some(*ids(history))
    assert history.append(everything, "again").accepted == 0
    for path in folder.iterdir():
        path.unlink()
    assert history.append(everything, "again").accepted == 0
    assert len(list(folder.iterdir())) == 1


def test_fingerprints_are_md5_and_tell_columns_apart():
    table = pa.table({"a": ["abc"]})
    assert hexadecimal(fingerprints(table))[0].as_py() == "900150983cd24fb0d6963f7d"
    rows = pa.table({"a": ["x", "xy", None, ""], "b": ["yz", "z", "", None]})
    assert len({tuple(pair) for pair in fingerprints(rows).T.tolist()}) == 4


def test_the_batch_log_is_readable(tmp_path):
    workspace = shop(tmp_path)
    History(workspace).append(some("a"), "one")
    (line,) = (workspace.history / "interactions" / "batches.jsonl").read_text().splitlines()
    assert json.loads(line)["rows"] == 1
