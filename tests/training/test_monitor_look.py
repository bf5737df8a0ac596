"""`tactful monitor` on a workspace: well while customers go on as before, ringing once they do not."""

import shutil

import numpy as np
import pytest
import simulated

from features.clock import DAY
from features.history import History
from features.workspace import Workspace
from training.monitor.look import monitor

pytestmark = pytest.mark.slow


def statuses(report):
    return {(check.check, check.subject): check.status for check in report.checks}


def test_a_log_that_goes_on_as_before_is_well(trained):
    workspace, _ = trained
    report = monitor(workspace, simulated.START + 365 * DAY)
    found = statuses(report)
    assert not report.alarm, report.headline
    assert found["no_data", "all"] == found["no_data", "store"] == "well"
    assert found["drift", "churn"] == found["score_drift", "churn"] == "well"
    assert found["auc", "churn"] == "unknown"  # no label is newer than its training
    assert {look.model for look in report.looks} == {"churn", "propensity"}
    assert report.models == {"churn": "1", "propensity": "1"}
    late = monitor(workspace, simulated.START + 400 * DAY)
    assert statuses(late)["no_data", "all"] == "alarm"


def test_what_changed_rings(trained, tmp_path):
    """Everybody, who bought now and then, buys for 50 times as much, every day, and nobody stays away."""
    folder = tmp_path / "shop"
    shutil.copytree(trained[0].folder, folder)  # its runs lie where they were
    workspace = Workspace.open(folder)
    who, days = np.tile(np.arange(600), 55), np.repeat(np.arange(365, 420), 600)
    ids = [f"new{i}" for i in range(len(who))]
    History(workspace).append(simulated.table(who, days, np.full(len(who), 500.0), interaction_id=ids), "changed")
    report = monitor(workspace, simulated.START + 420 * DAY)
    found = statuses(report)
    assert report.alarm
    assert found["drift", "churn"] == found["score_drift", "churn"] == "alarm"
    assert found["one_class", "churn"] == "alarm"
    assert found["no_data", "all"] == "well"
    drifted = {each.feature for each in report.features if each.model == "churn" and each.drifted}
    assert any("value" in name for name in drifted)
    assert any("days" in name for name in drifted)
