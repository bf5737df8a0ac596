"""Who is erased is gone from every file of a workspace, stays gone when files are read again, and nobody else is."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tactful
from features import clock
from features.forgetting import (
    expire_history,
    expire_quarantine,
    forget_files,
    forget_history,
    forget_quarantine,
)
from features.history import History
from features.identity.links import links_from
from features.ingest import ingest_files
from features.ingest_attributes import ingest_attributes
from features.ingest_identifiers import ingest_identifiers
from features.nobody import OF_NOBODY
from features.scaffold import init_workspace
from features.tombstones import Graveyard, Tombstones, alone, hashed
from features.workspace import WorkspaceError

ANN, BOB = "ann-é@example.com", "ann"  # one id is a part of the other
START = clock.parse_instant("2026-05-01T10:00:00Z")


@pytest.fixture
def workspace(tmp_path):
    return init_workspace(tmp_path / "ws", {"tactful.yaml": "name: test"})


def rows(customer, n=3, first=0):
    return [
        {
            "interaction_id": f"i{first + i}",
            "customer_id": customer,
            "occurred_at": clock.isoformat(START + i * clock.DAY),
            "channel": "web",
            "type": "purchase",
        }
        for i in range(n)
    ]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def mentions(folder, text):
    """Files that hold an id, whatever is around it; Parquet is compressed, so it is read, too."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes().decode("utf-8", "replace")
            content += str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else ""
            if text in content or json.dumps(text)[1:-1] in content:
                found.append(str(path.relative_to(folder)))
    return found


def test_a_tombstone_tells_an_id_and_nothing_tells_the_id(workspace):
    yard = Graveyard(workspace)
    assert yard.tombstones().named([ANN]) == set()
    yard.bury([ANN, "x"], START)
    yard.bury([ANN], START)
    yard.note([ANN, "x"], {"interactions": 3}, START)
    found = Graveyard(workspace).tombstones()
    assert found.named([ANN, BOB, None, "x"]) == {ANN, "x"}
    assert len(found.hashes) == 2
    assert yard.counts() == {"interactions": 3}
    assert not mentions(workspace.folder, ANN)
    assert (yard.folder / "salt").stat().st_mode & 0o777 == 0o600
    assert hashed(b"a", ANN) != hashed(b"b", ANN)
    assert Tombstones().marked(pa.chunked_array([["a", None]])).tolist() == [False, False]


def test_without_its_salt_nobody_is_let_in(workspace):
    Graveyard(workspace).bury([ANN], START)
    (workspace.history / "erased" / "salt").unlink()
    with pytest.raises(WorkspaceError, match="salt is missing"):
        Graveyard(workspace).tombstones()
    with pytest.raises(WorkspaceError, match="salt is missing"):
        ingest_files(workspace, [write(workspace.folder / "in.jsonl", rows(BOB))])


def test_a_torn_line_is_no_tombstone_and_the_next_one_cuts_it_off(workspace):
    yard = Graveyard(workspace)
    yard.bury([ANN], START)
    with (yard.folder / "tombstones.jsonl").open("a") as file:
        file.write('{"hash": "00')
    assert Graveyard(workspace).tombstones().named([ANN]) == {ANN}
    yard.bury([BOB], START)
    assert Graveyard(workspace).tombstones().named([ANN, BOB]) == {ANN, BOB}


def told(workspace, tmp_path):
    """History of Ann and Bob: interactions, attributes, links, decisions, contacts."""
    history = History(workspace)
    ingest_files(workspace, [write(tmp_path / "in.jsonl", rows(ANN) + rows(BOB, first=3))])
    records = [
        {"customer_id": who, "valid_from": "2026-05-01", "attributes": {"segment": "gold"}} for who in (ANN, BOB)
    ]
    ingest_attributes(workspace, [write(tmp_path / "records.jsonl", records)])
    history.append_links(links_from([ANN, "cookie"], ["email", "cookie"], ["C1", BOB], [START, START]), "test")
    at = pa.array([START, START], pa.timestamp("us", tz="UTC"))
    decisions = {"decision_id": ["d1", "d2"], "decided_at": at, "customer_id": [ANN, BOB], "document": [ANN, BOB]}
    history.append_log("decisions", pa.table(decisions))
    contacts = {"contact_id": ["k1", "k2"], "status": ["sent", "sent"], "changed_at": at, "customer_id": [ANN, BOB]}
    history.append_log("contacts", pa.table(contacts))
    return history


def test_history_forgets_the_ids_in_every_log_and_counts_stay(workspace, tmp_path):
    history = told(workspace, tmp_path)
    before = history.batches()
    gone = forget_history(workspace, {ANN})
    assert gone == {
        "interactions": 3,
        "attributes": 1,
        "identifiers": 1,
        "decisions": 1,
        "contacts": 1,
        "restrictions": 0,
    }
    assert mentions(workspace.history, ANN) == []
    assert mentions(workspace.history, BOB) != []
    assert history.interactions().column("customer_id").to_pylist() == [BOB] * 3
    assert history.batches() == before
    assert forget_history(workspace, {ANN}) == dict.fromkeys(gone, 0)
    assert history.past().interactions.num_rows == 3


def test_what_is_read_again_is_refused_without_its_content(workspace, tmp_path):
    told(workspace, tmp_path)
    Graveyard(workspace).bury([ANN], START)
    forget_history(workspace, {ANN})
    mixed = write(tmp_path / "again.jsonl", rows(ANN, first=10) + rows(BOB, first=20))
    total = ingest_files(workspace, [mixed]).total
    assert (total.received, total.accepted, total.quarantined) == (6, 3, 3)
    people = [{"customer_id": who, "valid_from": "2026-05-02", "segment": "tin"} for who in (ANN, BOB)]
    assert ingest_attributes(workspace, [write(tmp_path / "people.jsonl", people)]).total.quarantined == 1
    links = [
        {"identifier": one, "kind": "email", "customer_id": who, "valid_from": "2026-05-02"}
        for one, who in ((ANN, "C9"), ("other@x", ANN), ("third@x", BOB))
    ]
    assert ingest_identifiers(workspace, [write(tmp_path / "links.jsonl", links)]).total.quarantined == 2
    assert mentions(workspace.folder, ANN) == []


def test_quarantine_loses_the_lines_that_name_the_id_and_no_others(workspace):
    folder = workspace.quarantine / "live" / "2026-05-01"
    folder.mkdir(parents=True)
    lines = [
        {"position": 0, "reasons": ["value: is text"], "row": {"customer_id": ANN, "value": "x"}},
        {"position": 1, "reasons": [f"customer_id: found '{ANN}', strange"], "row": None},
        {"file": "a.csv", "row": 3, "reason": "value: is text", "raw": f"i1,{ANN},oops"},
        {"position": 2, "reasons": ["value: is text"], "row": {"customer_id": BOB, "topic": "anniversary"}},
        {"position": 3, "reasons": ["value: is text"], "row": {"customer_id": "x" + ANN}},
    ]
    write(folder / "a.jsonl", lines)
    assert forget_quarantine(workspace, {ANN}) == 3
    kept = [json.loads(line)["position"] for line in (folder / "a.jsonl").read_text().splitlines()]
    assert kept == [2, 3]
    assert forget_quarantine(workspace, {BOB}) == 1


def test_tables_and_reports_of_the_workspace_lose_the_id_too(workspace):
    folder = workspace.folder
    table = pa.table({"customer_id": [ANN, BOB, ANN, "c"], "score": [1.0, 2.0, 3.0, 4.0]})
    pq.write_table(
        table.replace_schema_metadata({b"tactful.manifest": b"{}"}), folder / "scores.parquet", row_group_size=2
    )
    pq.write_table(pa.table({"x": [1]}), folder / "other.parquet")
    (folder / "list.csv").write_text(f'customer_id,note\n{ANN},1\n{BOB},"{BOB}, twice"\n')
    (folder / "report.json").write_text(json.dumps({"best": [ANN, BOB], "n": 2, ANN: {"v": 1}}))
    (folder / "report.html").write_text(f"<td>{ANN}</td><td>x{ANN}</td>")
    (folder / "note.bin").write_bytes(b"\x00" + ANN.encode() + b"\x00")
    store = folder / "state" / "store.db"
    store.parent.mkdir(exist_ok=True)
    store.write_bytes(ANN.encode())
    gone, left = forget_files(workspace, {ANN}, besides=[store])
    assert (gone, left) == (2 + 1 + 2 + 1, ["note.bin"])
    scores = pq.ParquetFile(folder / "scores.parquet")
    assert scores.read().column("customer_id").to_pylist() == [BOB, "c"]
    assert scores.num_row_groups == 2
    assert scores.schema_arrow.metadata[b"tactful.manifest"] == b"{}"
    assert (folder / "list.csv").read_text() == f'customer_id,note\n{BOB},"{BOB}, twice"\n'
    assert json.loads((folder / "report.json").read_text()) == {"best": ["(erased)", BOB], "n": 2, "(erased)": {"v": 1}}
    assert (folder / "report.html").read_text() == f"<td>(erased)</td><td>x{ANN}</td>"


def test_what_reports_say_of_all_is_no_mention_of_who_goes_by_a_number(workspace):
    """Customer 10 is not the 10 in a figure, a sentence, a stylesheet or an array; they are in the tables' column."""
    reports = workspace.reports
    (reports / "journeys" / "kept").mkdir(parents=True)
    names = reports / "journeys" / "kept" / "customers.parquet"
    pq.write_table(pa.table({"customer": pa.array([10, 11], pa.int32()), "customer_id": ["10", "11"]}), names)
    told = json.dumps({"headline": "10% of 10 journeys", "stages": ["10"], "10": 10})
    page = f"<html><head>{OF_NOBODY}</head><style>10px</style>10 of 10</html>"
    untouched = {
        reports / "journeys.json": told,
        reports / "journeys" / "kept" / "at.npy": " 10 ",
        workspace.folder / "mine.html": page,
        workspace.folder / "mine.json": told,
    }
    for path, text in untouched.items():
        path.write_text(text)
    (workspace.folder / "saved.html").write_text("<td>10</td>")
    (reports / "journeys" / ".customers.parquet.77.part").write_bytes(names.read_bytes())
    gone, left = forget_files(workspace, {"10"})
    assert gone == 2
    assert not [path for path in left if path.startswith("reports/") or path.startswith("mine")]
    assert {path: path.read_text() for path in untouched} == untouched
    assert (workspace.folder / "saved.html").read_text() == "<td>(erased)</td>"
    assert pq.read_table(names)["customer_id"].to_pylist() == ["11"]
    assert not list(reports.rglob("*.part"))


def test_whole_days_of_a_log_expire(workspace, tmp_path):
    history = told(workspace, tmp_path)
    assert expire_history(workspace, {"interactions": START + 2 * clock.DAY}) == {"interactions": 2}
    left = history.interactions().column("occurred_at").cast(pa.int64()).to_numpy()
    assert np.all(left >= START + 2 * clock.DAY - 10 * clock.HOUR)
    assert len(left) == 2
    assert ingest_files(workspace, [tmp_path / "in.jsonl"]).total.duplicates == 6  # what expired does not come back


def test_old_quarantine_expires_by_when_it_was_written(workspace):
    folder = workspace.quarantine / "live" / "2026-05-01"
    folder.mkdir(parents=True)
    write(folder / "a.jsonl", [{}])
    assert expire_quarantine(workspace, 0) == 0
    assert expire_quarantine(workspace, 1 << 62) == 1
    assert not folder.exists()


def test_erasing_and_syncing_take_turns(workspace):
    with alone(workspace):
        assert (workspace.history / ".privacy.lock").exists()


def test_features_are_built_of_who_is_left(workspace, tmp_path):
    """Parts of days that lost all their rows are read like any other; the table is that of a history without them."""
    (workspace.folder / "catalogue.py").write_text(
        "from features.definitions import ANY\nfrom features.kinds import Count\nCATALOGUE = [Count(ANY, 30)]\n"
    )
    ingest_files(workspace, [write(tmp_path / "ann.jsonl", rows(ANN))])
    ingest_files(workspace, [write(tmp_path / "bob.jsonl", rows(BOB, first=3))])
    forget_history(workspace, {ANN})
    out = workspace.folder / "features.parquet"
    asked = ["features", "build", "--as-of", "2026-05-20", "--out", str(out), "--workspace", str(workspace.folder)]
    result = CliRunner().invoke(tactful.app, asked)
    assert result.exit_code == 0, result.output
    assert pq.read_table(out, columns=["customer_id"]).column("customer_id").to_pylist() == [BOB]
