"""The order of a retraining's steps: each once, resumed, refused, given up, nothing new, one at a time, told."""

import json

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from features.catalogue import DEFAULT
from features.clock import DAY
from features.daylog import held
from features.workspace import Workspace, WorkspaceError
from training.dataset import Dataset, Part, plain
from training.reports import jobs
from training.retrain import basis, commands, journal, parts, run, steps
from training.retrain.run import retrain
from training.windows import Windows

app = typer.Typer()
app.command()(commands.retrain)
KINDS = ("churn", "propensity")


class World:
    """Steps that only say that they were done; `fails` names one that raises, once."""

    def __init__(self, monkeypatch, folder):
        folder.mkdir()
        (folder / "tactful.yaml").write_text("")
        self.workspace = Workspace.open(folder)
        self.done, self.fails, self.refused, self.alarm, self.data = [], None, set(), False, "d1"
        self.basis = {"code": "1.0", "setting churn.horizon_days": "a"}
        monkeypatch.setattr(run, "basis", lambda _: dict(self.basis))
        monkeypatch.setattr(steps, "data", lambda _: self.data)
        monkeypatch.setattr(run, "_champions", lambda _, kinds: dict.fromkeys(kinds, "6"))
        self.real_effects = steps.effects
        for name in ("features", "train", "promote", "effects"):
            monkeypatch.setattr(steps, name, self.step(name))
        monkeypatch.setattr(steps, "look", self.look)
        monkeypatch.setattr(steps, "report", self.report)
        monkeypatch.setattr(run.leftovers, "version", lambda *_: None)

    def step(self, name):
        def work(_workspace, _journal, kind):
            self.note(f"{kind}: {name}")
            if name == "features" and kind in self.refused:
                return {"refused": f"no {kind} to be had"}
            if name == "effects" and kind in self.refused:
                return {"refused": f"no {kind} to be had"}
            if name in ("promote", "effects"):
                return {"alias": "champion", "reason": "not worse", "version": "7", "figures": {"auc": [0.8, 0.7, 0.9]}}
            return {"rows": {"test": 5}} if name == "features" else {"version": "7", "run_id": "r"}

        return work

    def look(self, _workspace):
        self.note("look")
        return {"alarm": self.alarm, "headline": "looked", "rings": ["churn: AUC fell"] if self.alarm else []}

    def report(self, _workspace, kind):
        self.note(f"report: {kind}")
        return {"said": f"{kind} in a sentence"}

    def sync(self, _workspace):
        self.note("sync")
        return {"decisions": "3 received"}

    def note(self, name):
        if self.fails == name:
            self.fails = None
            raise RuntimeError("the disk\nis full")
        self.done.append(name)

    def __call__(self, kinds=KINDS, **options):
        return retrain(self.workspace, kinds, [self.sync], **options)

    @property
    def left(self):
        return sorted(path.name for path in (self.workspace.folder / "state" / "retrain").iterdir())


@pytest.fixture
def world(monkeypatch, tmp_path):
    return World(monkeypatch, tmp_path / "shop")


WHOLE = ["sync", *(f"{kind}: {name}" for kind in KINDS for name in ("features", "train", "promote")), "look"]


def test_every_step_in_order_and_nothing_left(world):
    summary = world()
    assert world.done == WHOLE
    assert world.left == ["last.json"]
    assert summary.outcome == "trained"
    assert summary.models["churn"].before == "6"
    assert not summary.alarm
    assert summary.lines()[:2] == ["decisions: 3 received", "churn version 7: champion, not worse"]


@pytest.mark.parametrize("at", WHOLE)
def test_what_fails_is_said_and_gone_on_with(world, at):
    world.fails = at
    with pytest.raises(WorkspaceError, match=rf"^{at}: RuntimeError: the disk is full; the same command goes on"):
        world()
    assert world.done == WHOLE[: WHOLE.index(at)]
    assert "journal.json" in world.left
    assert world().taken_up == 1
    assert world.done == WHOLE
    assert world.left == ["last.json"]


def test_nothing_new_trains_nothing_unless_asked_to(world):
    world()
    again = world()
    assert again.outcome == "nothing_new"
    assert world.done == [*WHOLE, "sync", "look"]
    assert "no model was trained" in again.lines()[-2]
    world.alarm = True  # such as that no data come any more
    assert world().alarm
    world.alarm = False
    assert world().outcome == "nothing_new"  # also after a run that trained nothing
    assert world(force=True).outcome == "trained"
    world.data = "d2"
    assert world().outcome == "trained"
    assert world(kinds=("churn",)).outcome == "nothing_new"


def test_why_it_trains_again_is_said_in_a_line(world):
    told = []

    def lines(**options):
        told.clear()
        summary = world(tell=lambda step, *_: told.append(step), **options)
        again = [line.removeprefix("trained again: ") for line in summary.lines() if line.startswith("trained again: ")]
        assert [line for line in told if line.startswith("trains again: ")] == [f"trains again: {one}" for one in again]
        assert (summary.outcome == "trained") or not again
        return again

    assert lines() == [], "the first one has no reason but that it was asked for"
    assert lines() == [], "nothing changed: nothing is trained"
    assert lines(force=True) == ["--force"]
    world.basis["setting churn.horizon_days"] = "b"
    assert lines() == ["settings changed: churn.horizon_days"]
    world.basis |= {"code": "1.1", **{f"setting s{k}": "x" for k in range(7)}}
    assert lines() == ["settings changed: s0, s1, s2, s3, s4 and 2 more; the code changed: 1.0 then, 1.1 now"]
    world.data = "d2"
    assert lines(kinds=("churn",)) == ["history holds other data"]
    assert lines(kinds=("churn", "uplift")) == ["other kinds of models are asked for"]
    kept = world.workspace.folder / "state" / "retrain" / "last.json"
    said = json.loads(kept.read_text())
    kept.write_text(json.dumps({"mark": "as an earlier version wrote it", "id": said["id"]}))
    assert lines(kinds=("churn",)) == ["the last retraining did not keep what it rests on"]


def test_a_kind_is_trained_again_only_where_something_came_in_since_it_was(world):
    """A run of some kinds between full ones, on the same data, trains nothing twice."""
    world()
    assert world(kinds=("churn",)).outcome == "nothing_new"
    assert world().outcome == "nothing_new"
    world.data, world.done = "d2", []
    assert list(world(kinds=("churn",)).models) == ["churn"]
    summary = world()
    assert (list(summary.models), summary.why) == (["propensity"], "history holds other data")
    assert "churn: nothing new since it was last trained" in summary.lines()
    assert world.done.count("churn: train") == world.done.count("propensity: train") == 1
    assert world().outcome == "nothing_new"
    assert list(world(force=True).models) == list(KINDS)


def test_the_last_run_of_an_earlier_version_tells_of_its_kinds(world):
    world()
    kept = world.workspace.folder / "state" / "retrain" / "last.json"
    told = json.loads(kept.read_text())
    kept.write_text(json.dumps({name: value for name, value in told.items() if name != "rests"}))
    assert world(kinds=("churn",)).outcome == "nothing_new"
    assert world().outcome == "nothing_new"


def test_what_a_retraining_rests_on_goes_by_the_name_in_the_file(tmp_path):
    """Each change is named as in tactful.yaml; what a setting says, which may be secret, is not kept."""

    def rests(text):
        (tmp_path / "tactful.yaml").write_text(text)
        return basis.basis(Workspace.open(tmp_path))

    first = rests("")
    assert basis.changed(first, rests("")) == ""
    now = rests("churn: {horizon_days: 45}\nmlflow: {tracking_uri: 'https://me:hidden@models.example'}\n")
    assert basis.changed(first, now) == "settings changed: churn.horizon_days, mlflow.tracking_uri"
    assert "hidden" not in json.dumps(now)
    (tmp_path / "actions.yaml").write_text("actions: []")
    (tmp_path / "contact_policy.yaml").write_text("harm: {contact: 0.5}")
    (tmp_path / "tuned.yaml").write_text("{}")
    changed = "the file of actions changed; the contact policy changed; tuned parameters changed"
    assert basis.changed(first, rests("")) == changed


def test_where_data_are_kept_who_is_told_and_remarks_in_files_do_not_train_again(tmp_path):
    def rests(text, policy):
        (tmp_path / "tactful.yaml").write_text(text)
        (tmp_path / "contact_policy.yaml").write_text(policy)
        return basis.basis(Workspace.open(tmp_path))

    first = rests("", "harm: {contact: 0.5}")
    now = rests("webhooks: [{url: 'https://there.example/x', secret_env: OURS}]\nlog_level: DEBUG\n",
                "harm:\n  contact: 0.5  # agreed in May\n")  # fmt: skip
    assert basis.changed(first, now) == ""
    assert basis.changed(first, rests("", "harm: {contact: 0.6}")) == "the contact policy changed"


def test_reports_are_made_at_the_end_once_each_also_where_nothing_is_new(world):
    reports = ["uplift", "overview"]
    world.fails = "report: overview"
    with pytest.raises(WorkspaceError, match=r"^report: overview: RuntimeError"):
        world(reports=reports)
    summary = world(reports=reports)
    assert world.done == [*WHOLE, "report: uplift", "report: overview"]
    assert summary.lines()[-1] == "report overview: overview in a sentence"
    assert world(reports=reports).outcome == "nothing_new"
    assert world.done[-3:] == ["look", "report: uplift", "report: overview"]


def test_a_report_that_cannot_be_made_stops_nobody(tmp_path, monkeypatch):
    (tmp_path / "tactful.yaml").write_text("")
    monkeypatch.setitem(jobs.JOBS, "broken", "training.reports.nowhere:report")
    empty, broken = (steps.report(Workspace.open(tmp_path), kind) for kind in ("pressure", "broken"))
    assert "there are no interactions to report on" in empty["said"]
    assert "broke" not in empty
    assert broken["said"].startswith("not made: ModuleNotFoundError")
    assert broken["broke"]
    assert not (tmp_path / "mlflow").exists()


def test_a_report_that_broke_is_something_to_look_at(world, monkeypatch):
    assert not world(reports=["uplift"]).alarm
    monkeypatch.setattr(steps, "report", lambda *_: {"said": "not made: TypeError", "broke": True})
    summary = world(reports=["uplift"])
    assert summary.broke == ["uplift"]
    assert summary.alarm


def test_a_kind_that_data_do_not_allow_is_left_out_and_somebody_should_look(world):
    world.refused = {"propensity"}
    summary = world()
    assert [name for name in WHOLE if name not in world.done] == ["propensity: train", "propensity: promote"]
    assert summary.models["propensity"].reason == "no propensity to be had"
    assert summary.alarm  # it has a champion, which now grows old
    assert "propensity: not trained: no propensity to be had" in summary.lines()


def test_a_kind_that_never_had_a_champion_may_be_refused(world, monkeypatch):
    monkeypatch.setattr(run, "_champions", lambda _, kinds: dict.fromkeys(kinds))
    world.refused = {"propensity"}
    assert not world().alarm


def test_effects_are_one_step_and_may_be_refused(world, monkeypatch):
    world.refused = {"fatigue"}
    monkeypatch.setattr(run, "_champions", lambda _, kinds: dict.fromkeys(kinds))
    summary = world(kinds=("churn", "uplift", "fatigue"))
    assert world.done == [*WHOLE[:4], "uplift: effects", "fatigue: effects", "look"]
    assert summary.models["uplift"].alias == "champion"
    assert summary.models["fatigue"].reason == "no fatigue to be had"
    assert not summary.alarm


@pytest.mark.parametrize("error", [np.linalg.LinAlgError("Singular\nmatrix"), FloatingPointError("overflow")])
def test_effects_whose_equations_have_no_solution_are_refused_in_a_line_and_the_run_goes_on(world, monkeypatch, error):
    def learner(_workspace):
        raise error

    monkeypatch.setattr(steps, "_learner", lambda _: learner)
    monkeypatch.setattr(steps, "effects", world.real_effects)
    summary = world(("fatigue",), reports=("pressure",))
    told = " ".join(str(error).split())
    line = f"fatigue: not trained: its equations cannot be solved on this log: {type(error).__name__}: {told}"
    assert line in summary.lines()
    assert world.done == ["sync", "look", "report: pressure"]
    assert summary.alarm, "the champion of before serves on, and somebody should look"


def test_a_run_under_other_settings_or_of_long_ago_begins_anew(world, monkeypatch):
    world.fails = "churn: train"
    with pytest.raises(WorkspaceError):
        world()
    world.basis["setting churn.horizon_days"] = "b"
    told = []
    assert world(tell=lambda step, *_: told.append(step)).taken_up == 0
    assert told[0].endswith("Z was cut off, and since then settings changed: churn.horizon_days")
    assert world.done == [*WHOLE[:2], *WHOLE]
    world.done, world.fails, world.data = [], "churn: train", "d2"
    with pytest.raises(WorkspaceError):
        world()
    later = journal.clock.Clock().now() + DAY + 1
    monkeypatch.setattr(journal.clock.Clock, "now", lambda _: later)
    assert world().taken_up == 0
    assert world.done == [*WHOLE[:2], *WHOLE]


@pytest.mark.parametrize("damage", ["as an earlier version wrote it", "cut short", "gone"])
def test_kept_data_sets_that_cannot_be_read_any_more_are_dropped_with_a_sentence(world, monkeypatch, damage):
    def features(_workspace, journal, kind):
        world.note(f"{kind}: features")
        parts.write(journal.work / kind, dataset())
        return {"rows": {}, "fingerprint": "ab"}

    monkeypatch.setattr(steps, "features", features)
    world.fails, told = "propensity: train", []
    with pytest.raises(WorkspaceError):
        world()
    (folder,) = (world.workspace.folder / "state" / "retrain").glob("*/propensity")
    said = json.loads((folder / "dataset.json").read_text())
    if damage == "gone":
        (folder / "test.parquet").unlink()
    elif damage == "cut short":
        (folder / "test.parquet").write_bytes((folder / "test.parquet").read_bytes()[:-9])
    else:
        (folder / "dataset.json").write_text(
            json.dumps({k: v for k, v in said.items() if k not in ("format", "early")})
        )
    world.done = []
    assert world(tell=lambda step, _at, _of: told.append(step)).taken_up == 0
    assert world.done == WHOLE
    assert told[0].endswith("was cut off, and the data sets that it kept are gone, or of another version of tactful")
    assert world.left == ["last.json"]


def test_data_sets_that_no_step_waits_for_are_not_asked_for(world, monkeypatch):
    monkeypatch.setattr(steps, "features", lambda *_: {"rows": {}, "fingerprint": "ab"})
    world.fails = "look"
    with pytest.raises(WorkspaceError):
        world()
    assert world().taken_up == 1


def test_what_was_cut_off_of_other_kinds_is_not_taken_for_this(world):
    world.fails = "propensity: train"
    with pytest.raises(WorkspaceError):
        world()
    world.done = []
    summary = world(kinds=("propensity",))
    assert (summary.taken_up, list(summary.models), summary.models["propensity"].before) == (0, ["propensity"], "6")
    assert world.done == ["sync", *(f"propensity: {name}" for name in ("features", "train", "promote")), "look"]


def test_an_empty_workspace_leaves_no_run_to_be_taken_up_once_there_are_data(tmp_path):
    """Steps that were refused for want of data would stay refused for a day."""
    (tmp_path / "tactful.yaml").write_text("")
    summary = retrain(Workspace.open(tmp_path), ["churn"])
    assert summary.alarm
    assert "holds no interactions yet" in summary.models["churn"].reason
    assert summary.rings[0].startswith("could not look: ")
    assert not (tmp_path / "state" / "retrain" / "journal.json").exists()


def test_whatever_goes_wrong_is_no_alarm(world, monkeypatch):
    def away(_):
        raise RuntimeError("the registry is away")

    monkeypatch.setattr(run, "basis", away)
    shown = CliRunner().invoke(app, ["-w", str(world.workspace.folder)])
    assert (shown.exit_code, shown.stderr) == (2, "error: could not go on: RuntimeError: the registry is away\n")


def test_a_kill_between_the_last_two_writes_is_no_unfinished_run(world, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(journal.Journal, "forget", lambda _: None)
        world()
    assert world.left == ["journal.json", "last.json"]
    assert world().outcome == "nothing_new"
    assert world.left == ["last.json"]


def test_one_at_a_time(world):
    state = world.workspace.folder / "state"
    state.mkdir()
    refused = pytest.raises(WorkspaceError, match="another `tactful retrain` is under way in")
    with held(state / "retrain.lock", "busy"), refused:
        world()
    assert world.done == []
    assert world().outcome == "trained"


def test_a_damaged_journal_says_what_to_do(world):
    folder = world.workspace.folder / "state" / "retrain"
    folder.mkdir(parents=True)
    (folder / "journal.json").write_text('{"id": 3}')
    with pytest.raises(WorkspaceError, match=r"journal.json: cannot be read .*; delete it to begin anew"):
        world()


@pytest.mark.parametrize("alarm", [False, True])
def test_the_command_says_it_as_text_as_json_and_by_its_exit_code(world, monkeypatch, tmp_path, alarm):
    monkeypatch.setattr(commands, "before", [world.sync])
    monkeypatch.setattr(jobs, "JOBS", {"pressure": "a job"})
    world.alarm = alarm
    shown = CliRunner().invoke(app, ["-w", str(world.workspace.folder), "--out", str(tmp_path / "r.json")])
    assert shown.exit_code == int(alarm), shown.output
    assert ("churn: AUC fell" in shown.stdout) == alarm
    assert "[1/12] history" in shown.stderr
    said = json.loads((tmp_path / "r.json").read_text())
    assert (said["outcome"], said["models"]["churn"]["version"]) == ("trained", "7")
    assert said == json.loads((world.workspace.folder / "state" / "retrain" / "last.json").read_text())
    world.fails, world.data = "look", "d2"
    broken = CliRunner().invoke(app, ["-w", str(world.workspace.folder)])
    assert broken.exit_code == 2
    assert "look: RuntimeError: the disk is full" in " ".join(broken.stderr.split())
    assert CliRunner().invoke(app, ["-w", str(tmp_path / "no")]).exit_code == 2
    assert CliRunner().invoke(app, ["-w", str(world.workspace.folder), "--only", "weather"]).exit_code == 2


def dataset():
    random = np.random.default_rng(0)

    def part(count):
        frame = pd.DataFrame({"x": random.normal(size=count), "none": np.nan, "whole": random.integers(0, 9, count)})
        frame.loc[: count // 3, "x"] = np.nan
        frame["label"] = random.choice(np.array(["web", "nan", "", np.nan], object), count)
        frame["never"] = np.full(count, np.nan, object)
        customer = np.array([f"ü{i}" for i in range(count)], object)
        return Part(customer, np.arange(count) * DAY, (np.arange(count) % 2).astype(float), plain(frame))

    windows = Windows((1, 2), (), (3,), 4, DAY)
    texts, early = ("label", "never"), np.arange(7) % 2.0
    made_from = {"data": {"interactions": ["b1", "b2"]}, "actions": []}
    return Dataset(
        "churn", part(50), part(1), part(7), part(9), windows, 1, DEFAULT, texts, ("label",), "ab", part(3), early,
        made_from,
    )  # fmt: skip


def test_a_data_set_comes_back_from_disk_as_it_was(tmp_path):
    made = dataset()
    parts.write(tmp_path / "churn", made)
    parts.write(tmp_path / "churn", made)  # as after a kill
    back = parts.read(tmp_path / "churn", DEFAULT)
    assert list(back.parts) == list(made.parts) == ["training", "embargo", "calibration", "newest", "test"]
    for name, part in made.parts.items():
        found = back.parts[name]
        pd.testing.assert_frame_equal(found.frame, part.frame, check_exact=True)
        for field in ("customer", "as_of", "label"):
            np.testing.assert_array_equal(getattr(found, field), getattr(part, field))
            assert getattr(found, field).dtype == getattr(part, field).dtype
    told = ("kind", "windows", "horizon_days", "categories", "action_features", "fingerprint", "made_from", "catalogue")
    for name in told:
        assert getattr(back, name) == getattr(made, name)
    np.testing.assert_array_equal(back.early, made.early)
    assert [path.name for path in tmp_path.iterdir()] == ["churn"]
