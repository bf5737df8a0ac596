"""kill -9 at every point of a retraining: finished steps are not repeated, and nothing half-written stays."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import retrain_kills
import simulated

from features.history import History
from features.workspace import Workspace
from training.tracking import CHAMPION, Registry


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "tactful.yaml").write_text("churn: {horizon_days: 30}\n")
    workspace = Workspace.open(folder)
    History(workspace).append(simulated.table(*simulated.habitual(300, 300)), "simulated")
    return workspace


def retrain(workspace, *points):
    """What each process said, by point."""
    script = Path(retrain_kills.__file__)
    arguments = [sys.executable, str(script), str(workspace.folder), *points]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=script.parents[2], timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    found = {point: json.loads((workspace.folder / "told" / f"{point}.json").read_text()) for point in points}
    for point, said in found.items():
        assert said["status"] == (0 if point == "never" else -signal.SIGKILL), (point, done.stderr)
    return found


def model(workspace):
    """The champion's trees, and the version that it is."""
    registry = Registry(workspace)
    version = registry.holder("churn", CHAMPION)
    scorer = next((workspace.folder / "mlflow").rglob(f"*{version.run_id}*/**/model.txt"))
    return scorer.read_text(), version


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_everywhere_it_ends_as_if_nothing_had_happened(shop, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(shop.folder, other)
    retrain(Workspace.open(other), "never")

    told = retrain(shop, *retrain_kills.POINTS)
    for deaths, point in enumerate(retrain_kills.POINTS[:-1]):
        noted = told[point]["journal"]
        assert noted["taken_up"] == deaths
        assert ("churn: features" in noted["steps"]) == (point != "features")
        assert ("churn: train" in noted["steps"]) == (point not in ("features", "logging", "registered"))
    # the first fit was lost with its open run; after the second nothing was learned again
    assert (shop.folder / "fits").read_text().split() == ["logging", "registered"]
    assert told["never"]["summary"]["outcome"] == "nothing_new"  # for the one killed last had written its summary
    state = shop.folder / "state" / "retrain"
    assert [path.name for path in state.iterdir()] == ["last.json"]
    assert json.loads((state / "last.json").read_text())["taken_up"] == 0

    registry = Registry(shop)
    text, version = model(shop)
    assert text == model(Workspace.open(other))[0]
    assert [str(each.version) for each in registry.versions("churn")] == [str(version.version)] == ["1"]
    assert version.tags["reason"]
    assert registry.champions("churn") == ["1"]
    experiment = registry.experiment()
    runs = registry.client.search_runs([experiment])
    assert [(run.info.run_id, run.info.status) for run in runs] == [(version.run_id, "FINISHED")]
    models = registry.client.search_logged_models([experiment])
    assert [each.source_run_id for each in models] == [version.run_id]
    folders = {path.name for path in (shop.folder / "mlflow" / "artifacts").iterdir()}
    assert folders == {version.run_id, "models"}
    assert len(list((shop.folder / "mlflow" / "artifacts" / "models").iterdir())) == 1
