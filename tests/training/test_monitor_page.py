"""What a look is told by: the page, Prometheus, the command line, settings."""

import json

import pytest
import typer
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from features.workspace import Workspace, WorkspaceError
from serving.console import standalone
from training.monitor import commands, exposition, kept
from training.monitor.reference import Reference
from training.monitor.report import Feature, Look, MonitorReport, answered, headline, unknown
from training.reports import commands as report_commands
from training.reports.models import after

app = typer.Typer()
app.command()(commands.monitor)


def report(ringing=True):
    found = [
        answered(ringing, "no_data", "all", 2.5, 2.0, "2.5 days since <b>any</b> interaction"),
        answered(False, "auc", "churn", 0.81, 0.78, "churn: AUC fell"),
        unknown("ece", "churn", "churn: no labels yet"),
    ]
    look = Look(model="churn", cutoff="2026-05-01T00:00:00Z", rows=900, score_psi=0.1, auc=(0.8, 0.7, 0.9))
    return MonitorReport(
        created_at="2026-05-04T12:00:00Z",
        as_of="2026-05-04T12:00:00Z",
        workspace="a <shop>",
        headline=headline(found),
        alarm=ringing,
        models={"churn": "3"},
        checks=found,
        looks=[look],
        features=[Feature(model="churn", feature='odd"name', psi=0.4, limit=0.3, gain=0.2, drifted=True)],
    )


def test_the_page_is_self_contained_and_escapes_what_data_say(tmp_path, monkeypatch):
    (tmp_path / "tactful.yaml").write_text("")
    monkeypatch.setattr(report_commands, "render", standalone.html)
    workspace = Workspace.open(tmp_path)
    kept.keep(workspace, report())
    after.page(workspace, tmp_path / "m.html")
    text = (tmp_path / "m.html").read_text()
    assert "default-src 'none'" in text
    assert "<b>any</b>" not in text
    assert "&lt;b&gt;any&lt;/b&gt;" in text
    assert "churn" in text
    kept.keep(workspace, report(ringing=False))
    after.page(workspace, tmp_path / "well.html")
    well = (tmp_path / "well.html").read_text()
    assert "2.5 days since" in text.split("<main")[1].split("<section")[0], "what rings stands above all else"
    assert "2.5 days since" not in well.split("<main")[1].split("<section")[0]


def test_the_headline_counts_the_checks_that_have_an_answer_as_the_page_does():
    assert report().headline == "1 of 2 checks ring: no_data of all; 1 cannot be told yet"
    assert report(ringing=False).headline == "all is well: 2 checks; 1 cannot be told yet"


def test_prometheus_reads_what_rings():
    families = {family.name: family for family in text_string_to_metric_families(exposition.text(report()))}
    alarms = {tuple(s.labels.values()): s.value for s in families["tactful_monitor_alarm"].samples}
    assert alarms == {("no_data", "all"): 1.0, ("auc", "churn"): 0.0}
    assert [s.labels["feature"] for s in families["tactful_monitor_psi"].samples] == ['odd"name']
    assert families["tactful_monitor_timestamp_seconds"].samples[0].value == 1777896000.0


@pytest.mark.parametrize("ringing", [True, False])
def test_the_exit_code_says_whether_it_rings(tmp_path, monkeypatch, ringing):
    (tmp_path / "tactful.yaml").write_text("")
    monkeypatch.setattr("training.monitor.look.monitor", lambda *_: report(ringing))
    monkeypatch.setattr(report_commands, "render", standalone.html)
    files = ["--out", str(tmp_path / "m.html"), "--metrics", str(tmp_path / "m.prom")]
    done = CliRunner().invoke(app, ["-w", str(tmp_path), *files], env={"COLUMNS": "200"})
    assert done.exit_code == int(ringing), done.output
    assert ("ALARM" in done.output) == ringing
    kept = json.loads((tmp_path / "state" / "monitor.json").read_text())
    assert kept["alarm"] == ringing
    assert MonitorReport.model_validate(kept) == report(ringing)
    assert (tmp_path / "m.prom").read_text() == (tmp_path / "state" / "monitor.prom").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "history",
        "m.html",
        "m.prom",
        "reports",
        "state",
        "tactful.yaml",
    ]


def test_a_look_at_the_past_is_not_the_last_look(tmp_path, monkeypatch):
    """What rings now goes on ringing, and the files that are named tell of the past."""
    (tmp_path / "tactful.yaml").write_text("")
    monkeypatch.setattr("training.monitor.look.monitor", lambda _, instant, *__: report(ringing=instant is None))
    monkeypatch.setattr(report_commands, "render", standalone.html)
    assert CliRunner().invoke(app, ["-w", str(tmp_path)]).exit_code == 1
    places = [tmp_path / "state" / name for name in ("monitor.json", "monitor.prom")]
    places += [path for path in (tmp_path / "reports").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in places}
    files = ["--out", str(tmp_path / "m.html"), "--metrics", str(tmp_path / "m.prom")]
    assert CliRunner().invoke(app, ["-w", str(tmp_path), "--as-of", "2026-05-01", *files]).exit_code == 0
    assert CliRunner().invoke(app, ["-w", str(tmp_path), "--as-of", "2026-05-01"]).exit_code == 0
    assert len(before) > 2
    assert {path: path.read_bytes() for path in places} == before
    assert (tmp_path / "m.prom").read_text() == exposition.text(report(ringing=False))
    above = (tmp_path / "m.html").read_text().split("<main")[1].split("<section")[0]
    assert "2.5 days since" not in above, "nothing rang then"


def test_errors_are_one_line_and_exit_code_2(tmp_path, monkeypatch):
    (tmp_path / "tactful.yaml").write_text("")
    for arguments, words in [
        (["--out", "page.txt"], "name an .html file"),
        (["--metrics", str(tmp_path / "no" / "m.prom")], "there is no folder"),
        (["--as-of", "soon"], "--as-of: 'soon' is not a date"),
        ([], "holds no interactions yet"),
    ]:
        done = CliRunner().invoke(app, [*arguments, "-w", str(tmp_path)])
        assert done.exit_code == 2, done.output
        assert words in " ".join(done.stderr.split())
        assert not (tmp_path / "state" / "monitor.json").exists()

    def broken(*_):
        raise RuntimeError("the registry\nis away")

    monkeypatch.setattr("training.monitor.look.monitor", broken)
    done = CliRunner().invoke(app, ["-w", str(tmp_path)])
    assert done.exit_code == 2
    assert "RuntimeError: the registry is away" in " ".join(done.stderr.split())


def test_thresholds_are_settings(tmp_path):
    (tmp_path / "tactful.yaml").write_text("monitor: {psi: 0.4, slope: [0.7, 1.4]}\n")
    assert Workspace.open(tmp_path).settings.monitor.slope == (0.7, 1.4)
    (tmp_path / "tactful.yaml").write_text("monitor: {slope: [1.1, 1.4]}\n")
    with pytest.raises(WorkspaceError, match=r"`monitor.slope`: write a slope below 1 and one above"):
        Workspace.open(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', '{"format": 1, "columns": {"a": 3}}'])
def test_a_damaged_reference_says_what_to_do(text):
    with pytest.raises(WorkspaceError, match=r"runs:/1: .*train"):
        Reference.read(text, "runs:/1")
