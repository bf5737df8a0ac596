"""The commands as a user types them: one line and exit code 2 for a mistake, never a traceback."""

import json
import os

import pyarrow.parquet as pq
import pytest
import typer
from ingesting import PLAIN, RETAIL, RETAIL_MAP, shop, write, write_map
from typer.testing import CliRunner

from features import commands
from features.catalogue import DEFAULT
from features.console import new_file
from features.engine.command import build_features
from features.history import History
from features.manifest import Manifest
from features.workspace import Workspace, WorkspaceError

app = typer.Typer(rich_markup_mode="rich")
app.command()(commands.init)
app.command()(commands.ingest)
app.command("list")(commands.list_features)
app.command("build")(build_features)


def run(*arguments, code: int = 0) -> str:
    """What a command prints, on both streams."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def fails(*arguments) -> str:
    said = run(*arguments, code=2).strip()
    assert "\n" not in said
    assert said.startswith("error: ")
    return said


def test_init_writes_commented_settings_and_keeps_what_is_there(tmp_path):
    folder = tmp_path / "on"  # a name that bare YAML would read as true
    folder.mkdir()
    (folder / "actions.yaml").write_text("# mine\n")
    said = run("init", folder)
    for name in ("tactful.yaml", "actions.yaml", "contact_policy.yaml", "map-example.yaml"):
        assert name in said
    assert (folder / "actions.yaml").read_text() == "# mine\n"
    assert Workspace.open(folder).settings.name == "on"
    assert "is a workspace already" in fails("init", folder)
    assert "cannot be written" in fails("init", folder / "tactful.yaml" / "below")
    assert "File name too long" in fails("init", tmp_path / ("x" * 300))
    assert "File name too long" in fails("ingest", "log.csv", "--workspace", tmp_path / ("x" * 300))


def test_ingest_prints_the_account_and_runs_the_hooks(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(commands, "after_ingest", [told.append])
    workspace = shop(tmp_path)
    file, spec = write(tmp_path, "retail.csv", RETAIL), write_map(tmp_path, RETAIL_MAP)
    said = run("ingest", file, "--map", spec, "-w", workspace.folder)
    assert "retail.csv: 5 received = 4 accepted + 0 duplicates + 1 quarantined" in said
    assert "row 5: customer_id: is missing" in said
    assert str(next(workspace.quarantine.iterdir())) in said
    said = run("ingest", file, "--map", spec, "-w", workspace.folder)
    assert "5 received = 0 accepted + 4 duplicates + 1 quarantined" in said
    assert "Nothing new" in said
    assert len(told) == 1, "nothing new, nobody told"
    other = write(tmp_path, "new.csv", RETAIL.replace("17850", "17851"))
    said = run("ingest", file, other, "--map", spec, "-w", workspace.folder)
    assert "in all: 10 received = 3 accepted + 5 duplicates + 2 quarantined" in said


def test_mistakes_are_one_line(tmp_path):
    workspace = shop(tmp_path)
    file = write(tmp_path, "plain.csv", PLAIN)
    assert "name FILEs or a --dataset" in fails("ingest", "-w", workspace.folder)
    assert "the data set complete_journey takes no PATH" in fails(
        "ingest", file, "--dataset", "complete_journey", "-w", workspace.folder
    )
    assert "no data set is called" in fails("ingest", "--dataset", "x", "-w", workspace.folder)
    assert "no such file" in fails("ingest", tmp_path / "x.csv", "-w", workspace.folder)
    assert "no such map" in fails("ingest", file, "--map", tmp_path / "x.yaml", "-w", workspace.folder)
    assert "is not a workspace" in fails("ingest", file, "-w", tmp_path)
    (workspace.folder / "tactful.yaml").write_text("channel: [web]\n")
    assert "`channel` is not a known key" in fails("ingest", file, "-w", workspace.folder)


@pytest.mark.parametrize("command", ["init", "ingest", "list", "build"])
def test_help_shows_an_example(command):
    said = run(command, "--help")
    assert "Example: tactful " in said


def test_help_of_ingest_shows_a_map():
    said = run("ingest", "--help")
    assert 'type: {cases: [{when: "Quantity < 0", then: refund}], otherwise: purchase}' in said


def test_list_names_every_feature():
    said = run("list")
    listed = json.loads(run("list", "--json"))
    assert [row["name"] for row in listed] == list(DEFAULT.names)
    for row in listed:
        assert row["name"] in said
        assert set(row) == {"name", "text", "unit", "null", "sensitivity"}
        assert all(row.values())


def test_build_writes_whole_labelled_files(tmp_path):
    workspace = shop(tmp_path)
    run("ingest", write(tmp_path, "plain.csv", PLAIN), "-w", workspace.folder)
    out = tmp_path / "features.parquet"
    run("build", "--as-of", "2024-05-03", "--out", out, "-w", workspace.folder)
    table = pq.read_table(out)
    assert table.column_names == ["customer_id", "as_of", *DEFAULT.names]
    assert table["customer_id"].to_pylist() == ["c1", "c2"]
    said = Manifest.read(out)
    assert (said.catalogue, said.cutoffs) == (DEFAULT.version, ("2024-05-03T00:00:00Z",))
    assert said.units["interactions"] == [batch.id for batch in History(workspace).batches()]
    said = run(
        *("build", "--from", "2024-05-02", "--to", "2024-05-17", "--every", "7d", "--out", out, "-w", workspace.folder)
    )
    assert "5 rows (3 cutoffs)" in said
    assert len(set(pq.read_table(out)["as_of"].to_pylist())) == 3
    assert [path.name for path in tmp_path.glob("*features.parquet*")] == ["features.parquet"]


def test_build_says_what_is_wrong(tmp_path):
    workspace = shop(tmp_path)
    out = tmp_path / "features.parquet"
    at = ("-w", workspace.folder, "--out", out)
    assert "no interaction is known before 2024-05-03" in fails("build", "--as-of", "2024-05-03", *at)
    assert "'soon' is not a date" in fails("build", "--as-of", "soon", *at)
    assert "say either --as-of DATE, or --from" in fails("build", *at)
    assert "say either" in fails("build", "--from", "2024-05-03", *at)
    assert "lies before --from" in fails("build", "--from", "2024-05-03", "--to", "2024-05-01", *at)
    wrong = ("build", "--from", "2024-05-03", "--to", "2024-06-01", "--every", "often", *at)
    assert "write a whole number and h, d or w" in fails(*wrong)
    missing = tmp_path / "nowhere" / "f.parquet"
    assert "does not exist" in fails("build", "--as-of", "2024-05-03", "-w", workspace.folder, "--out", missing)
    assert not out.exists()


def test_an_old_log_says_how_to_live_in_its_time(tmp_path):
    log = write(tmp_path, "log.csv", PLAIN)
    now = shop(tmp_path)
    assert 'set `clock: {start: "2024-05-03"}` in' in run("ingest", log, "-w", now.folder)
    (now.folder / "tactful.yaml").write_text('clock: {start: "2024-05-03"}\n')
    assert "clock" not in run("ingest", log, "-w", now.folder)


def test_a_file_to_write_is_never_a_folder_a_device_or_a_pipe(tmp_path):
    """Whole or not at all means a rename, which would put /dev/null away for everybody on the machine."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file.json").touch()
    for place, why in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "device or pipe"),
        (tmp_path / "no" / "x.json", "there is no folder"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(WorkspaceError, match=why):
            new_file("--out", place)
    assert new_file("--out", tmp_path / "file.json") == tmp_path / "file.json"
    assert new_file("--out", tmp_path / "new.json") == tmp_path / "new.json"
