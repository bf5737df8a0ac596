"""Artefacts and tables on disk: whole or not at all, without who was erased; commands that make, keep and hand on."""

import errno
import json
import os
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from features.tombstones import Graveyard, alone
from features.workspace import Workspace, WorkspaceError
from training.reports import commands, jobs, keep, tracked
from training.reports.keep import Artefact, Report
from training.retrain import steps


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "tactful.yaml").write_text("currency: CHF\n")
    return Workspace.open(tmp_path / "shop")


def artefact(headline="All is well.", kind="pressure"):
    return Artefact(kind=kind, title="A title", headline=headline, created_at=keep.now(), source="a test")


WHO = pa.table({"customer_id": ["ada", "bob"], "n": [1, 2]})


def test_what_is_kept_comes_back_and_old_tables_go(shop):
    assert keep.read(shop, "pressure") is None
    keep.write(shop, Report(artefact(), {"alone": WHO, "more": WHO}))
    found = keep.read(shop, "pressure")
    assert (found["headline"], found["schema_version"], found["known_until"]) == ("All is well.", 1, None)
    assert pq.read_table(shop.reports / "pressure" / "alone.parquet").equals(WHO)
    keep.write(shop, Report(artefact("Later."), {"alone": WHO}))
    assert sorted(path.name for path in shop.reports.rglob("*.*")) == ["alone.parquet", "pressure.json"]
    keep.write(shop, Report(artefact("Without.")))
    assert sorted(path.name for path in shop.reports.iterdir()) == ["pressure.json"]


def test_who_was_erased_is_not_kept(shop):
    Graveyard(shop).bury({"ada"}, 0)
    keep.write(shop, Report(artefact(), {"alone": WHO}))
    assert pq.read_table(shop.reports / "pressure" / "alone.parquet").to_pylist() == [{"customer_id": "bob", "n": 2}]


def test_an_erasure_and_a_report_wait_for_each_other(shop):
    done = threading.Event()
    with alone(shop):
        writer = threading.Thread(target=lambda: (keep.write(shop, Report(artefact())), done.set()))
        writer.start()
        assert not done.wait(0.2)
    writer.join(120)
    assert done.is_set()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kind": "uplift"}'])
def test_a_damaged_artefact_says_what_writes_it_anew(shop, content):
    shop.reports.mkdir()
    (shop.reports / "pressure.json").write_text(content)
    with pytest.raises(WorkspaceError, match=r"pressure\.json: is damaged; `tactful report pressure` writes it anew"):
        keep.read(shop, "pressure")


def test_what_cannot_be_written_is_said_in_a_line(shop):
    shop.reports.write_text("no folder")
    with pytest.raises(WorkspaceError, match=r"pressure\.json: cannot be written: "):
        keep.write(shop, Report(artefact()))


def test_a_kind_is_no_path(shop):
    with pytest.raises(ValueError, match="is no kind of report"):
        keep.place(shop, "../pressure")


# commands


@pytest.fixture
def run(shop, monkeypatch):
    """Runs `tactful report` with two jobs, one of which the data do not allow; what was logged to MLflow stands in
    `run.logged`."""

    def refused(_):
        raise WorkspaceError("there is nothing to report on")

    made = {"pressure": lambda _: Report(artefact()), "overview": refused}
    monkeypatch.setattr(jobs, "JOBS", dict.fromkeys(made, ""))
    monkeypatch.setattr(jobs, "job", made.__getitem__)
    monkeypatch.setattr(commands, "render", lambda found, locale, currency: f"{found['headline']} {locale} {currency}")

    def invoke(*words):
        found = CliRunner().invoke(commands.app, [*map(str, words), "-w", str(shop.folder)])
        return found.exit_code, found.stdout, found.stderr

    invoke.logged = []
    monkeypatch.setattr(tracked, "track", lambda *told: invoke.logged.append(told[1:]))
    return invoke


def test_a_report_is_kept_said_handed_on_and_logged(run, shop, tmp_path):
    page = tmp_path / "page.html"
    code, said, _ = run("pressure", "--out", page, "--locale", "de-CH")
    assert (code, said.splitlines()[0]) == (0, "All is well.")
    assert page.read_text() == "All is well. de-CH CHF"
    assert json.loads(page.with_suffix(".json").read_text()) == keep.read(shop, "pressure")
    assert [(found.kind, page) for found, page in run.logged] == [("pressure", "All is well. de-CH CHF")]


def test_without_a_page_figures_alone_are_kept_and_logged(run, shop):
    assert run("pressure")[0] == 0
    assert [page for _, page in run.logged] == [None]
    assert run("pressure", "--no-track")[0] == 0
    assert len(run.logged) == 1
    assert keep.read(shop, "pressure") is not None


def test_all_go_on_where_one_cannot_be_made(run, tmp_path):
    code, said, told = run("all", "--out", tmp_path / "new")
    assert code == 0
    assert "All is well." in said
    assert told.strip().endswith("overview: there is nothing to report on")
    assert sorted(path.name for path in (tmp_path / "new").glob("*.html")) == ["pressure.html"]


def full(_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/there/file")


def test_a_report_for_which_the_disk_was_full_is_no_report_that_the_data_do_not_allow(run, monkeypatch):
    made = {"pressure": lambda _: Report(artefact()), "overview": full}
    monkeypatch.setattr(jobs, "job", made.__getitem__)
    code, said, told = run("all")
    assert (code, "All is well." in said) == (2, True)
    assert told.splitlines()[-2:] == [
        "overview: /there/file: No space left on device; see to it, and run the same command again",
        "error: not for want of data, but because of the machine: no report overview; see above",
    ]


def test_a_retraining_whose_report_found_the_disk_full_is_to_be_looked_at(shop, monkeypatch):
    monkeypatch.setattr(jobs, "job", lambda _: full)
    assert steps.report(shop, "pressure")["broke"]


def test_reports_that_cannot_be_written_are_a_line_each(run, shop, monkeypatch):
    def unwritable(workspace):
        (workspace.reports / ".partials").mkdir()

    shop.reports.write_text("in the way")
    monkeypatch.setattr(jobs, "job", lambda _: unwritable)
    code, _, told = run("all")
    assert code == 2
    assert told.count(f"{shop.reports / '.partials'}: Not a directory; see to it") == len(jobs.JOBS)


def test_a_page_that_cannot_be_put_in_its_place_leaves_nothing(run, tmp_path):
    (tmp_path / "page.html").mkdir()
    code, _, told = run("pressure", "--out", tmp_path / "page.html")
    assert code == 2
    assert "is a folder; name a file in it" in told
    with pytest.raises(OSError, match="directory"):
        keep.text(tmp_path / "page.html", "text")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_all_fail_where_none_can_be_made(run, monkeypatch):
    monkeypatch.setattr(jobs, "JOBS", {"overview": ""})
    code, _, told = run("all")
    assert code == 2
    assert "error: no report could be made; see above" in told


def test_mlflow_away_spoils_no_report(run, shop, monkeypatch):
    def away(*_):
        raise ConnectionError("nobody\nanswers")

    monkeypatch.setattr(tracked, "track", away)
    code, _, told = run("pressure")
    assert code == 0
    assert "pressure: not logged to MLflow: nobody answers" in told
    assert keep.read(shop, "pressure") is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pressure", "--out", "page.pdf"], "--out page.pdf: name an .html file"),
        (["pressure", "--out", "no/page.html"], "--out no/page.html: there is no folder no; create it first"),
        (["pressure", "--locale", "klingon"], "--locale klingon: no such locale"),
        (["pressure", "--out", "."], "--out .: name an .html file"),
        (["all", "--out", "no/deeper"], "--out no/deeper: is no folder, and cannot be made one: No such file"),
        (["overview"], "there is nothing to report on"),
        (["models"], "there is no report `models` yet"),
        (["uplift", "--treatment", "arm"], "belong to --data FILE"),
        (["uplift", "--data", "table.csv"], "--data table.csv: say where the page is to go"),
    ],
)
def test_bad_input_is_a_line_and_nothing_is_written(run, shop, words, said):
    code, _, told = run(*words)
    assert code == 2
    assert said in told
    assert told.count("error:") == 1
    assert not shop.reports.exists()


@pytest.mark.slow
def test_a_run_in_mlflow_has_figures_page_and_sentence(shop):
    from training.tracking import Registry

    run_id = tracked.track(shop, artefact(), "<!doctype html>")
    client = Registry(shop).client
    run = client.get_run(run_id)
    assert (run.info.status, run.data.tags["headline"]) == ("FINISHED", "All is well.")
    assert sorted(file.path for file in client.list_artifacts(run_id)) == ["pressure.html", "pressure.json"]
    assert client.get_experiment(run.info.experiment_id).name == "tactful-reports"
