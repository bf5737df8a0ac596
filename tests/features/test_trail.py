"""The sorted log that is kept: what came in late, who was merged or erased, and what broke, against a plain reading."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import shop

from features.clock import DAY
from features.forgetting import expire_history, forget_files, forget_history
from features.hashing import hash_string
from features.history import History, conform
from features.identity.links import erased
from features.identity.resolution import resolve
from features.tombstones import Graveyard
from features.trail import kept
from features.workspace import Workspace

HIDDEN = "\nsensitive_topics: [billing]\n"


def add(workspace, rows):
    """Interactions as (number, customer, day, type, topic, value, satisfaction)."""
    number, customer, day, type_, topic, value, satisfaction = zip(*rows, strict=True)
    table = pa.table(
        {
            "interaction_id": [f"i{n}" for n in number],
            "customer_id": list(customer),
            "occurred_at": pa.array([d * DAY + n % 3 for d, n in zip(day, number, strict=True)]),
            "channel": ["web"] * len(rows),
            "type": list(type_),
            "topic": pa.array(topic, pa.string()),
            "value": pa.array(value, pa.float64()),
            "satisfaction": pa.array(satisfaction, pa.float64()),
        }
    )
    at = table["occurred_at"].cast(pa.timestamp("us", tz="UTC"))
    History(workspace).append(conform(table.set_column(2, "occurred_at", at)), "test")


def link(workspace, number, identifier, customer):
    table = pa.table(
        {
            "link_id": [f"l{number}"],
            "identifier": [identifier],
            "kind": ["crm"],
            "customer_id": [customer],
            "valid_from": pa.array([0], pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        }
    )
    History(workspace).append_links(table, "test")


def killed(*asked):
    raise KeyboardInterrupt


def told(workspace):
    """Every row with its words, in the order in which it is kept."""
    found = kept.up_to_date(workspace)
    if found is None:
        return None
    rows, many = found.rows, {int(row): k for k, row in enumerate(found.rows.noted)}
    owner = np.repeat(found.names, np.diff(rows.start)).tolist()
    return found.names.tolist(), found.known_until, [
        (who, int(rows.at[i]), int(rows.id[i]), found.entries[rows.code[i]],
         *((repr(float(c[many[i]])) for c in (rows.value, rows.satisfaction)) if i in many else ("nan", "nan")))
        for i, who in enumerate(owner)
    ]  # fmt: skip


def plain(workspace):
    """The same, read from history in plain Python."""
    history, now = History(workspace), workspace.clock().now()
    links = history.links()
    person, gone = resolve(links, now, workspace.settings), erased(links)
    read = history.interactions().to_pylist()
    if not read:
        return None
    rows, number = [], float
    for row in read:
        at, hidden = int(row["occurred_at"].timestamp()) * 1_000_000 + row["occurred_at"].microsecond, row["topic"]
        if row["customer_id"] in gone or at >= now or (hidden in workspace.settings.sensitive_topics):
            continue
        word = row["channel"], row["direction"], row["type"], row["topic"]
        money = [repr(number("nan" if row[name] is None else row[name])) for name in ("value", "satisfaction")]
        who = person.get(row["customer_id"], row["customer_id"])
        rows.append((who, at, hash_string(row["interaction_id"]), word, *money))
    newest = max(int(row["occurred_at"].timestamp()) * 1_000_000 + row["occurred_at"].microsecond for row in read)
    return sorted({row[0] for row in rows}), min(now, newest + 1), sorted(rows, key=lambda row: row[:3])


ROWS = [
    (1, "ada", 100, "visit", None, None, None),
    (2, "bob", 100, "call", "billing", None, 0.5),
    (3, "ada", 101, "purchase", "garden", 3.5, None),
]


def test_one_more_day_reads_its_own_files_alone(tmp_path, monkeypatch):
    workspace, read = shop(tmp_path), []
    own = kept.HistoryTable.batches
    monkeypatch.setattr(
        kept.HistoryTable, "batches", lambda self, *asked: (read.append(len(asked[2])), own(self, *asked))[1]
    )
    assert told(workspace) is None
    add(workspace, ROWS)
    assert told(workspace) == plain(workspace) == told(workspace)
    add(workspace, [(4, "eve", 102, "visit", None, None, None), (5, "ada", 99, "visit", None, None, 0.25)])
    assert told(workspace) == plain(workspace)
    link(workspace, 1, "eve", "ada")
    assert told(workspace) == plain(workspace)
    assert told(workspace)[0] == ["ada", "bob"]
    assert read == [1, 1]


def test_who_was_erased_is_in_no_file_and_another_list_of_topics_reads_anew(tmp_path):
    workspace = shop(tmp_path)
    add(workspace, ROWS)
    told(workspace)
    names = next(kept.folder(workspace).glob("*/customers.parquet"))
    Graveyard(workspace).bury({"ada"}, 0)
    forget_history(workspace, {"ada"})
    forget_files(workspace, {"ada"})
    assert b"ada" not in names.read_bytes()
    assert told(workspace) == plain(workspace)
    settings_file = workspace.folder / "tactful.yaml"
    settings_file.write_text(settings_file.read_text() + HIDDEN)
    again = Workspace.open(workspace.folder)
    assert told(again) == plain(again)
    assert told(again)[2] == []


def test_days_that_are_too_old_are_in_no_copy_either(tmp_path):
    workspace = shop(tmp_path)
    add(workspace, ROWS)
    told(workspace)
    expire_history(workspace, {"interactions": 101 * DAY})
    assert not [path for path in workspace.reports.rglob("*.parquet") if b"bob" in path.read_bytes()]
    assert told(workspace) == plain(workspace)
    assert told(workspace)[0] == ["ada"]
    expire_history(workspace, {"interactions": 101 * DAY})
    assert list(kept.folder(workspace).glob("*/customers.parquet"))  # nothing went


def test_what_is_damaged_is_read_anew(tmp_path):
    workspace = shop(tmp_path)
    add(workspace, ROWS)
    told(workspace)
    for name in ("*/at.npy", "current.json", "*/customers.parquet"):
        for content in (b"{", b""):
            next(kept.folder(workspace).glob(name)).write_bytes(content)
            assert told(workspace) == plain(workspace)


def test_a_process_of_the_same_number_that_was_killed_leaves_nothing_that_counts(tmp_path, monkeypatch):
    """As in a container, where numbers come again: rows under the name of what was kept counted twice."""
    workspace = shop(tmp_path)
    add(workspace, ROWS)
    told(workspace)
    add(workspace, [(4, "ada", 99, "visit", None, None, None)])  # late, so that the newest instant stays
    with monkeypatch.context() as patched:
        patched.setattr(kept.kept_arrays.Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            told(workspace)
    assert told(workspace) == plain(workspace)


more = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["ada", "bob", "eve"]), st.integers(0, 9),
              st.sampled_from(["visit", "call"]), st.sampled_from([None, "garden"]),
              st.sampled_from([None, 2.5]), st.sampled_from([None, 0.5])),
    min_size=1, max_size=6,
)  # fmt: skip
changes = st.lists(
    st.one_of(more, st.sampled_from(["look", "ada eve", "bob ada", "erase bob", "expire"])), min_size=1, max_size=7
)


@settings(max_examples=15, deadline=None)
@given(changes)
def test_whatever_comes_and_goes_it_equals_a_plain_reading(tmp_path_factory, steps):
    workspace = shop(tmp_path_factory.mktemp("shop"))
    for number, step in enumerate(steps):
        if step == "look":
            told(workspace)
        elif step == "expire":
            for day in sorted(workspace.history.glob("interactions/day=*"))[:1]:
                shutil.rmtree(day)
        elif isinstance(step, str) and step.startswith("erase"):
            forget_history(workspace, {step.split()[1]})
        elif isinstance(step, str):
            link(workspace, number, *step.split())
        else:
            add(workspace, step)
    assert told(workspace) == plain(workspace)
