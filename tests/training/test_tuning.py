"""The search for parameters: judged on later rows of others, resumed after a kill, kept only where surely better."""

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
import typer
from few_trees import few_trees
from optuna.trial import TrialState
from typer.testing import CliRunner

from features.catalogue import DEFAULT
from features.clock import DAY
from features.daylog import held
from features.workspace import WorkspaceError
from training.dataset import Dataset, Part
from training.model import PARAMETERS
from training.tracking import Registry
from training.train import prepared, train
from training.tuning import commands, folds, study, tuned
from training.tuning.study import tune
from training.windows import Windows

app = typer.Typer()
app.command()(commands.tune)
#: Minutes that no search here takes: it is over when it has drawn as many trials as it is told to.
LONG = 600


@pytest.fixture(scope="module")
def data(empty_workspace):
    with few_trees(few_features=True):
        return prepared(empty_workspace, "churn")


def test_later_rows_of_other_customers(data):
    dataset, habit = data
    part = dataset.training
    hand = folds._hands(part.customer)
    search, deciding = folds.folds(dataset, habit)
    assert len(search) == 2 * folds.HANDS
    assert len(deciding) == folds.HANDS
    starts = [int(np.quantile(part.as_of, share)) for share in folds.STARTS]
    for i, fold in enumerate([*search, *deciding]):
        window, k = divmod(i, folds.HANDS)
        end = starts[window + 1] if window + 1 < len(starts) else np.inf
        later = (part.as_of >= starts[window]) & (part.as_of < end) & (hand == k)
        np.testing.assert_array_equal(fold.customer, part.customer[later])
        np.testing.assert_array_equal(fold.label, part.label[later])
        early = (part.as_of + dataset.horizon_days * DAY <= starts[window]) & (hand != k)
        assert fold.rows == early.sum()
        assert not set(part.customer[early]) & set(fold.customer)
    # nothing of calibration or test, and no row decides that was searched on
    assert sum(len(fold.label) for fold in [*search, *deciding]) == (part.as_of >= starts[0]).sum()


@pytest.mark.slow
def test_a_search_goes_on_where_it_ended_and_every_trial_is_a_run_below_its_own(untrained, data, monkeypatch):
    monkeypatch.setattr(study, "ROUNDS", 30)
    monkeypatch.setattr("training.train.prepared", lambda _workspace, _kind: data)
    # the defaults are judged in any case; with no time left nothing else is, and nothing is kept
    done = CliRunner().invoke(app, ["churn", "--minutes", "0", "-w", str(untrained.folder)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "churn: 1 trials (1 now)" in done.output
    assert "+0.00000 (+0.00000 to +0.00000)" in done.output
    assert "the defaults stay" in done.output
    assert not tuned.place(untrained).exists()

    heard = []
    first = tune(untrained, *data, minutes=LONG, trials=2, tell=lambda *told: heard.append(told))
    again = tune(untrained, *data, minutes=LONG, trials=1)
    assert (first.new_trials, again.new_trials) == (2, 1)
    assert first.run_id == again.run_id
    assert [done for done, _, _ in heard] == list(range(2, first.trials + 1))
    assert all(best <= defaults for _, best, defaults in heard)
    client = Registry(untrained).client
    parent = client.get_run(first.run_id)
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{first.run_id}'")
    assert len(children) == again.trials == parent.data.metrics["trials"]
    defaults = min(children, key=lambda run: run.info.start_time)
    assert {name: float(value) for name, value in defaults.data.params.items()} == {
        name: PARAMETERS[name] for name in tuned.Parameters.model_fields
    }
    assert parent.data.tags["kept"] == str(again.kept).lower()
    assert (tuned.parameters(untrained, "churn") is not None) == again.kept == (again.difference.high < 0)


def test_a_search_whose_run_was_deleted_goes_on_below_a_new_one(untrained):
    registry, search = Registry(untrained), optuna.create_study()
    told = SimpleNamespace(kind="churn", fingerprint="f", catalogue=SimpleNamespace(version="v"))
    first = study._parent(registry, search, told)
    assert study._parent(registry, search, told) == first
    registry.client.delete_run(first)
    second = study._parent(registry, search, told)
    assert second != first
    search.set_user_attr("run_id", "0" * 32)  # as after another registry was set
    assert study._parent(registry, search, told) not in (first, second)


def test_trials_that_were_cut_short_are_counted_apart():
    search = optuna.create_study()
    for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        search.tell(search.ask(), 0.5 if state == TrialState.COMPLETE else None, state)
    known = study._ended(search)
    assert study._counted(search, set()) == (1, 1, 2)
    for state in (TrialState.PRUNED, TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED):
        search.tell(search.ask(), 0.5 if state == TrialState.COMPLETE else None, state)
    search.ask()  # under way
    assert study._counted(search, known) == (2, 1, 3)


@pytest.mark.slow
def test_one_search_at_a_time_that_draws_nothing_twice_and_keeps_what_it_cannot_judge(untrained, data, monkeypatch):
    monkeypatch.setattr(study, "ROUNDS", 5)
    parts = folds.folds(*data)
    monkeypatch.setattr(study, "folds", lambda *_: (parts[0][:2], parts[1][:1]))
    monkeypatch.setattr("training.train.prepared", lambda _workspace, _kind: data)
    (untrained.folder / "state").mkdir(exist_ok=True)
    with held(untrained.folder / "state" / "tuning-churn.lock", ""), pytest.raises(WorkspaceError, match="another"):
        tune(untrained, *data, minutes=LONG, trials=1)
    parameters = {
        "learning_rate": 0.11, "num_leaves": 5, "min_child_samples": 33, "feature_fraction": 0.6,
        "bagging_fraction": 0.8, "lambda_l2": 2.0,
    }  # fmt: skip
    earlier = tuned.Found.model_validate(
        {"parameters": parameters, "run": "r", "trials": 3, "against_defaults": [-0.002, -0.003, -0.001]}
    )
    tuned.keep(untrained, "churn", earlier)
    done = CliRunner().invoke(app, ["churn", "--minutes", "0", "-w", str(untrained.folder)], env={"COLUMNS": "200"})
    assert "what tuned.yaml holds stays" in done.output
    assert tuned.parameters(untrained, "churn") == parameters
    for _ in range(2):
        tune(untrained, *data, minutes=LONG, trials=2)
    tried = [trial.params for trial in _study(untrained.folder / "state" / "tuning.db").get_trials(deepcopy=False)]
    assert len(tried) == 5
    assert parameters in tried
    assert len({each["learning_rate"] for each in tried}) == 5


def test_what_is_kept_is_what_training_uses(untrained, data, hasty, monkeypatch):
    monkeypatch.setattr("training.train.build", lambda *_, **__: data[0])
    monkeypatch.setattr("training.leakage.check", lambda *_: None)
    parameters = {
        "learning_rate": 0.11, "num_leaves": 5, "min_child_samples": 33, "feature_fraction": 0.6,
        "bagging_fraction": 0.8, "lambda_l2": 2.0,
    }  # fmt: skip
    found = tuned.Found.model_validate(
        {"parameters": parameters, "run": "r", "trials": 3, "against_defaults": [-0.002, -0.003, -0.001]}
    )
    tuned.keep(untrained, "churn", found)
    run = Registry(untrained).client.get_run(train(untrained, "churn").run_id)
    for name, value in parameters.items():
        assert float(run.data.params[f"lightgbm_{name}"]) == value
    tuned.keep(untrained, "churn", None)
    assert not tuned.place(untrained).exists()
    assert tuned.parameters(untrained, "churn") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("churn: {parameters: {num_leaves: 1}}", "churn.parameters.num_leaves"),
        ("lapse: {}", "`lapse` is not a known key"),
        ("churn: [", "not valid YAML"),
    ],
)
def test_a_damaged_file_is_one_line(untrained, text, told):
    tuned.place(untrained).write_text(text)
    with pytest.raises(WorkspaceError, match=r"tuned\.yaml") as raised:
        train(untrained, "churn")
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert Registry(untrained).versions("churn") == []


def test_an_interrupted_search_says_so_without_a_stack_and_is_no_longer_under_way(untrained, monkeypatch, capfd):
    def interrupted(*_):
        raise KeyboardInterrupt

    random = np.random.default_rng(0)
    part = Part(np.arange(9), np.arange(9) * DAY, random.integers(0, 2, 9).astype(float), pd.DataFrame({"x": range(9)}))
    windows = Windows((1, 2), (), (3,), 4, DAY)
    few = Dataset("churn", part, part, part, part, windows, 1, DEFAULT, (), (), "ab")
    monkeypatch.setattr("training.train.prepared", lambda _workspace, _kind: (few, None))
    monkeypatch.setattr(study, "folds", lambda *_: ([few], [few]))
    monkeypatch.setattr(study, "loss_curve", interrupted)
    done = CliRunner().invoke(app, ["churn", "-w", str(untrained.folder)], env={"COLUMNS": "200"})
    assert done.exit_code not in (0, 2)
    assert "interrupted: nothing was decided; the same command goes on with the search" in done.output
    assert "Traceback" not in done.output + "".join(capfd.readouterr())
    client = Registry(untrained).client
    (run,) = client.search_runs([Registry(untrained).experiment()])
    assert run.info.status == "KILLED"


def test_no_such_model(untrained):
    refused = CliRunner().invoke(app, ["uplifting", "-w", str(untrained.folder)])
    assert refused.exit_code == 2
    assert "there is no model `uplifting`" in refused.output


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_search_is_gone_on_with(untrained):
    words = [sys.executable, "-m", "tactful", "tune", "churn", "--minutes", str(LONG), "-w", str(untrained.folder)]
    database = untrained.folder / "state" / "tuning.db"
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 1200
        while _done(database) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = _done(database)
    dataset, habit = prepared(untrained, "churn")
    result = tune(untrained, dataset, habit, minutes=LONG, trials=1)
    assert result.trials >= before
    states = {trial.state for trial in _study(database).get_trials(deepcopy=False)}
    assert TrialState.RUNNING not in states


def _study(database):
    storage = f"sqlite:///{database}"
    return optuna.load_study(study_name=optuna.get_all_study_names(storage)[0], storage=storage)


def _done(database):
    """How many trials are complete. Looks only: Optuna would make the tables that the search is about to make."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)) as connection:
        made = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'trials'").fetchone()[0]
        return connection.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0] if made else 0
