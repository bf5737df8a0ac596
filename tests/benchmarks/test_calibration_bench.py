"""How far churn probabilities are from what happens, through the seasons of a market that has lasted three years.

`TACTFUL_BENCH_CUTOFFS=2027-02-15,2027-06-15` chooses the test cutoffs; all six take some six minutes.
"""

import os

import numpy as np
import pytest

from features.clock import parse_instant
from features.past import Past
from features.simulate.events import together
from features.simulate.log import interactions
from features.simulate.market import Market
from features.workspace import Settings
from training.train import fit

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

CUTOFFS = os.environ.get("TACTFUL_BENCH_CUTOFFS", "2027-02-15,2027-04-15,2027-06-15,2027-08-15,2027-10-15,2027-11-25")


def test_probabilities_hold_through_the_year(capsys):
    """Nothing of a cutoff's horizon was seen; the floor is what right probabilities read on as many customers."""
    market, days = Market(10_000, "usual", seed=5), []
    market.run(1100, sink=lambda day: days.append(day.news))
    past = Past.of(interactions(together(days), market.start))
    settings = Settings(name="market", churn={"horizon_days": 28})
    found = []
    for cutoff in CUTOFFS.split(","):
        fitted = fit("churn", past, settings, test=parse_instant(cutoff))
        floor = fitted.metrics["ece_by_chance"]
        found.append((fitted.metrics["ece"].value, floor.value))
        with capsys.disabled():
            print(
                f"\n{cutoff}: ECE {fitted.metrics['ece']}, of right probabilities {floor}; calibration slope"
                f" {fitted.metrics['calibration_slope']}; Brier skill {fitted.metrics['brier_skill']}"
            )
    assert np.mean([error for error, _ in found]) < 2 * np.mean([floor for _, floor in found])
