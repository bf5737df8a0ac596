"""A workspace with purchases, offers and responses, trained once and copied for each test that changes it."""

import shutil

import pytest
import simulated
from few_trees import few_trees

from features.history import History
from features.workspace import Workspace

SETTINGS = """
channels: [store, email]
churn: {horizon_days: 30}
"""
ACTIONS = """
actions:
  - {name: generous, issue: sales, group: coupons, value: 20, channels: {email: {cost: 0.1}}, attributes: {percent: 30}}
  - {name: plain, issue: sales, group: coupons, value: 5, channels: {email: {cost: 0.1}}, attributes: {percent: 5}}
"""


@pytest.fixture(scope="session", autouse=True)
def no_waiting(hasty_disk):
    """For no disk, in any test."""


@pytest.fixture(scope="session")
def empty_workspace(tmp_path_factory):
    """Settings and history, no models; read only."""
    folder = tmp_path_factory.mktemp("training") / "shop"
    folder.mkdir()
    (folder / "tactful.yaml").write_text(SETTINGS)
    (folder / "actions.yaml").write_text(ACTIONS)
    workspace = Workspace.open(folder)
    History(workspace).append(simulated.coupons(), "simulated")
    return workspace


@pytest.fixture(scope="session")
def trained(empty_workspace):
    """The workspace after `train all`, and what that returned; read only."""
    from training.train import KINDS, train

    with few_trees():
        return empty_workspace, {kind: train(empty_workspace, kind) for kind in KINDS}


@pytest.fixture
def hasty():
    """Trains with few trees and features."""
    with few_trees(few_features=True):
        yield


@pytest.fixture
def untrained(empty_workspace, tmp_path):
    """A workspace of the test's own, without models."""
    folder = tmp_path / "shop"
    shutil.copytree(empty_workspace.folder, folder, ignore=shutil.ignore_patterns("mlflow"))
    return Workspace.open(folder)
