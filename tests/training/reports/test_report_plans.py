"""What a comparison that goes on still needs: by the bound that its verdicts go by, and every figure alike."""

import math

import numpy as np
import pytest

from training.reports import always_valid, experiment, statistics
from training.reports.experiment import Ongoing
from training.reports.statistics import Sample
from training.reports.wording import Words

BUYS = Words("purchase within 28 days", "rate")


def rate(n, share):
    return Sample(n, share, share * (1 - share))


def outcome(held, contacted, ongoing, lift=0.1):
    return experiment.outcome(BUYS, "the holdout", {"the holdout": held, "Contacts": contacted}, lift, None, ongoing)


@pytest.mark.parametrize("together", [1, 4])
def test_an_effect_that_would_reliably_be_shown_is_shown_four_times_out_of_five(together):
    draw, ongoing = np.random.default_rng(3), Ongoing(10_000, 0.0, together)
    (plan,) = outcome(rate(500, 0.2), rate(9500, 0.2), ongoing).plans
    held, contacted = draw.binomial(500, 0.2, 2000) / 500, draw.binomial(9500, 0.2 + plan.detectable, 2000) / 9500
    z = (contacted - held) / np.sqrt(held * (1 - held) / 500 + contacted * (1 - contacted) / 9500)
    shown = np.mean([always_valid.p_value(one, 1.0) < always_valid.LEVEL / together for one in z])
    assert 0.77 < shown < 0.83


@pytest.mark.parametrize("held", range(2500, 9000, 500))
@pytest.mark.parametrize("together", [1, 3])
def test_weeks_and_customers_that_are_needed_agree(held, together):
    found = outcome(rate(held, 0.2), rate(19 * held, 0.202), Ongoing(20 * held, 2000.0, together))
    (one,), (plan,), have = found.comparisons, found.plans, 20 * held
    assert one.weeks == math.ceil(max(0, plan.needed_customers - have) / 2000)
    assert (plan.detectable <= 0.02) == (plan.needed_customers <= have) == (one.weeks == 0)
    assert ("That is enough for a lift of 10%" in plan.sentence) == (one.weeks == 0)
    assert ("until we know" in one.sentence) == (one.weeks > 0)


def test_so_many_and_no_fewer_are_needed():
    for error, difference, have in [(0.01, 0.02, 5000), (0.01, 0.2, 5000), (3.0, 0.5, 90)]:
        most = always_valid.needed(error, difference, have, 1000, 0.8)
        ends = [
            always_valid.detectable(error * math.sqrt(have / n), n / 1000, 0.8) - difference for n in (most - 1, most)
        ]
        assert ends[1] <= 0 < ends[0]
    with pytest.raises(ValueError, match="difference of nothing"):
        always_valid.needed(0.01, 0.0, 100, 100, 0.8)


def test_a_campaign_that_is_over_is_planned_for_one_look():
    groups = rate(500, 0.2), rate(9500, 0.2)
    (plan,) = outcome(*groups, None).plans
    assert plan.detectable == statistics.detectable(*groups)
    assert plan.needed_customers == statistics.needed(*groups, 0.02)


def test_several_arms_share_the_level():
    arms = {"none": rate(2000, 0.2), "a": rate(2000, 0.2), "b": rate(2000, 0.2)}
    several = experiment.outcome(BUYS, "none", arms, 0.1, None, Ongoing(4000, 500.0)).plans
    alone = experiment.outcome(BUYS, "none", {k: arms[k] for k in ("none", "a")}, 0.1, None, Ongoing(4000, 500.0, 2))
    assert several[0].detectable == several[1].detectable == alone.plans[0].detectable
