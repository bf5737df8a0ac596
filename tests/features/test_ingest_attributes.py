"""Files of customer attributes: every row accounted for, the same read twice is one, bad input is one line."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingesting import balanced, content, refused, shop, write
from typer.testing import CliRunner

import tactful
from features.history import History
from features.ingest_attributes import ingest_attributes
from features.workspace import WorkspaceError

CSV = """customer_id,valid_from,age,segment
a,2024-01-01,35,gold
b,2024-01-01T10:00:00+02:00,,silver
,2024-01-01,1,x
c,1850-01-01,1,x
d,2024-13-01,1,x
e,2024-01-02,,
a,2024-01-01,35,gold
"""


def stated(workspace):
    rows = History(workspace).attributes().sort_by([("customer_id", "ascending"), ("valid_from", "ascending")])
    return [(r["customer_id"], f"{r['valid_from']:%Y-%m-%dT%H}", json.loads(r["attributes"])) for r in rows.to_pylist()]


def ingest(workspace, *paths):
    done = ingest_attributes(workspace, paths)
    for source in done.sources:
        balanced(source.receipt)
    return done.total


def test_a_wide_table_states_what_its_cells_hold(tmp_path):
    workspace = shop(tmp_path)
    path = write(tmp_path, "crm.csv.gz", CSV)
    total = ingest(workspace, path)
    assert (total.received, total.accepted, total.duplicates, total.quarantined) == (7, 2, 1, 4)
    assert stated(workspace) == [
        ("a", "2024-01-01T00", {"age": "35", "segment": "gold"}),
        ("b", "2024-01-01T08", {"segment": "silver"}),
    ]
    reasons = {row["row"]: row["reason"] for row in refused(workspace)}
    assert reasons[3] == "customer_id: is missing"
    assert reasons[4] == "valid_from: lies before 1900"
    assert "valid_from" in reasons[5]
    assert reasons[6].startswith("attributes: is empty")
    before = content(workspace)
    assert ingest(workspace, path).accepted == 0
    assert content(workspace) == before


def test_json_lines_may_hold_an_object_or_its_keys(tmp_path):
    workspace = shop(tmp_path)
    rows = [
        {"customer_id": "a", "valid_from": "2024-02-01", "attributes": {"segment": None, "kids": 2}},
        {"customer_id": "a", "valid_from": "2024-02-01", "attributes": {"kids": 2, "segment": None}},
        {"customer_id": 7, "valid_from": "2024-02-01", "attributes": {"age": 3.5, "own": {"car": True}}},
        {"customer_id": "b", "valid_from": "2024-02-01", "attributes": [1]},
        {"customer_id": "b", "valid_from": "2024-02-01", "attributes": {}},
    ]
    flat = [{"customer_id": "f", "valid_from": "2024-02-02", "age": 41, "gone": None, "vip": True}]
    total = ingest(
        workspace,
        write(tmp_path, "deep.jsonl", "\n".join(map(json.dumps, rows)) + "\nnonsense\n"),
        write(tmp_path, "flat.jsonl", "\n".join(map(json.dumps, flat))),
    )
    assert (total.received, total.accepted, total.duplicates, total.quarantined) == (7, 3, 1, 3)
    assert stated(workspace) == [
        ("7", "2024-02-01T00", {"age": 3.5, "own": {"car": True}}),
        ("a", "2024-02-01T00", {"kids": 2, "segment": None}),
        ("f", "2024-02-02T00", {"age": 41, "vip": True}),
    ]


def test_parquet_keeps_types_and_structs_and_may_say_when_it_was_received(tmp_path):
    workspace = shop(tmp_path)
    day = pa.array([19_800, 19_801], pa.date32())
    table = pa.table({
        "customer_id": ["a", "b"], "valid_from": day, "received_at": pa.array([19_803, None], pa.date32()),
        "record_id": ["r1", None], "score": [0.5, None],
        "attributes": [{"age": 5, "since": None}, {"age": 6, "since": "x"}],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "crm.parquet")
    assert ingest(workspace, tmp_path / "crm.parquet").accepted == 2
    rows = {row["customer_id"]: row for row in History(workspace).attributes().to_pylist()}
    assert json.loads(rows["a"]["attributes"]) == {"age": 5, "score": 0.5}
    assert json.loads(rows["b"]["attributes"]) == {"age": 6, "since": "x"}
    assert rows["a"]["record_id"] == "r1"
    assert (rows["a"]["received_at"] - rows["a"]["valid_from"]).days == 3
    assert rows["b"]["received_at"] == rows["b"]["valid_from"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("customer,valid_from,age\na,2024-01-01,3\n", "lacks the column customer_id; it has 'customer', 'valid_from'"),
        ("customer_id;age\na;3\n", "lacks the column valid_from"),
        ("customer_id,valid_from,age\n" + "a,01/02/2024,3\n" * 30, "no row of the first 30 is a record; valid_from"),
        ("", "is empty"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(tmp_path, text, told):
    workspace = shop(tmp_path)
    good, bad = write(tmp_path, "good.csv", CSV), write(tmp_path, "bad.csv", text)
    with pytest.raises(WorkspaceError) as error:
        ingest_attributes(workspace, [good, bad])
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert not History(workspace).attributes().num_rows
    assert not refused(workspace)


def test_the_command(tmp_path):
    workspace = shop(tmp_path)
    path = write(tmp_path, "crm.csv", CSV)
    runner, where = CliRunner(), ["--workspace", str(workspace.folder)]
    done = runner.invoke(tactful.app, ["ingest", "--attributes", str(path), *where])
    assert done.exit_code == 0, done.output
    assert "7 received = 2 accepted + 1 duplicates + 4 quarantined" in done.output
    assert "None of them is a feature yet" in done.output
    both = runner.invoke(tactful.app, ["ingest", str(path), "--attributes", str(path), *where])
    assert both.exit_code == 2
