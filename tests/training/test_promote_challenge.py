"""Challengers against champions, from a log whose truth is known."""

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from features import clock, decision_log
from features.decision_log import DECISIONS
from features.history import History, conform
from features.workspace import Workspace, WorkspaceError
from training import challenge, commands

START = clock.parse_instant("2026-03-01")
MODELS = {"churn": {"version": "2"}, "propensity": {"version": "3"}}
RIVALS = MODELS | {"propensity": {"version": "4", "alias": "challenger"}}


def decision(i, at, customer, challenged, **changes):
    arms = {"holdout": "treated", "experiment": None, "cap_level": None, "challenger": challenged}
    return {
        "decision_id": f"d{i}", "customer_id": customer, "at": clock.isoformat(at), "arm": "treated", "arms": arms,
        "action": "offer", "models": RIVALS if challenged else MODELS,
    } | changes  # fmt: skip


def state(workspace, version, share):
    """As a policy of the past is kept."""
    folder = workspace.folder / "state" / "policies" / version
    folder.mkdir(parents=True)
    (folder / "contact_policy.yaml").write_text(f"challenger: {{share: {share}}}\n")


def raised(folder, customers=4000, seed=0):
    """Challengers have a tenth of customers for three days, then half; theirs buy twice as often a day."""
    folder.mkdir()
    (folder / "tactful.yaml").write_text("name: rivals\n")
    (folder / "contact_policy.yaml").write_text("challenger: {share: 0.5}\n")
    (folder / "actions.yaml").write_text("actions: []\n")
    workspace, random = Workspace.open(folder), np.random.default_rng(seed)
    state(workspace, "v1", 0.1)
    state(workspace, "v2", 0.5)
    rows, bought = [], []
    for i, place in enumerate(random.random(customers)):
        for day in (0, 4):
            share = 0.1 if day == 0 else 0.5
            at, rival = START + day * clock.DAY + i, bool(place < share)
            rows.append(decision(f"{i}-{day}", at, f"C{i}", rival, policy_version="v1" if day == 0 else "v2"))
            if random.random() < (0.2 if rival else 0.1):
                bought.append((i, at + clock.HOUR))
    keep(workspace, rows, bought)
    return workspace


def world(folder, buys=(0.2, 0.2), customers=4000, share=0.3, seed=0):
    """Customers asked about twice; `buys`: how many of the champions' and the challengers' buy in the days after."""
    folder.mkdir()
    (folder / "tactful.yaml").write_text("name: rivals\n")
    (folder / "contact_policy.yaml").write_text(f"challenger: {{share: {share}}}\n")
    (folder / "actions.yaml").write_text("actions: []\n")
    workspace, random = Workspace.open(folder), np.random.default_rng(seed)
    challenged = random.random(customers) < share
    rows, bought = [], []
    for i in range(customers):
        at = START + int(random.integers(0, 20 * clock.DAY))
        rows += [decision(f"{i}-{k}", at + k * clock.DAY, f"C{i}", bool(challenged[i])) for k in range(2)]
        if random.random() < buys[int(challenged[i])]:
            bought.append((i, at + int(random.integers(1, 20 * clock.DAY))))
    apart = {"holdout": "treated", "experiment": "quiet", "cap_level": None, "challenger": False}
    rows += [decision(f"x{i}", START, f"X{i}", False, arms=apart) for i in range(50)]  # in neither
    rows += [decision(f"y{i}", START - 9 * clock.DAY, f"Y{i}", False) for i in range(50)]  # before they played
    keep(workspace, rows, bought)
    return workspace, challenged


def keep(workspace, rows, bought):
    """Decisions, and purchases as (customer's number, instant), in history."""
    table = pa.Table.from_pylist([decision_log.row(row) | {"document": json.dumps(row)} for row in rows], DECISIONS)
    history = History(workspace)
    history.append_log("decisions", table)
    told = {
        "interaction_id": [f"p{k}" for k in range(len(bought))],
        "customer_id": [f"C{i}" for i, _ in bought],
        "occurred_at": [datetime.fromtimestamp(at / 1e6, UTC) for _, at in bought],
        "channel": ["store"] * len(bought),
        "type": ["purchase"] * len(bought),
        "value": [10.0] * len(bought),
    }
    history.append(conform(pa.table(told)), "test")


def test_what_challengers_brought_is_told_against_those_who_were_decided_about_meanwhile(tmp_path):
    workspace, challenged = world(tmp_path / "w", buys=(0.2, 0.3))
    found = challenge.compare(workspace)
    assert found.challengers == (("propensity", "4"),)
    assert found.champions == ((("churn", "2"), ("propensity", "3")),)
    assert found.customers == (int((~challenged).sum()), int(challenged.sum()))
    assert not found.assignment.alarm
    by_name = {outcome.name: outcome.comparisons[0] for outcome in found.outcomes}
    effect = by_name["purchase"].effect
    assert effect.low < 0.1 < effect.high
    assert effect.low > 0
    assert by_name["actions decided on"].sample.mean == 2.0
    money = by_name["money from purchase"].effect
    assert money.low < 1.0 < money.high
    app = typer.Typer()
    app.add_typer(commands.app)
    shown = CliRunner().invoke(app, ["models", "--compare", "-w", str(workspace.folder)], env={"COLUMNS": "300"})
    assert shown.exit_code == 0, shown.output
    assert "challengers propensity 4 against champions churn 2 and propensity 3" in shown.output
    assert "purchase" in shown.output


def test_where_the_share_was_raised_all_are_compared_anew_and_it_is_said(tmp_path):
    """Who was with the champions at first, and with the challengers later, is no customer of the champions."""
    workspace = raised(tmp_path / "w")
    found = challenge.compare(workspace)
    assert found.anew
    assert sum(found.customers) == 4000
    assert abs(found.customers[1] - 2000) < 150
    assert not found.assignment.alarm
    effect = next(outcome for outcome in found.outcomes if outcome.name == "purchase").comparisons[0].effect
    assert effect.low < 0.1 < effect.high
    assert effect.low > 0.05
    told = challenge.told(workspace)
    assert "changed while they played" in told[1]
    assert told[1].endswith("compared anew since 2026-03-05T00:00Z")


@pytest.mark.slow
def test_where_they_are_alike_the_interval_holds_nothing_about_as_often_as_it_says(tmp_path):
    inside = 0
    for seed in range(20):
        found = challenge.compare(world(tmp_path / f"w{seed}", customers=400, seed=seed)[0])
        effect = next(outcome for outcome in found.outcomes if outcome.name == "purchase").comparisons[0].effect
        inside += effect.low <= 0 <= effect.high
    assert inside >= 16  # of 20 at 95 %: fewer come about once in 400


def test_without_a_challenger_in_the_log_it_says_what_to_do(tmp_path):
    workspace, _ = world(tmp_path / "w", customers=20, share=0.0)
    with pytest.raises(WorkspaceError, match="no challenger has decided anything yet"):
        challenge.compare(workspace)


def test_sizes_that_do_not_fit_the_share_are_told(tmp_path):
    workspace, _ = world(tmp_path / "w", customers=2000)
    workspace.policy_file.write_text("challenger: {share: 0.1}\n")
    assert challenge.compare(workspace).assignment.alarm
    assert any("do not fit" in line for line in challenge.told(workspace))
