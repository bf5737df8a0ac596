"""The simulated holdout: held out by the product's own hash, what is logged of it, and whom it leaves alone."""

import numpy as np
import pyarrow.compute as pc
import pytest

from features.hashing import position
from features.simulate.decided import decisions
from features.simulate.holding import SELLS, Holding
from features.simulate.log import customer_ids
from features.simulate.market import Market
from features.simulate.policy import SILENCE, Silent, Uniform
from features.simulate.withholding import Withholding
from features.workspace import WorkspaceError
from serving.decisions import holdout

CUSTOMERS, SHARE = 400, 0.25


@pytest.fixture(scope="module")
def days():
    market, found = Market(CUSTOMERS, seed=3), []
    market.play(Holding(Withholding(Uniform(0.5, seed=1), 0.2), SHARE), 6, sink=found.append)
    return found


def test_who_is_held_out_is_what_the_service_says():
    ids = customer_ids(np.arange(CUSTOMERS)).to_pylist()
    held = Holding(Silent(), SHARE).held(CUSTOMERS)
    assert held.tolist() == [holdout.arm(one, "tactful", SHARE) == "holdout" for one in ids]
    assert 0.15 < held.mean() < 0.35
    assert all((position(one, "tactful") < SHARE) == out for one, out in zip(ids, held, strict=True))


def test_nobody_held_out_is_sold_to_and_everybody_is_helped(days):
    made = np.array([day.made for day in days])
    held = days[0].choice.held
    drawn = made[:, held]
    assert (drawn != SILENCE).any()
    assert not SELLS[drawn[drawn != SILENCE]].any()
    others = made[:, ~held]
    assert SELLS[others[others != SILENCE]].any()
    ghosts = np.array([day.choice.ghost for day in days])[:, held]
    assert not SELLS[ghosts[ghosts != SILENCE]].any()


def test_the_log_says_what_was_drawn_from_and_what_would_have_been(days):
    for day in days:
        table = decisions(day, "p")
        arms = np.array(table["arm"].to_pylist())
        assert (arms == "holdout").tolist() == day.choice.held[day.considered].tolist()
        assert (pc.is_valid(table["intended"]).to_numpy() == (arms == "holdout")).all()
        for row in table.select(["arm", "distribution", "intended", "probability", "candidates"]).to_pylist():
            for cells in (row["distribution"], row["intended"] or row["distribution"]):
                assert sum(cell["probability"] for cell in cells) == pytest.approx(1.0)
            if row["arm"] == "holdout":
                sold = {cell["action"] for cell in row["distribution"]} - {None, "service_recovery"}
                meant = {cell["action"] for cell in row["intended"]} - {None, "service_recovery"}
                assert not sold
                assert meant
                stages = {c["stage"] for c in row["candidates"] if c["action"] != "service_recovery"}
                assert stages <= {"holdout", "guard"}


def test_a_policy_without_distributions_cannot_hold_out():
    market = Market(50)
    with pytest.raises(WorkspaceError, match="does not say its distributions"):
        Holding(Silent(), 0.1).decide(market.view())
    with pytest.raises(WorkspaceError, match="not in 0 to 1"):
        Holding(Silent(), 1.0)
