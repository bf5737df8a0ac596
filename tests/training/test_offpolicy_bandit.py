"""Open Bandit (ZOZOTOWN, 2019): what the Thompson policy clicks at, from the log of the uniform one."""

import numpy as np
import pandas as pd
import pytest

from training.offpolicy import intervals, outcomes
from training.offpolicy.diagnostics import overlap
from training.offpolicy.estimators import estimate
from training.offpolicy.feedback import Feedback

ITEMS = 80
COLUMNS = ["item_id", "position", "click", "propensity_score"]


@pytest.fixture(scope="module")
def logs(real_data):
    return [pd.read_csv(real_data(f"open_bandit_{name}_all.csv.gz"), usecols=COLUMNS) for name in ("random", "bts")]


def shown(log):
    """float[3, 80]: how often each item is shown at each of the three positions.

    Thompson's probabilities moved within the week, while an item's click rate is taken not to: then the week's average
    is the policy to judge, and how often each was shown estimates it without bias.
    """
    counts = np.zeros((3, ITEMS))
    np.add.at(counts, (log.position - 1, log.item_id), 1)
    return counts / counts.sum(1, keepdims=True)


def feedback(uniform, thompson, model=None):
    """Positions differ in whom they show: an answer's choices are the items at its own position."""
    n = len(uniform)
    place, action = uniform.position.to_numpy() - 1, uniform.item_id.to_numpy()
    weight = np.bincount(thompson.position - 1) / len(thompson) / (np.bincount(place) / n)
    return Feedback(
        np.full((n, ITEMS), 1 / ITEMS),
        shown(thompson)[place],
        action,
        uniform.click.to_numpy(float),
        model,
        path=weight[place],  # and Thompson's log has its own share of each position
    )


def test_thompsons_click_rate_from_the_uniform_log(logs):
    uniform, thompson = logs
    assert (uniform.propensity_score == 1 / ITEMS).all()
    place = pd.get_dummies(uniform.position).to_numpy(float)
    click = uniform.click.to_numpy(float)
    model = outcomes.predicted(place, uniform.item_id.to_numpy(), click, ITEMS)
    judged = feedback(uniform, thompson, model)
    own = thompson.click.mean()
    told = overlap(judged)
    assert told.unsupported == 0.0
    assert 0.1 < told.share < 0.5
    for method in ("ips", "self_normalised", "doubly_robust"):
        found = intervals.interval(estimate(judged, method))
        print(f"{method}: {found.value:.4f} ({found.low:.4f} to {found.high:.4f}); its own log: {own:.4f}")
        assert own in found
        assert found.high - found.low < 0.012  # 38 clicks: wide, and yet it says something


def test_positions_are_kept_apart(logs):
    """An item's share is of its own position's showings."""
    uniform, thompson = logs
    judged = feedback(uniform, thompson)
    for position in (1, 2, 3):
        rows = (uniform.position == position).to_numpy()
        share = (thompson[thompson.position == position].item_id == 51).mean()
        assert judged.target[rows, 51] == pytest.approx(np.full(rows.sum(), share))
    assert len(np.unique(judged.target[:, 51])) == 3
