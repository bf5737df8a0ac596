"""From a simulated log to a champion of fatigue that the service reads, and to who is contacted too often."""

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from features import catalogue as catalogues
from features.workspace import Workspace
from serving.champions import Champions
from tactful import app
from training.fatigue.often import STATUSES, UNTOLD
from training.tracking import CHAMPION, Registry

pytestmark = pytest.mark.slow


def run(*arguments):
    found = CliRunner().invoke(app, [str(each) for each in arguments])
    return found.exit_code, found.output


def run_of(workspace, kind):
    return str(Registry(workspace).holder(kind, CHAMPION).run_id)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fatigue")
    market, shop = folder / "market", folder / "shop"
    steps = [
        ["simulate", market, "--customers", 800, "--days", 130, "--silent", 40, "--policy", "capped", "--every", 2,
         "--rate", 0.5],
        ["init", shop],
        ["ingest", market / "interactions" / "part-0000.parquet", "-w", shop],
        ["ingest", "--decisions", market / "decisions.parquet", "-w", shop],
    ]  # fmt: skip
    for step in steps:
        code, told = run(*step)
        assert code == 0, told
    return shop


def test_a_log_under_cap_levels_becomes_a_champion_and_a_table(shop):
    code, told = run("train", "fatigue", "-w", shop)
    assert code == 0, told
    assert "fatigue version 1: champion, the first model of its kind" in told
    assert "caps x 0.5 to x 1" in told
    assert "email: " in told
    workspace = Workspace.open(shop)
    champions = Champions(workspace, catalogues.of(workspace))
    champions.poll()
    assert champions.current["fatigue"].version == "1"
    assert "fatigue" not in champions.problems

    code, told = run("train", "fatigue", "-w", shop)
    assert code == 0, told
    assert "fatigue version 2: champion, not worse than version 1 on" in told

    code, told = run("train", "fatigue", "--repeat", run_of(workspace, "fatigue"), "-w", shop)
    assert code == 0, told
    assert "predictions are the same to the last bit" in " ".join(told.split())

    code, told = run("monitor", "-w", shop)
    assert "fatigue: no decision since 2025-05-1" in " ".join(told.split()), told

    code, told = run("fatigue", "--out", shop / "bands.parquet", "-w", shop)
    assert code == 0, told
    table = pq.read_table(shop / "bands.parquet")
    assert set(table["status"].to_pylist()) <= {*STATUSES, UNTOLD}
    assert table.num_rows > 1000
    assert not list(shop.glob(".bands*"))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["fatigue", "--out", "bands.xlsx"], "ends in .parquet or .csv"),
        (["fatigue", "--out", "bands.csv", "--since", "yesterday"], "--since"),
        (["fatigue", "--out", "nowhere/bands.csv"], "there is no folder nowhere"),
        (["train", "fatigue", "--test-cutoff", "2025-03-01"], "takes no other option"),
        (["fatigue", "--out", "bands.csv", "--since", "2031-01-01"], "holds no decisions"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(shop, arguments, why):
    code, told = run(*arguments, "-w", shop)
    assert code == 2
    assert why in told
    assert "Traceback" not in told
