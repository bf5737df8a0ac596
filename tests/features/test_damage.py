"""Damaged files, a full disk, a killed process, a wrong clock, one customer who fills the log: nothing is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingesting import PLAIN, balanced, content, ingest, refused, rows, shop, write

from features.batch import compute
from features.catalogue import DEFAULT
from features.clock import DAY, parse_instant
from features.history import History
from features.ingest import ingest_dataset, ingest_files
from features.interactions import INSTANT
from features.sources import columnar
from features.workspace import Workspace, WorkspaceError

HEAD = "interaction_id,customer_id,occurred_at,channel,type,value\n"


def told_in_one_line(workspace, *paths) -> str:
    """Ingests what cannot be read; history and quarantine stay as they were to the last byte."""
    before = content(workspace)
    with pytest.raises(WorkspaceError) as error:
        ingest_files(workspace, paths)
    message = str(error.value)
    assert "\n" not in message
    assert content(workspace) == before
    return message


def contract(n: int, customers: int = 5) -> pa.Table:
    """n interactions in the contract's columns, one a second."""
    at = parse_instant("2024-05-01") + np.arange(n) * 1_000_000
    return pa.table(
        {
            "interaction_id": pa.array(np.arange(n)).cast(pa.string()),
            "customer_id": pa.array(np.arange(n) % customers).cast(pa.string()),
            "occurred_at": pa.array(at).cast(INSTANT),
            "channel": pa.repeat("web", n),
            "type": pa.repeat("purchase", n),
            "value": pa.repeat(1.25, n),
        }
    )


# -- files ----------------------------------------------------------------------------------------------------------


def test_a_parquet_file_cut_anywhere(tmp_path):
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "good.csv", PLAIN))
    pq.write_table(contract(2_000), tmp_path / "whole.parquet", row_group_size=500)
    data = (tmp_path / "whole.parquet").read_bytes()
    for cut in [4, 5, 12, *range(50, len(data), len(data) // 40), len(data) - 8, len(data) - 1]:
        path = tmp_path / "cut.parquet"
        path.write_bytes(data[:cut])
        assert "cut.parquet: cannot be read as Parquet" in told_in_one_line(workspace, path)


def test_a_parquet_file_with_scribbles(tmp_path):
    """A byte changed anywhere: told, or read in full; never half of it, and never a traceback."""
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "good.csv", PLAIN))
    pq.write_table(contract(2_000), tmp_path / "whole.parquet", row_group_size=500, compression="zstd")
    data = (tmp_path / "whole.parquet").read_bytes()
    dice, errors = random.Random(5), 0
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(3):
            broken[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path = tmp_path / "scribbled.parquet"
        path.write_bytes(bytes(broken))
        before = content(workspace)
        message, done = attempt(workspace, path)
        errors += done is None
        if done is None:
            assert message.count("scribbled.parquet") == 1
            assert "\n" not in message
            assert content(workspace) == before
        else:
            balanced(done.total)
            assert done.total.received == 2_000
    assert errors > 20


def attempt(workspace, path):
    """(message, None) where the file is refused, else ("", what became of it)."""
    try:
        return "", ingest_files(workspace, [path])
    except WorkspaceError as error:
        return str(error), None


def test_encodings_mixed_in_one_file(tmp_path):
    """Lines of three encodings: those that fit are in, the others are told, each with its own reason and position."""
    lines = [
        '{"customer_id": "a", "occurred_at": "2024-05-01", "channel": "web", "type": "x", "topic": "café"}\n'.encode(),
        '{"customer_id": "b", "occurred_at": "2024-05-01", "channel": "web", "type": "x", "topic": "café"}\n'.encode(
            "latin-1"
        ),
        '{"customer_id": "c", "occurred_at": "2024-05-01", "channel": "web", "type": "x"}\n'.encode("utf-16-le"),
        b'{"customer_id": "d", "occurred_at": "2024-05-01", "channel": "web", "type": "x"}\n',
    ]
    filler = lines[3].replace(b'"d"', b'"f"') * 1_000  # zero bytes at the start of a file mean that it is no text
    workspace = shop(tmp_path)
    done = ingest(workspace, write(tmp_path, "mixed.jsonl", filler + b"".join(lines)))
    assert done.total.accepted == 1_001
    assert {row["customer_id"] for row in rows(workspace)} == {"a", "f"}
    told = refused(workspace)
    assert [row["row"] for row in told] == [1_002, 1_003, 1_004], "UTF-16 ends its line in a zero, where d begins"
    assert all("is not valid JSON" in row["reason"] for row in told)


def test_a_map_with_the_wrong_encoding_is_told_row_by_row(tmp_path):
    text = "who,when,word\n" + "x,2024-05-01,plain\n" * 3 + "y,2024-05-01,\u0081\n"
    columns = {"customer_id": "who", "occurred_at": "when", "channel": {"constant": "web"}, "type": "word"}
    workspace = shop(tmp_path)
    path = write(tmp_path, "t.csv", text.encode("latin-1"))
    done = ingest(workspace, path, map={"format": {"encoding": "cp1252"}, "columns": columns})
    assert (done.total.accepted, done.total.quarantined) == (3, 1)
    assert refused(workspace)[0]["reason"] == "type: holds bytes that are not in the file's encoding"


def test_a_column_that_memory_cannot_hold_is_refused_before_it_is_read(tmp_path, monkeypatch):
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "good.csv", PLAIN))
    table = contract(50).append_column("topic", pa.array(["x" * 2_000] * 50))
    pq.write_table(table, tmp_path / "wide.parquet", use_dictionary=False, compression="zstd")
    monkeypatch.setattr(columnar, "LARGEST_COLUMN", 90_000)
    assert "'topic' holds 0.0 GB in one row group, too much at once" in told_in_one_line(
        workspace, tmp_path / "wide.parquet"
    )
    monkeypatch.setattr(columnar, "LARGEST_COLUMN", 1 << 30)
    monkeypatch.setattr(columnar, "CHUNK_BYTES", 10_000)
    assert ingest(workspace, tmp_path / "wide.parquet").total.accepted == 50, "in chunks of a few rows"


LARGE = 2_140_000_000  # Parquet has no longer one


@pytest.mark.slow
@pytest.mark.parametrize("name", ["huge.csv", "huge.jsonl", "huge.json", "huge.parquet"])
def test_a_field_of_two_gigabytes(tmp_path, name):
    """Told in a line, in at most 1.5 GB of memory, libraries and all."""
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "good.csv", PLAIN))
    path = tmp_path / name
    starts = {
        "huge.csv": (HEAD + "i,c,2024-05-01,web,x,1\n" * 4_000 + 'z,c,2024-05-01,web,"').encode(),
        "huge.jsonl": b'{"customer_id": "c", "occurred_at": "2024-05-01", "channel": "web", "type": "x"}\n' * 1_000
        + b'{"a": "',
        "huge.json": b'[{"customer_id": "' + b"c" * 100_000,
    }
    if name in starts:
        path.write_bytes(starts[name])
        os.truncate(path, LARGE)  # the rest takes no room on disk
    else:
        whole = np.full(LARGE, 120, np.uint8)
        offsets = pa.py_buffer(np.array([0, LARGE], np.int64))
        field = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(whole)])
        table = contract(1).append_column("topic", field)
        pq.write_table(table, path, use_dictionary=False, write_statistics=False, compression="zstd")
        del whole, field, table
    before = content(workspace)
    script = f"""
from pathlib import Path
from features.ingest import ingest_files
from features.workspace import Workspace, WorkspaceError
try:
    ingest_files(Workspace.open({str(workspace.folder)!r}), [Path({str(path)!r})])
except WorkspaceError as error:
    print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0], error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=580)
    peak, _, message = done.stdout.partition(" ")
    assert name in message, done.stderr
    assert message.count("\n") == 1
    assert int(peak) < 1_500_000, "kB at most at any moment"
    assert content(workspace) == before
    path.unlink()


def test_a_history_file_cut_short(tmp_path):
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "good.csv", PLAIN))
    part = next(workspace.history.glob("interactions/day=*/*.parquet"))
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WorkspaceError) as error:
        rows(workspace)
    assert part.name in str(error.value)
    assert "put it back from a backup" in str(error.value)
    assert "\n" not in str(error.value)
    part.write_bytes(whole)
    assert len(rows(workspace)) == 2


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"nonsense" * 100])
def test_a_damaged_cache_of_ids_is_rebuilt(tmp_path, damage):
    """As a machine leaves it that lost its power: the log has the ids, so no row comes in twice."""
    workspace = shop(tmp_path)
    path = write(tmp_path, "good.csv", PLAIN)
    ingest(workspace, path)
    for cache in workspace.history.glob("interactions/ids/*.npy"):
        cache.write_bytes(damage or cache.read_bytes()[:-8])
    done = ingest(workspace, path)
    assert (done.total.accepted, done.total.duplicates) == (0, 2)
    ingest(workspace, write(tmp_path, "more.csv", PLAIN.replace("\na,", "\nq,")))
    assert len(rows(workspace)) == 3


# -- clocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "why"), [("1924-06-01", "is in the future; this workspace's clock says 1924-06-01")])
def test_a_workspace_clock_a_century_off(tmp_path, start, why):
    """Every row is told, none is in; and with the clock put right all are in, and the quarantine is empty."""
    workspace = shop(tmp_path, f"clock: {{start: '{start}'}}\n")
    path = write(tmp_path, "good.csv", PLAIN)
    done = ingest(workspace, path)
    assert (done.total.accepted, done.total.quarantined) == (0, 2)
    assert why in refused(workspace)[0]["reason"]
    (workspace.folder / "tactful.yaml").write_text("")
    done = ingest(Workspace.open(workspace.folder), path)
    assert (done.total.accepted, done.total.quarantined) == (2, 0)
    assert refused(workspace) == []


def test_a_sources_clock_a_century_off(tmp_path):
    """A till that lives in 2124 or 1924 is told; what its customers did at other tills counts as ever."""
    good = "i{0},c{0},2024-05-0{0},store,purchase,{0}\n"
    text = HEAD + "".join(good.format(day) for day in range(1, 6))
    wrong = "x{0},c{0},2124-05-0{0},store,purchase,9\ny{0},c{0},1924-05-0{0},store,purchase,9\n"
    late = "received_at\n"
    workspace = shop(tmp_path)
    done = ingest(workspace, write(tmp_path, "tills.csv", text + "".join(wrong.format(day) for day in range(1, 6))))
    assert (done.total.accepted, done.total.quarantined) == (5, 10)
    matrix = compute(History(workspace).past(), [parse_instant("2024-06-01")], DEFAULT, workspace.settings)
    frame = matrix.to_pandas()
    assert frame["lifetime_value_purchase"].tolist() == [1, 2, 3, 4, 5]
    assert frame["recency_purchase"].between(26, 31).all()
    text = HEAD.replace("value\n", late) + "z,c1,2024-05-06,store,purchase,2124-05-06\n"
    ingest(workspace, write(tmp_path, "late.csv", text))
    assert "received_at: 2124-05-06T00:00:00Z is in the future" in refused(workspace)[-1]["reason"] + str(
        refused(workspace)
    )


# -- a full disk ----------------------------------------------------------------------------------------------------

FULL = """
import json, resource, sys
from pathlib import Path
from features.ingest import ingest_files
from features.workspace import Workspace, WorkspaceError
limit, folder, *files = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
try:
    print(ingest_files(Workspace.open(folder), [Path(file) for file in files]).total.accepted)
except WorkspaceError as error:
    print(error)
"""


def lasting(workspace) -> dict[str, bytes]:
    """Every file that counts: locks and what is swept up by the next writer do not."""
    return {name: data for name, data in content(workspace).items() if "/." not in name}


def with_room_for(limit: int, workspace, *files) -> str:
    """What an ingest says that may write no file longer than `limit` bytes."""
    arguments = [sys.executable, "-c", FULL, str(limit), str(workspace.folder), *map(str, files)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, 300, 1_500, 6_000, 20_000, 60_000, 150_000])
def test_a_disk_that_fills_up_at_any_moment(tmp_path, limit):
    """Parts, quarantine, the line that commits, the cache of ids: whatever does not fit, all or nothing is in."""
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "good.csv", PLAIN))
    before = lasting(workspace)
    lines = [
        f"n{i},c{i % 70},2024-06-{i % 28 + 1:02}T00:00:0{i % 10}Z,web,{random.random()},{i}\n" for i in range(6_000)
    ]
    bad = [f"b{i},c,someday,web,x,1\n" for i in range(700)]
    path = write(tmp_path, "new.csv", HEAD + "".join(lines + bad))
    said = with_room_for(limit, workspace, path)
    if said.strip() == "6000":
        assert len(rows(workspace)) == 6_002
    else:
        assert "cannot be written: File too large; what was there is unchanged" in said
        assert lasting(workspace) == before
    done = ingest(workspace, path)
    assert done.total.accepted + done.total.duplicates == 6_000
    assert done.total.quarantined == 700
    assert len(rows(workspace)) == 6_002
    assert len(refused(workspace)) == 700
    assert not [path for path in workspace.folder.rglob("*") if ".staging" in path.name]


def test_a_disk_that_is_full_when_the_days_are_written(tmp_path, monkeypatch):
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "good.csv", PLAIN))
    before = content(workspace)
    write_table, calls = pq.write_table, []

    def full(*arguments, **options):
        calls.append(1)
        if len(calls) > 3:
            raise OSError(28, "No space left on device")
        return write_table(*arguments, **options)

    path = write(tmp_path, "new.csv", HEAD + "".join(f"n{i},c,2024-06-{i:02},web,x,1\n" for i in range(1, 20)))
    with monkeypatch.context() as patched:
        patched.setattr(pq, "write_table", full)
        with pytest.raises(WorkspaceError, match="cannot be written: No space left on device; what was there is unch"):
            ingest_files(workspace, [path])
    assert len(calls) > 3
    assert content(workspace) == before
    assert ingest(workspace, path).total.accepted == 19


def test_a_disk_that_is_full_once_the_batch_counts(tmp_path, monkeypatch):
    """The cache of ids is the last to be written: the rows are in, and the next ingest knows them."""
    workspace = shop(tmp_path)
    path = write(tmp_path, "good.csv", PLAIN)

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("features.idset.np.save", full)
        assert ingest(workspace, path).total.accepted == 2
    assert ingest(workspace, path).total.duplicates == 2


# -- a killed process -----------------------------------------------------------------------------------------------

INGEST = """
import sys
from pathlib import Path
from features.ingest import ingest_files
from features.workspace import Workspace
print("ready", flush=True)
ingest_files(Workspace.open(sys.argv[1]), [Path(sys.argv[2])])
"""


@pytest.mark.slow
def test_kill_9_at_any_moment(tmp_path):
    """Whenever it comes, history holds whole batches only; reading the file again puts everything right."""
    table, dice = contract(300_000, 2_000), random.Random(3)
    late = pa.array(np.arange(300_000) % 300 * DAY + parse_instant("2023-01-01")).cast(INSTANT)
    pq.write_table(table.set_column(2, "occurred_at", late), tmp_path / "log.parquet")
    seen = set()
    for attempt in range(8):
        workspace = shop(tmp_path / str(attempt))
        ingest(workspace, write(tmp_path, "good.csv", PLAIN))
        arguments = [sys.executable, "-c", INGEST, str(workspace.folder), str(tmp_path / "log.parquet")]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(dice.uniform(0.02, 4))
            child.send_signal(signal.SIGKILL)
        found = History(workspace).interactions(["interaction_id"]).num_rows
        seen.add(found)
        assert found in (2, 300_002)
        done = ingest(workspace, tmp_path / "log.parquet")
        assert done.total.accepted == 300_002 - found
        assert History(workspace).interactions(["interaction_id"]).num_rows == 300_002
        assert not list(workspace.history.glob("*/.staging"))
    assert 2 in seen


def test_kill_between_the_interactions_and_who_they_are(tmp_path, monkeypatch):
    """Links and attributes are written last; a second reading brings what is missing and nothing twice."""
    calls = [
        {"type": "track", "event": "Seen", "messageId": "m1", "anonymousId": "a", "timestamp": "2024-05-01T10:00:00Z"},
        {"type": "identify", "messageId": "m2", "anonymousId": "a", "userId": "u", "timestamp": "2024-05-01T11:00:00Z",
         "traits": {"plan": "gold"}},
    ]  # fmt: skip
    path = write(tmp_path, "calls.jsonl", "\n".join(map(json.dumps, calls)))
    workspace = shop(tmp_path)

    class Killed(BaseException):
        pass

    def die(*_arguments):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(History, "append_links", die)
        with pytest.raises(Killed):
            ingest_dataset(workspace, "segment", [path])
    assert len(rows(workspace)) == 1
    assert History(workspace).links().num_rows == 0
    done = ingest_dataset(workspace, "segment", [path])
    assert (done.total.accepted, done.total.duplicates) == (0, 1)
    assert History(workspace).links().num_rows == History(workspace).attributes().num_rows == 1


# -- one customer who fills the log ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_five_million_interactions_of_one_customer(tmp_path):
    """A bot's log is read and bounded; what grows with the square of its rows would never end."""
    workspace = shop(tmp_path)
    pq.write_table(contract(5_000_000, 1), tmp_path / "log.parquet")
    done = ingest(workspace, tmp_path / "log.parquet")
    assert done.total.accepted == 5_000_000
    past, cutoffs = History(workspace).past(), [parse_instant("2024-06-01"), parse_instant("2024-07-01")]
    frame = compute(past, cutoffs, DEFAULT, workspace.settings).to_pandas()
    assert len(frame) == 2
    assert frame["lifetime_count_purchase"].tolist() == [31 * 86_400, 5_000_000]
    assert frame["lifetime_value_purchase"].tolist() == [31 * 86_400 * 1.25, 6_250_000.0]
    assert frame["count_purchase_365d"].tolist() == [4_096] * 2
