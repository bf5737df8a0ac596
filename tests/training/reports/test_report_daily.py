"""Partial results by day: incremental equals from scratch, whatever comes in, goes, or breaks in between."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY
from features.forgetting import forget_files, forget_history
from features.history import History
from features.tombstones import Graveyard
from features.workspace import Workspace, WorkspaceError
from training.reports import daily
from training.reports.daily import Partial


def world(folder):
    folder.mkdir(exist_ok=True)
    (folder / "tactful.yaml").write_text("")
    return Workspace.open(folder)


def add(workspace, rows):
    """Interactions as (id, customer, day, channel)."""
    table = pa.table(
        {
            "interaction_id": [f"i{number}" for number, *_ in rows],
            "customer_id": [customer for _, customer, *_ in rows],
            "occurred_at": pa.array([day * DAY + number for number, _, day, _ in rows], pa.timestamp("us", tz="UTC")),
            "channel": [channel for *_, channel in rows],
            "type": ["purchase"] * len(rows),
        }
    )
    History(workspace).append(table, "a test")


class Counted:
    """Rows by day, customer and channel; which days were computed."""

    def __init__(self, version="1"):
        self.days = []
        self.partial = Partial("counted", version, "interactions", self)

    def __call__(self, rows):
        self.days += rows.days
        return rows.sql("SELECT day, customer_id, channel, count(*) AS n FROM log GROUP BY day, customer_id, channel")

    def of(self, workspace):
        return told(daily.up_to_date(workspace, self.partial))


def told(table):
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True)) if table.num_columns else []


def naive(workspace):
    """From the whole history, in plain Python."""
    found = {}
    for row in History(workspace).interactions(["customer_id", "occurred_at", "channel"]).to_pylist():
        key = int(row["occurred_at"].timestamp()) // 86_400, row["customer_id"], row["channel"]
        found[key] = found.get(key, 0) + 1
    return sorted((*key, n) for key, n in found.items())


ROWS = [(1, "ada", 100, "web"), (2, "bob", 100, "email"), (3, "ada", 101, "web"), (4, "ada", 140, "web")]


def test_only_days_with_new_files_are_computed_again(tmp_path):
    workspace, counted = world(tmp_path / "shop"), Counted()
    assert counted.of(workspace) == []
    add(workspace, ROWS)
    assert counted.of(workspace) == naive(workspace)
    assert counted.days == [100, 101, 140]
    assert counted.of(workspace) == naive(workspace)
    assert counted.days == [100, 101, 140]
    add(workspace, [(5, "bob", 101, "web"), (6, "eve", 141, "email")])
    assert counted.of(workspace) == naive(workspace)
    assert counted.days == [100, 101, 140, 101, 141]


def test_another_version_and_a_damaged_cache_begin_anew(tmp_path):
    workspace = world(tmp_path / "shop")
    add(workspace, ROWS)
    first, other = Counted(), Counted("2")
    first.of(workspace)
    assert other.of(workspace) == naive(workspace)
    assert other.days == [100, 101, 140]
    path = other.partial.file(workspace)
    path.write_bytes(path.read_bytes()[:-20])
    assert other.of(workspace) == naive(workspace)
    assert len(other.days) == 6
    path.write_bytes(b"")
    assert other.of(workspace) == naive(workspace)


def test_days_that_retention_deleted_are_gone_at_once(tmp_path):
    workspace, counted = world(tmp_path / "shop"), Counted()
    add(workspace, ROWS)
    counted.of(workspace)
    log = History(workspace).logs["interactions"]
    for path in log.days()[100]:
        path.unlink()
    assert counted.of(workspace) == naive(workspace)
    assert 100 not in pq.read_table(counted.partial.file(workspace))["day"].to_pylist()


def test_who_was_erased_is_in_no_cache_and_days_follow_history(tmp_path):
    workspace, counted = world(tmp_path / "shop"), Counted()
    add(workspace, ROWS)
    counted.of(workspace)
    forget_history(workspace, {"ada"})
    gone, left = forget_files(workspace, {"ada"})
    assert (gone, left) == (3, [])
    cached = pq.read_table(counted.partial.file(workspace))
    assert set(cached["customer_id"].to_pylist()) == {"bob"}
    assert counted.of(workspace) == naive(workspace) == [(100, "bob", "email", 1)]


def test_who_is_erased_while_days_are_computed_is_not_written_after_all(tmp_path):
    """The erasure has passed the cache before the rows that were read before it are written."""
    workspace = world(tmp_path / "shop")
    add(workspace, ROWS)
    counted = Counted()

    def erasing(rows):
        found = counted(rows)
        Graveyard(workspace).bury({"ada"}, 0)
        return found

    partial = Partial("counted", "1", "interactions", erasing)
    assert {row[1] for row in told(daily.up_to_date(workspace, partial))} == {"bob"}
    assert set(pq.read_table(partial.file(workspace))["customer_id"].to_pylist()) == {"bob"}


def test_what_fails_leaves_the_cache_as_it_was(tmp_path):
    workspace, counted = world(tmp_path / "shop"), Counted()
    add(workspace, ROWS)
    counted.of(workspace)
    before = counted.partial.file(workspace).read_bytes()
    add(workspace, [(7, "eve", 150, "web")])

    def broken(rows):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        daily.up_to_date(workspace, Partial("counted", "1", "interactions", broken))
    wrong = Partial("counted", "1", "interactions", lambda rows: rows.sql("SELECT day + 1 AS day FROM log"))
    with pytest.raises(ValueError, match="rows of days that were not asked for"):
        daily.up_to_date(workspace, wrong)
    assert counted.partial.file(workspace).read_bytes() == before
    assert sorted(path.suffix for path in counted.partial.file(workspace).parent.iterdir()) == [".lock", ".parquet"]


def test_a_damaged_file_of_history_is_said_in_a_line(tmp_path):
    workspace = world(tmp_path / "shop")
    add(workspace, ROWS)
    (path,) = History(workspace).logs["interactions"].days()[101]
    for content in (b"PAR1 this is none PAR1", path.read_bytes()[:-9]):
        path.write_bytes(content)
        with pytest.raises(WorkspaceError, match=r"a file of the history cannot be read .*put it back from a backup"):
            Counted().of(workspace)


def test_long_histories_are_computed_in_pieces(tmp_path):
    workspace, seen, most = world(tmp_path / "shop"), [], daily.TOGETHER
    listed = [*range(most + 5), most + 60]
    add(workspace, [(day, "ada", day, "web") for day in listed])

    def days(rows):
        seen.append((rows.days[0], len(rows.days), len(rows.files)))
        return rows.sql("SELECT day FROM log")

    table = daily.up_to_date(workspace, Partial("days", "1", "interactions", days))
    assert seen == [(0, most, most), (most, 6, 6)]
    assert sorted(table["day"].to_pylist()) == listed
    add(workspace, [(day + 1000, "bob", day, "web") for day in (3, 5)])
    daily.up_to_date(workspace, Partial("days", "1", "interactions", days))
    assert seen[2:] == [(3, 1, 2), (5, 1, 2)]  # what lies between is known


def test_files_of_one_day_by_day(tmp_path):
    workspace = world(tmp_path / "shop")
    add(workspace, ROWS)
    (workspace.history / "interactions" / "day=1970-04-11" / "uncommitted-0.parquet").write_bytes(b"")
    log = History(workspace).logs["interactions"]
    assert {day: len(files) for day, files in log.days().items()} == {100: 1, 101: 1, 140: 1}


changes = st.lists(
    st.one_of(
        st.lists(
            st.tuples(st.integers(0, 60), st.sampled_from(["ada", "bob", "eve"]), st.integers(0, 70),
                      st.sampled_from(["web", "email"])),
            min_size=1, max_size=6,
        ),
        st.sampled_from(["erase ada", "erase bob", "look", "lose"]),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


@settings(max_examples=12)
@given(changes)
def test_incremental_equals_from_scratch(tmp_path_factory, steps):
    workspace, counted = world(tmp_path_factory.mktemp("shop")), Counted()
    for step in steps:
        if step == "look":
            counted.of(workspace)
        elif step == "lose":
            counted.partial.file(workspace).unlink(missing_ok=True)
        elif isinstance(step, str):
            forget_history(workspace, {step.removeprefix("erase ")})
        else:
            add(workspace, step)
    assert counted.of(workspace) == naive(workspace)
