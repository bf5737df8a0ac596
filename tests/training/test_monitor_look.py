"""`tactful monitor` on a workspace: well while customers go on as before, ringing once they do not."""

import shutil

import numpy as np
import pytest
import simulated

from features.clock import DAY
from features.history import History
from features.workspace import Workspace
from training.monitor.look import monitor
from training.monitor.quality import Quality

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


def test_right_probabilities_of_customers_with_many_rows_do_not_ring():
    """What a customer does at one offer they tend to do at the next: 30 of 150 such looks rang by rows."""
    random, rang = np.random.default_rng(1), 0
    for _ in range(20):
        said = random.beta(2, 6, 300)
        true = np.repeat(random.beta(said, 1 - said), 8)
        label, customer = (random.random(len(true)) < true).astype(float), np.repeat(np.arange(300), 8)
        judged = Quality.of(label, np.repeat(said, 8), customer).judged
        rang += judged.ece > max(0.05, judged.ece_by_chance)
    assert rang == 0
