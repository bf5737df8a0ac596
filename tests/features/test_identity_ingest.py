"""Files of identifiers into history: every row told, nothing half-way; what was erased stays out."""

import json

import pytest
import typer
from typer.testing import CliRunner

from features import commands
from features.history import History
from features.identity.resolution import resolve
from features.ingest import ingest_files
from features.ingest_identifiers import ingest_identifiers
from features.workspace import Workspace, WorkspaceError

NEVER = 1 << 62
app = typer.Typer()
app.command()(commands.ingest)
GOOD = """identifier,kind,customer_id,valid_from,op
a@b,email,C1,2024-01-01T10:00:00Z,
a@b,email,C2,2024-01-02,link
cookie-1,cookie,C2,2024-01-03,
"""


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "tactful.yaml").write_text("name: shop")
    return Workspace.open(folder)


def written(tmp_path, text, name="people.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_table_of_links(shop, tmp_path):
    path = written(tmp_path, GOOD)
    assert str(ingest_identifiers(shop, [path]).total) == "3 received = 3 accepted + 0 duplicates + 0 quarantined"
    assert ingest_identifiers(shop, [path]).total.duplicates == 3
    found = resolve(History(shop).links(), NEVER, shop.settings)
    assert found == {"a@b": "C1", "C2": "C1", "cookie-1": "C1"}


def test_json_lines_too(shop, tmp_path):
    rows = [{"identifier": "a@b", "kind": "email", "customer_id": "C1", "valid_from": "2024-01-01", "link_id": "x"},
            {"identifier": "C1", "kind": None, "customer_id": None, "valid_from": "2024-01-05",
             "op": "erase"}]  # fmt: skip
    path = written(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "people.jsonl")
    assert ingest_identifiers(shop, [path]).total.accepted == 2
    kept = History(shop).links().to_pylist()
    assert {(row["link_id"] == "x", row["kind"], row["op"]) for row in kept} == {
        (True, "email", "link"), (False, "customer", "erase")
    }  # fmt: skip


def test_what_does_not_fit_is_told_and_kept_aside(shop, tmp_path):
    bad = GOOD + "unknown,cookie,C3,2024-01-03,\nx,e-mail,C3,2024-01-03,\ny,email,,2024-01-03,\nz,email,C4,soon,\n"
    bad += "w,email,C4,2924-01-03,\nv,email,C4,2024-01-03,merge\n"
    (receipt,) = ingest_identifiers(shop, [written(tmp_path, bad)]).sources
    assert str(receipt.receipt) == "9 received = 3 accepted + 0 duplicates + 6 quarantined"
    told = [json.loads(line)["reason"] for line in receipt.quarantine.read_text().splitlines()]
    for reason, says in zip(told, ["strangers", "'e-mail' is not known", "customer_id: is missing", "'soon'",
                                   "lies in the future", "'merge' is not known"], strict=True):  # fmt: skip
        assert says in reason


def test_a_file_without_the_columns_changes_nothing(shop, tmp_path):
    path = written(tmp_path, "identifier,customer_id\na,b\n")
    with pytest.raises(WorkspaceError, match="lacks the columns kind, valid_from"):
        ingest_identifiers(shop, [path])
    assert not History(shop).links().num_rows


def test_what_was_erased_is_not_ingested_again(shop, tmp_path):
    sales = written(tmp_path, "customer_id,occurred_at,channel,type\nC1,2024-01-01,web,purchase\n"
                              "C2,2024-01-01,web,purchase\n", "sales.csv")  # fmt: skip
    ingest_identifiers(shop, [written(tmp_path, "identifier,kind,customer_id,valid_from,op\nC1,,,2024-02-01,erase\n")])
    (receipt,) = ingest_files(shop, [sales]).sources
    assert str(receipt.receipt) == "2 received = 1 accepted + 0 duplicates + 1 quarantined"
    (line,) = receipt.quarantine.read_text().splitlines()
    assert "was erased" in json.loads(line)["reason"]
    assert "C1" not in line
    assert History(shop).past().interactions["customer_id"].to_pylist() == ["C2"]


def test_on_the_command_line(shop, tmp_path):
    path = written(tmp_path, GOOD)
    done = CliRunner().invoke(app, ["--identifiers", str(path), "--workspace", str(shop.folder)])
    assert done.exit_code == 0, done.output
    assert "3 received = 3 accepted" in done.output
    both = [str(path), "--identifiers", str(path), "--workspace", str(shop.folder)]
    assert CliRunner().invoke(app, both).exit_code == 2
