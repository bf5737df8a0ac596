"""The simulated experiment: arms by the product's own hash, what is logged of them, and what each arm does."""

import numpy as np
import pyarrow.compute as pc
import pytest
import yaml
from typer.testing import CliRunner

from features.simulate.decided import decisions
from features.simulate.experiment import MOST, WINDOW, Experiment, block, plays
from features.simulate.holding import SELLS, Holding
from features.simulate.log import customer_ids
from features.simulate.market import Market
from features.simulate.policy import PLAYS, QUIET, SILENCE
from features.workspace import WorkspaceError
from serving.decisions.arms import arms
from serving.decisions.policy import ContactPolicy
from tactful import app

CUSTOMERS, SHARE, HELD = 500, 0.15, 0.2


@pytest.fixture(scope="module")
def days():
    market, found = Market(CUSTOMERS, seed=3), []
    market.run(20)
    ours, others = plays(market, 1, 0.2, seed=1)
    market.play(Experiment(Holding(ours, HELD), others, SHARE), 10, sink=found.append)
    return found


def test_arms_are_those_the_service_draws(days):
    policy = ContactPolicy(**yaml.safe_load(block(SHARE)), holdout={"share": HELD})
    ids = customer_ids(np.arange(CUSTOMERS)).to_pylist()
    drawn = [arms(one, policy) for one in ids]
    arm = days[0].choice.experiment
    assert [one.experiment and one.experiment.name for one in drawn] == [None if k < 0 else PLAYS[k] for k in arm]
    assert (days[0].choice.held == [one.holdout == "holdout" for one in drawn]).all()
    assert set(arm) == {-1, *range(len(PLAYS))}


def test_each_arm_plays_as_it_is_called(days):
    arm = days[0].choice.experiment
    made = np.array([day.made for day in days])
    contacts = [(made[:, arm == k] != SILENCE).sum(axis=0) for k in range(len(PLAYS))]
    quiet = made[:, arm == QUIET]
    assert not SELLS[quiet[quiet != SILENCE]].any()
    assert all(each.max() <= MOST for k, each in enumerate(contacts) if PLAYS[k] not in ("looser_caps", "nothing"))
    assert contacts[PLAYS.index("looser_caps")].max() > MOST
    assert len(days) < WINDOW
    anything = made[:, arm == PLAYS.index("random_eligible")]
    assert len(set(anything[anything != SILENCE])) > 12
    ours = np.array([day.choice.treatment for day in days])[:, (arm < 0) & ~days[0].choice.held]
    assert (ours != SILENCE).any()


def test_the_log_says_the_arm_and_what_would_have_been(days):
    for day in days:
        table = decisions(day, "best")
        arm = day.choice.experiment[day.considered]
        assert table["experiment"].to_pylist() == [None if k < 0 else PLAYS[k] for k in arm]
        held = day.choice.held[day.considered]
        assert (pc.is_valid(table["intended"]).to_numpy() == (held | (arm == QUIET))).all()
        for row in table.select(["experiment", "distribution", "candidates"]).to_pylist():
            assert sum(cell["probability"] for cell in row["distribution"]) == pytest.approx(1.0)
            if row["experiment"] == "nothing":
                assert {c["action"] for c in row["distribution"]} <= {None, "service_recovery"}
                stages = {c["stage"] for c in row["candidates"] if c["action"] != "service_recovery"}
                assert stages <= {"experiment", "guard"}


def test_what_cannot_be_an_experiment_is_one_line(tmp_path):
    market = Market(50)
    with pytest.raises(WorkspaceError, match=r"5 arms with a share of 0.2 each: give more than 0, and less than 0.2"):
        Experiment(*plays(market, 1, 0.0, 0), 0.2)
    said = CliRunner().invoke(app, ["simulate", str(tmp_path / "m"), "--experiment", "0.1", "--policy", "random"])
    assert said.exit_code == 2
    assert "--experiment compares with the policy `best`, not with 'random': add --policy best" in said.output
    assert not (tmp_path / "m").exists()
