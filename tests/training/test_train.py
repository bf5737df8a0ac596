"""From history to registry and back: what a run holds, who becomes champion, what the command line says."""

import json
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from features.catalogue import DEFAULT, Catalogue
from features.workspace import Workspace
from training import commands, promote
from training.dataset import read
from training.model import HabitTrees
from training.tracking import CHALLENGER, CHAMPION, LINE, Registry
from training.train import build, train

app = typer.Typer()
app.add_typer(commands.app)


def run(*arguments):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.mark.parametrize("kind", ["churn", "propensity"])
def test_what_a_run_holds(trained, kind):
    workspace, results = trained
    registry = Registry(workspace)
    version = registry.holder(kind, CHAMPION)
    assert str(version.version) == results[kind].version == "1"
    assert version.tags["reason"] == "the first model of its kind"
    run_ = registry.client.get_run(version.run_id)
    figures = run_.data.metrics
    for name in ("auc", "pr_auc", "log_loss", "brier_skill", "calibration_slope", "lift_top_decile"):
        assert figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"]
    # a sum of absolute gaps: resampling adds noise to every gap, so that a small one lies below its own interval
    assert 0 < figures["ece"] < figures["ece_high"]
    assert figures["auc"] == results[kind].metrics["auc"].value > 0.65
    assert figures["brier_skill"] > 0
    assert run_.data.tags["catalogue_version"] == DEFAULT.version
    assert len(run_.data.tags["data_fingerprint"]) == 16
    folder = Path(urlparse(run_.info.artifact_uri).path)
    assert {path.name for path in (folder / "plots").iterdir()} == {"calibration.png", "gain.png", "importances.png"}
    scorer = json.loads((folder / "scorer" / "scorer.json").read_text())
    assert (scorer["kind"], scorer["mlflow_run_id"]) == (kind, version.run_id)
    assert sum(json.loads((folder / "importances.json").read_text()).values()) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["churn", "propensity"])
def test_the_logged_model_predicts_as_before_and_names_no_customer(trained, kind):
    import mlflow

    workspace, _ = trained
    registry = Registry(workspace)
    version = registry.holder(kind, CHAMPION)
    frame = build(kind, read(workspace), workspace.settings, _actions(workspace)).test.frame
    loaded = registry.load(kind, version.version)
    by_alias = mlflow.pyfunc.load_model(f"models:/{kind}@champion")
    np.testing.assert_allclose(by_alias.predict(frame), loaded.predict_proba(frame), rtol=1e-12)
    types = {column.name: str(column.type) for column in by_alias.metadata.signature.inputs}
    assert set(types) == set(frame.columns)
    assert set(types.values()) <= {"DataType.double", "DataType.string"}
    example = json.dumps(by_alias.input_example.to_dict() if by_alias.input_example is not None else {})
    assert '"c1' not in example


def _actions(workspace):
    from training.propensity import listed

    return listed(workspace)


def stunted(*arguments, **options):
    """Hardly a tree, on hardly a feature."""
    few = {"feature_fraction": 0.03, "num_leaves": 2}
    return HabitTrees(None, *arguments[1:], **(options | {"rounds": 1, "parameters": few}))


@pytest.mark.slow
def test_a_new_model_takes_over_only_if_it_is_not_worse(untrained, monkeypatch):
    registry = Registry(untrained)
    first = train(untrained, "churn")
    again = train(untrained, "churn")
    assert again.verdict.alias == CHAMPION
    assert again.verdict.reason.startswith(f"not worse than version {first.version} on the same")
    assert str(registry.holder("churn", CHAMPION).version) == again.version

    with monkeypatch.context() as patched:
        patched.setattr("training.pipeline.HabitTrees", stunted)
        worse = train(untrained, "churn")
    assert worse.verdict.alias == CHALLENGER
    assert worse.verdict.reason.startswith(f"ranks worse than version {again.version}")
    assert str(registry.holder("churn", CHAMPION).version) == again.version
    assert str(registry.holder("churn", CHALLENGER).version) == worse.version

    shown = run("models", "-w", str(untrained.folder))
    assert shown.exit_code == 0
    assert f"churn {again.version}  champion since" in shown.output
    assert f"churn {worse.version}  challenger since" in shown.output
    assert "ranks worse" in shown.output

    promoted = run("promote", "churn", "-w", str(untrained.folder))
    assert promoted.exit_code == 0
    assert str(registry.holder("churn", CHAMPION).version) == worse.version
    assert registry.holder("churn", CHALLENGER) is None
    assert promote.promote(registry, "churn", str(first.version)).version == str(first.version)
    assert str(registry.holder("churn", CHAMPION).version) == first.version

    # 1, 2, the worse one by hand and 1 by hand were champions: back one by one, to the first and no further
    line = [first.version, again.version, worse.version, first.version]
    assert registry.champions("churn") == line
    # one that reigned before there was a line is in it, and one that is deleted is not
    registry.client.delete_registered_model_tag("churn", LINE)
    assert registry.champions("churn") == [first.version]
    registry._line("churn", [*line[:-1], "99", line[-1]])
    assert registry.champions("churn") == line
    registry.client.set_registered_model_alias("churn", CHALLENGER, again.version)
    for left, back in zip(reversed(line[1:]), reversed(line[:-1]), strict=True):
        rolled = run("promote", "churn", "--rollback", "-w", str(untrained.folder))
        assert f"churn version {back} is champion again instead of {left}" in rolled.output
        assert str(registry.holder("churn", CHAMPION).version) == back
    assert registry.holder("churn", CHALLENGER) is None  # what is champion again is no challenger any more
    last = run("promote", "churn", "--rollback", "-w", str(untrained.folder))
    assert last.exit_code == 2
    assert "no other version of `churn` was champion before 1" in last.output
    assert run("promote", "churn", "--rollback", "--version", "1", "-w", str(untrained.folder)).exit_code == 2

    # a champion that reads what the catalogue no longer has cannot serve: anyone replaces it
    few = Catalogue(tuple(f for f in DEFAULT if f.name != "recency_purchase"))
    unserved = train(untrained, "churn", catalogue=few)
    assert unserved.verdict.alias == CHALLENGER
    assert "learned from another catalogue of features" in unserved.verdict.reason
    monkeypatch.setattr("features.catalogue.of", lambda _: few)
    after = train(untrained, "churn")
    assert after.verdict.alias == CHAMPION
    assert "needs features that are gone" in after.verdict.reason


def test_train_prints_what_it_logged(untrained, hasty):
    shown = run("train", "propensity", "-w", str(untrained.folder))
    assert shown.exit_code == 0, shown.output
    registry = Registry(untrained)
    version = registry.holder("propensity", CHAMPION)
    figures = registry.metrics(version)
    assert f"auc: {figures['auc']:.3f} ({figures['auc_low']:.3f} to {figures['auc_high']:.3f})" in shown.output
    assert f"ece by chance: {figures['ece_by_chance']:.3f} (" in shown.output
    said = registry.calibration(version)
    assert f"probabilities are {said}" in " ".join(shown.output.split())
    assert said.startswith(("on target: ", "not surely off target: ", "off target: "))
    assert str(version.run_id) in shown.output


def test_the_models_of_a_new_workspace(untrained):
    shown = run("models", "-w", str(untrained.folder))
    assert (shown.exit_code, shown.output.strip()) == (0, "No models yet: run `tactful train all`.")
    assert not (untrained.folder / "mlflow").exists()


def test_errors_are_one_line_and_exit_code_2(untrained, tmp_path):
    folder = str(untrained.folder)
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "tactful.yaml").write_text("")
    for arguments, words in [
        (("train", "weather", "-w", folder), "choose one of churn, propensity, uplift, fatigue, all"),
        (("train", "churn", "--test-cutoff", "soon", "-w", folder), "--test-cutoff: 'soon' is not a date"),
        (("train", "churn", "--test-cutoff", "2031-01-01", "-w", folder), "is too late: the log ends on"),
        (("train", "churn", "-w", str(bare)), "holds no interactions yet; run `tactful ingest FILE` first"),
        (("promote", "churn", "-w", folder), "has no challenger to promote"),
        (("promote", "churn", "--version", "7", "-w", folder), "there is no version 7 of `churn`"),
        (("promote", "weather", "-w", folder), "there is no model `weather`"),
    ]:
        shown = run(*arguments)
        assert shown.exit_code == 2, (arguments, shown.output)
        assert words in shown.stderr
        assert "Traceback" not in shown.output


def test_history_without_offers_or_with_one_outcome(untrained):
    import simulated

    from features.workspace import Settings, WorkspaceError

    log = simulated.table(*simulated.habitual(200))
    with pytest.raises(WorkspaceError, match="history holds no offers: outbound interactions of type contact"):
        build("propensity", log, Settings(), {})
    with pytest.raises(WorkspaceError, match=r"correct `churn.qualifying` in tactful.yaml"):
        build("churn", log, Settings.model_validate({"churn": {"qualifying": ["visit"]}}), {})
    everyone = simulated.table(np.tile(np.arange(50), 300), np.repeat(np.arange(300), 50))
    with pytest.raises(WorkspaceError, match=r"all 50 came back; check `churn`|all [0-9,]+ came back"):
        build("churn", everyone, Settings(), {})


def test_the_workspace_is_found_as_everywhere(trained, monkeypatch):
    workspace, _ = trained
    monkeypatch.chdir(workspace.folder)
    assert Workspace.open(".").folder == workspace.folder
    assert "champion since" in run("models").output
