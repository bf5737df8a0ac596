"""Files of every kind and condition: bad rows are told apart, bad files are told in one line, nothing is lost."""

import gzip
import json
import random
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingesting import PLAIN, RETAIL, RETAIL_MAP, content, ingest, killed, refused, rows, shop, write, write_map

from features.history import History
from features.ingest import ingest_files
from features.workspace import WorkspaceError


def plain(n: int) -> str:
    """n good rows in the contract's own columns."""
    head = "interaction_id,customer_id,occurred_at,channel,type,value\n"
    times = [f"2024-05-01T00:{i // 60 % 60:02}:{i % 60:02}Z" for i in range(n)]
    return head + "".join(f"i{i},c{i % 7},{time},web,purchase,{i}\n" for i, time in enumerate(times))


# -- files that are read --------------------------------------------------------------------------------------------


def test_the_contracts_own_columns_need_no_map(tmp_path):
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "plain.csv", PLAIN))
    first, second = rows(workspace)
    assert first == {
        "interaction_id": "a",
        "customer_id": "c1",
        "occurred_at": datetime(2024, 5, 1, 10, tzinfo=UTC),
        "channel": "web",
        "direction": "inbound",
        "type": "purchase",
        "value": 1.5,
        "topic": None,
        "case_id": None,
        "decision_id": None,
        "action": None,
        "satisfaction": None,
        "identified": True,
        "provenance": "observed",
        "received_at": datetime(2024, 5, 1, 10, tzinfo=UTC),
        "attributes": None,
    }
    assert second["occurred_at"] == datetime(2024, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("semicolon.csv", PLAIN.replace(",", ";")),
        ("tab.tsv", PLAIN.replace(",", "\t")),
        ("pipe.txt", PLAIN.replace(",", "|")),
        ("crlf.csv", PLAIN.replace("\n", "\r\n")),
        ("mac.csv", PLAIN.replace("\n", "\r")),
        ("bom.csv", b"\xef\xbb\xbf" + PLAIN.encode()),
        ("utf16.csv", PLAIN.encode("utf-16")),
        ("zipped.csv.gz", PLAIN),
        ("two-members.csv.gz", None),
        ("no-end-of-line.csv", PLAIN.rstrip("\n")),
        ("blank-lines.csv", PLAIN.replace("\n", "\n\n")),
        ("blanks.csv", PLAIN.replace(",", " , ")),
        ("quoted.csv", "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in PLAIN.split())),
        ("strange.name", PLAIN),
    ],
)
def test_csv_as_people_write_it(tmp_path, name, content):
    workspace = shop(tmp_path)
    path = write(tmp_path, name, content if content is not None else b"")
    if content is None:
        half = len(PLAIN) // 2
        path.write_bytes(gzip.compress(PLAIN[:half].encode()) + gzip.compress(PLAIN[half:].encode()))
    done = ingest(workspace, path)
    assert str(done.total) == "2 received = 2 accepted + 0 duplicates + 0 quarantined"
    assert [row["interaction_id"] for row in rows(workspace)] == ["a", "b"]


def test_parquet_with_its_own_types(tmp_path):
    workspace = shop(tmp_path)
    frame = pd.DataFrame(
        {
            "customer_id": [17850.0, None, 3.0],
            "occurred_at": pd.to_datetime(["2024-05-01T10", "2024-05-01T00", "2024-05-02T00"]),
            "channel": pd.Categorical(["web", "web", "store"]),
            "type": ["purchase"] * 3,
            "value": [1.25, 2.0, float("nan")],
            "identified": [True, False, True],
        }
    )
    frame.to_parquet(tmp_path / "table.parquet")
    done = ingest(workspace, tmp_path / "table.parquet")
    assert (done.total.accepted, done.total.quarantined) == (2, 1)
    assert [(row["customer_id"], row["value"]) for row in rows(workspace)] == [("17850", 1.25), ("3", None)]
    assert refused(workspace)[0]["row"] == 2


def test_parquet_structs_decimals_and_zones(tmp_path):
    table = pa.table(
        {
            "who": pa.array([{"id": 5, "name": "Ann"}]),
            "when": pa.array([1714557600_000_000_000], pa.timestamp("ns", tz="America/New_York")),
            "paid": pa.array(["12.50"]).cast(pa.decimal128(10, 2)),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    columns = {"customer_id": "who.id", "occurred_at": "when", "channel": {"constant": "web"}, "value": "paid",
               "type": {"constant": "purchase"}}  # fmt: skip
    workspace = shop(tmp_path)
    ingest(workspace, tmp_path / "t.parquet", map={"columns": columns})
    (row,) = rows(workspace)
    assert (row["customer_id"], row["value"]) == ("5", 12.5)
    assert row["occurred_at"] == datetime(2024, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("name", ["log.jsonl", "log.json", "log.ndjson.gz", "array.json", "no-suffix"])
def test_json_as_people_write_it(tmp_path, name):
    records = [
        {"customer_id": "é", "occurred_at": "2024-05-01", "channel": "web", "type": "purchase", "value": 1},
        {"customer_id": 2, "occurred_at": "2024-05-01T00:00:00+02:00", "channel": "web", "type": "call", "value": 2.5},
    ]
    lines = "\n".join(json.dumps(record) for record in records)
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, name, json.dumps(records) if name.startswith("array") else lines))
    assert {(row["customer_id"], row["value"]) for row in rows(workspace)} == {("é", 1.0), ("2", 2.5)}


def test_several_files_are_one_batch(tmp_path):
    workspace = shop(tmp_path)
    lines = PLAIN.splitlines(keepends=True)
    one, two = write(tmp_path, "1.csv", lines[0] + lines[1]), write(tmp_path, "2.csv", lines[0] + lines[2])
    done = ingest(workspace, one, two)
    assert [source.receipt.accepted for source in done.sources] == [1, 1]
    assert len(History(workspace).batches()) == 1


# -- files that are not ---------------------------------------------------------------------------------------------

BROKEN = {
    "nothing.csv": (b"", "is empty"),
    "nothing.csv.gz": (gzip.compress(b""), "is empty"),
    "blank.csv": (b"\n\n  \n", "no rows"),
    "blank.jsonl": (b"\n\n", "no rows"),
    "header.csv": (PLAIN.splitlines(keepends=True)[0].encode(), "has a header and no rows"),
    "garbage.bin": (random.Random(1).randbytes(100_000), ""),
    "garbage.csv": (random.Random(2).randbytes(100_000), ""),
    "garbage.parquet": (random.Random(3).randbytes(10_000), "is not a Parquet file"),
    "zeros.csv": (bytes(5000), "does not look like text"),
    "book.xlsx": (b"PK\x03\x04" + bytes(200), "Excel"),
    "cut.csv.gz": (gzip.compress(plain(5000).encode())[:-9000], "cut short or damaged"),
    "cut-at-once.csv.gz": (gzip.compress(PLAIN.encode())[:12], "cut short or damaged"),
    "flipped.csv.gz": (gzip.compress(plain(5000).encode())[:3000] + b"xxxx" * 500, "cut short or damaged"),
    "cut.parquet": (None, "cannot be read as Parquet"),
    "empty.parquet": (None, "without rows"),
    "damaged.parquet": (None, "damaged"),
    "other.csv": (b"name,age\nann,3\n", "lacks the columns customer_id, occurred_at, channel, type"),
    "other.jsonl": (b'{"name": "ann"}\n', "lacks the columns"),
    "only-broken.jsonl": (b"{\n{\n", "lacks the columns"),
    "open-quote.csv": (PLAIN.encode() + b'c,"c1,2024-05-01,web,purchase,1\n' + PLAIN.encode(), "never closed"),
    "array.json": (b'[{"a": 1},', "not valid JSON"),
    "ragged.csv": (PLAIN.splitlines(keepends=True)[0].encode() + b"a,b,c\n" * 30, "none of its rows can be read"),
    "wrong-delimiter.csv": (PLAIN.replace(",", "~").encode(), "it has 'interaction_id~"),
    "locale.csv": (PLAIN.splitlines(keepends=True)[0].encode() + b"a,c,01/02/2024,web,purchase,1\n" * 30,
                   "format: '%d/%m/%Y'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_in_one_line_and_changes_nothing(tmp_path, name):
    workspace = shop(tmp_path)
    good = write(tmp_path, "good.csv", PLAIN.replace("\na,", "\nz,"))
    ingest(workspace, good)
    before = content(workspace)
    data, words = BROKEN[name]
    path = write_broken(tmp_path, name) if data is None else tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(WorkspaceError) as error:
        ingest_files(workspace, [write(tmp_path, "new.csv", plain(50)), path])
    message = str(error.value)
    assert name in message
    assert "\n" not in message
    assert words in message, message
    assert content(workspace) == before, "all files or none"


def write_broken(folder, name):
    path = folder / name
    table = pa.table({"customer_id": [str(i) for i in range(200_000)], "n": list(range(200_000))})
    if name == "empty.parquet":
        table = table.slice(0, 0)
    pq.write_table(table, path, row_group_size=50_000)
    data = path.read_bytes()
    if name == "cut.parquet":
        path.write_bytes(data[: len(data) // 2])
    if name == "damaged.parquet":
        wanted = {"customer_id": ["c"] * 10, "occurred_at": ["2024-05-01"] * 10, "channel": ["web"] * 10}
        pq.write_table(pa.table({**wanted, "type": [str(i) for i in range(10)]}), path)
        data = path.read_bytes()
        path.write_bytes(data[:4] + b"\xff" * 60 + data[64:])
    return path


def test_missing_and_foreign_paths(tmp_path):
    workspace = shop(tmp_path)
    with pytest.raises(WorkspaceError, match=r"nowhere.csv: no such file"):
        ingest(workspace, tmp_path / "nowhere.csv")
    with pytest.raises(WorkspaceError, match="is a folder; name the files in it"):
        ingest(workspace, tmp_path)


def test_a_field_without_end(tmp_path):
    """A quotation mark that opens a field of 40 MB: told, in bounded memory, where it was read."""
    workspace = shop(tmp_path)
    path = write(tmp_path, "huge.csv", PLAIN + 'c,"' + "x" * 40_000_000 + '",2024-05-01,web,purchase,1\n')
    with pytest.raises(WorkspaceError, match="a row is longer than 16 MB"):
        ingest(workspace, path)
    path = write(tmp_path, "huge.jsonl", '{"a": "' + "x" * 20_000_000)
    with pytest.raises(WorkspaceError, match="a line is longer than 16 MB"):
        ingest(workspace, path)


def test_a_large_field_is_read(tmp_path):
    workspace = shop(tmp_path)
    text = "customer_id,occurred_at,channel,type,topic\nc,2024-05-01,web,page_view," + "x" * 3_000_000 + "\n"
    ingest(workspace, write(tmp_path, "large.csv", text))
    assert len(rows(workspace)[0]["topic"]) == 3_000_000


# -- rows that are told apart ---------------------------------------------------------------------------------------

GOOD = ("c1", "2024-05-01", "web", "purchase", "5", "0.5")


@pytest.mark.parametrize(
    ("position", "value", "reason"),
    [
        (0, "", "customer_id: is missing"),
        (0, "NULL", "customer_id: is missing"),
        (1, "", "occurred_at: is missing"),
        (1, "2024-02-30", "occurred_at: '2024-02-30' is not a date"),
        (1, "yesterday", "occurred_at: 'yesterday' is not a date like 2017-12-04"),
        (1, "01/02/2024", "if the day comes first say format: '%d/%m/%Y', if the month does format: '%m/%d/%Y'"),
        (1, "31/01/2024 9:05", "try format: '%d/%m/%Y %H:%M'"),
        (1, "2124-05-01", "occurred_at: 2124-05-01T00:00:00Z is in the future; this workspace's clock says 20"),
        (1, "1924-05-01", "occurred_at: 1924-05-01T00:00:00Z is impossible"),
        (1, "0024-05-01", "is impossible"),
        (1, "1970-01-01", "often stands for a missing date"),
        (1, "99999-05-01", "is not a date"),
        (1, "1714557600", "is not a date"),
        (2, "shop", "channel: 'shop' is not known; tactful.yaml lists web, store"),
        (2, "", "channel: is missing"),
        (3, "", "type: is missing"),
        (4, "five", "value: 'five' is not a number"),
        (4, "inf", "value: 'inf' is infinite"),
        (4, "1e999", "value: is infinite"),
        (4, "5,00", "if the comma is the decimal mark, say numbers: {decimal: ','}"),
        (4, "1,234", "can be read in two ways; say numbers: {thousands: ','}"),
        (4, "1.2.3", "is not a number"),
        (4, "0x10", "is not a number"),
        (5, "1.01", "satisfaction: 1.01 is outside 0 to 1"),
        (5, "-1", "satisfaction: -1 is outside 0 to 1"),
        (5, "good", "satisfaction: 'good' is not a number"),
    ],
)
def test_a_bad_row_goes_to_quarantine_with_reason_and_position(tmp_path, position, value, reason):
    bad = [*GOOD]
    bad[position] = f'"{value}"'
    lines = ["customer_id,occurred_at,channel,type,value,satisfaction", ",".join(GOOD), ",".join(bad), ",".join(GOOD)]
    workspace = shop(tmp_path)
    done = ingest(workspace, write(tmp_path, "log.csv", "\n".join(lines)))
    assert (done.total.accepted, done.total.quarantined) == (2, 1)
    (row,) = refused(workspace)
    assert row["file"] == "log.csv"
    assert row["row"] == 2
    assert reason in row["reason"]
    assert list(row["raw"].values())[position] == value


@pytest.mark.parametrize(
    ("numbers", "text", "value"),
    [
        ({}, "1,234.50", 1234.5),
        ({}, "1,234,567", 1234567),
        ({}, "$12.99", 12.99),
        ({}, "12.99 EUR", 12.99),
        ({}, "-£5", -5),
        ({}, "(7.50)", -7.5),
        ({}, "7.50-", -7.5),
        ({}, "1 234.5", 1234.5),
        ({}, "+3", 3),
        ({}, "\u22123", -3),
        ({}, ".5", 0.5),
        ({}, "1e3", 1000),
        ({"thousands": ","}, "1,234", 1234),
        ({"decimal": ","}, "12,50", 12.5),
        ({"decimal": ","}, "1.234,50 €", 1234.5),
        ({"decimal": ",", "thousands": "."}, "1.234", 1234),
        ({"decimal": ","}, "1\u00a0234,5", 1234.5),
    ],
)
def test_numbers_as_people_write_them(tmp_path, numbers, text, value):
    columns = {name: name for name in ("customer_id", "occurred_at", "channel", "type", "value")}
    workspace = shop(tmp_path)
    file = write(tmp_path, "n.csv", f'customer_id,occurred_at,channel,type,value\nc,2024-05-01,web,x,"{text}"\n')
    ingest(workspace, file, map={"numbers": numbers, "columns": columns})
    assert refused(workspace) == []
    assert rows(workspace)[0]["value"] == pytest.approx(value)


@pytest.mark.parametrize(
    ("form", "zone", "text", "instant"),
    [
        (None, "UTC", "2024-05-01 10:00:00 UTC", (2024, 5, 1, 10)),
        (None, "Asia/Tokyo", "2024-05-01T10:00:00Z", (2024, 5, 1, 10)),
        (None, "Asia/Tokyo", "2024-05-01T10:00:00", (2024, 5, 1, 1)),
        (None, "UTC", "2024-05-01 10:00:00.123456789+05:30", (2024, 5, 1, 4, 30, 0, 123456)),
        ("%m/%d/%Y %I:%M %p", "America/New_York", "12/1/2010 8:26 AM", (2010, 12, 1, 13, 26)),
        ("%d %b %Y", "UTC", "1 May 2024", (2024, 5, 1)),
        ("epoch_ms", "UTC", "1714557600123", (2024, 5, 1, 10, 0, 0, 123000)),
        ("excel", "UTC", "45413.5", (2024, 5, 1, 12)),
        (None, "Europe/Berlin", "2024-03-31T02:30:00", (2024, 3, 31, 1, 30)),  # skipped by daylight saving
        (None, "Europe/Berlin", "2024-10-27T02:30:00", (2024, 10, 27, 0, 30)),  # repeated: the first
        (None, "Australia/Lord_Howe", "2024-04-07T01:45:00", (2024, 4, 6, 14, 45)),  # half an hour of daylight saving
    ],
)
def test_instants_as_people_write_them(tmp_path, form, zone, text, instant):
    when = {"column": "at", **({"format": form} if form else {})}
    columns = {"customer_id": "c", "occurred_at": when, "channel": {"constant": "web"}, "type": {"constant": "x"}}
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "t.csv", f"c,at\nx,{text}\n"), map={"zone": zone, "columns": columns})
    assert refused(workspace) == []
    assert rows(workspace)[0]["occurred_at"] == datetime(*instant, tzinfo=UTC)


def test_the_future_begins_a_day_after_the_workspaces_clock(tmp_path):
    workspace = shop(tmp_path, "clock: {start: '2018-01-01'}\n")
    head = "customer_id,occurred_at,channel,type\n"
    ingest(workspace, write(tmp_path, "log.csv", head + "a,2018-01-01T23:59:00Z,web,x\nb,2018-01-02T01:00:00Z,web,x\n"))
    assert [row["customer_id"] for row in rows(workspace)] == ["a"]
    assert "is in the future; this workspace's clock says 2018-01-01" in refused(workspace)[0]["reason"]


def test_mixed_encodings_are_told_row_by_row(tmp_path):
    text = b"customer_id,occurred_at,channel,type,topic\n"
    text += "a,2024-05-01,web,x,café\n".encode() + "b,2024-05-01,web,x,café\n".encode("latin-1")
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "mixed.csv", text))
    assert rows(workspace)[0]["topic"] == "café"
    assert refused(workspace)[0]["reason"] == "topic: holds bytes that are not in the file's encoding"


def test_positions_count_ragged_rows_and_line_breaks_in_quotes(tmp_path):
    text = "customer_id,occurred_at,channel,type\n"
    text += 'a,2024-05-01,"we\nb",x\nb\n\nc,2024-05-01,web,x\nd,,web,x\ne,1,2,3,4,5\n'
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "log.csv", text))
    assert [(row["row"], row["reason"][:23]) for row in refused(workspace)] == [
        (1, "channel: 'we_b' is not "),
        (2, "the row has 1 fields wh"),
        (4, "occurred_at: is missing"),
        (5, "the row has 6 fields wh"),
    ]


# -- again, and again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["retail.csv", "retail.csv.gz"])
def test_running_it_twice_changes_nothing(tmp_path, name):
    workspace = shop(tmp_path)
    file = write(tmp_path, name, RETAIL)
    ingest(workspace, file, map=RETAIL_MAP)
    before = content(workspace)
    done = ingest(workspace, file, map=RETAIL_MAP)
    assert str(done.total) == "5 received = 0 accepted + 4 duplicates + 1 quarantined"
    assert content(workspace) == before


def test_a_better_map_empties_the_quarantine(tmp_path):
    workspace = shop(tmp_path)
    file = write(tmp_path, "retail.csv", RETAIL)
    ingest(workspace, file, map=RETAIL_MAP)
    assert len(refused(workspace)) == 1
    guests = {**RETAIL_MAP["columns"], "customer_id": {"expression": "coalesce(CustomerID, 'guest-' || InvoiceNo)"}}
    done = ingest(workspace, file, map={**RETAIL_MAP, "columns": guests})
    assert (done.total.accepted, done.total.duplicates) == (1, 4)
    assert refused(workspace) == []


IMPORTS = """
from pathlib import Path
from features import daylog, ingest
from features.sources.quarantine import Quarantine
from features.workspace import Workspace
"""
KILLED = """
folder = Path(folder)
if folder.name == "reading":
    Quarantine.add_, Quarantine.add = Quarantine.add, lambda self, *a: (Quarantine.add_(self, *a), die())
else:
    daylog.Writer.commit = die
ingest.ingest_files(Workspace.open(folder / "shop"), [folder / "retail.csv"], folder / "map.yaml")
"""


def test_kill_9_and_again_is_as_if_nothing_had_happened(tmp_path):
    folders = [tmp_path / moment for moment in ("reading", "committing")]
    for folder in folders:
        folder.mkdir()
        write(folder, "retail.csv", RETAIL)
        write_map(folder, RETAIL_MAP)
    workspaces = [shop(folder) for folder in folders]
    killed(IMPORTS, KILLED, *folders)
    for folder, workspace in zip(folders, workspaces, strict=True):
        assert rows(workspace) == []
        receipt = ingest(workspace, folder / "retail.csv", map=RETAIL_MAP).total
        assert str(receipt) == "5 received = 4 accepted + 0 duplicates + 1 quarantined"
        assert len(refused(workspace)) == 1
        assert len(list(workspace.quarantine.iterdir())) == 1


CELLS = st.one_of(
    st.sampled_from(["", "c1", "2024-05-01", "2524-01-01", "web", "purchase", "1.5", "-1", "NaN", "1e400", '"', "\n"]),
    st.text(max_size=8),
)


@given(table=st.lists(st.lists(CELLS, min_size=6, max_size=6), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_in_any_cell_is_accounted_for(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("any")
    quoted = ["".join(['"' + cell.replace('"', '""') + '",' for cell in line])[:-1] for line in table]
    head = "customer_id,occurred_at,channel,type,value,topic\n"
    path = folder / "any.csv"
    path.write_bytes((head + "\n".join(quoted) + "\n").encode("utf-8", "replace"))
    workspace = shop(folder)
    try:
        done = ingest(workspace, path)
    except WorkspaceError:
        return
    assert done.total.received == len(table)
    assert len(rows(workspace)) == done.total.accepted
    assert len(refused(workspace)) == done.total.quarantined


@pytest.fixture
def empty(tmp_path):
    """One workspace for all examples: hardly any is more than refused."""
    return shop(tmp_path)


@given(data=st.binary(max_size=400))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.parquet", "x.csv.gz"])
def test_any_bytes_at_all(tmp_path, empty, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    message = ""
    try:
        ingest_files(empty, [path])
    except WorkspaceError as error:
        message = str(error)
    assert "\n" not in message
