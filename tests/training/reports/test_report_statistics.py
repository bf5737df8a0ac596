"""Every statistic against a textbook calculation or a known truth."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from training.reports import always_valid, statistics
from training.reports.statistics import Sample


def textbook(control, treated, confidence=0.95):
    """Welch (1947), written out: difference, interval, two-sided p."""
    vc, vt = control.variance / control.n, treated.variance / treated.n
    error = math.sqrt(vc + vt)
    df = (vc + vt) ** 2 / (vc**2 / (control.n - 1) + vt**2 / (treated.n - 1))
    difference = treated.mean - control.mean
    reach = scipy.stats.t.ppf((1 + confidence) / 2, df) * error
    return difference, difference - reach, difference + reach, 2 * scipy.stats.t.sf(abs(difference) / error, df)


samples = st.builds(
    Sample,
    n=st.integers(2, 10**7),
    mean=st.floats(-1e4, 1e4),
    variance=st.floats(1e-3, 1e6),
)


@given(samples, samples)
def test_the_comparison_is_welchs_to_nine_digits(control, treated):
    found = statistics.compare(control, treated)
    expected = textbook(control, treated)
    scale = max(1.0, *(abs(x) for x in expected[:3]))
    for ours, theirs in zip((found.difference, found.low, found.high, found.p), expected, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-9 * scale)


@given(samples, samples)
def test_lift_is_only_given_over_a_clearly_positive_mean(control, treated):
    found = statistics.compare(control, treated)
    clear = [one.mean > 2 * math.sqrt(one.variance / one.n) for one in (control, treated)]
    if all(clear):
        assert found.relative == pytest.approx(treated.mean / control.mean - 1, rel=1e-9, abs=1e-9)
        assert found.relative_low < found.relative < found.relative_high
    else:
        assert (found.relative, found.relative_low, found.relative_high) == (None, None, None)


@pytest.mark.parametrize(
    ("control", "treated", "says"),
    [
        (Sample(1, 1.0, 0.0), Sample(50, 1.0, 1.0), "at least two"),
        (Sample(50, 0.0, 0.0), Sample(50, 1.0, 0.0), "nothing varies"),
    ],
)
def test_no_interval_is_made_up(control, treated, says):
    with pytest.raises(ValueError, match=says):
        statistics.compare(control, treated)


@pytest.mark.slow
def test_the_interval_covers_the_truth_as_often_as_it_says():
    """2,000 experiments on skewed money (most customers buy nothing), known effect; also how often A/A alarms."""
    rng = np.random.default_rng(7)
    replications, n = 2000, 400
    money = rng.binomial(1, 0.3, (2, replications, n)) * rng.lognormal(2, 0.6, (2, replications, n))
    means, variances = money.mean(axis=2), money.var(axis=2, ddof=1)
    covered = alarms = 0
    for i in range(replications):
        control, treated = (Sample(n, means[arm, i], variances[arm, i]) for arm in (0, 1))
        found = statistics.compare(control, treated)
        covered += found.low <= 0.0 <= found.high  # both arms are drawn alike: the truth is nothing
        alarms += found.p < 0.05
    assert scipy.stats.binomtest(covered, replications, 0.95).pvalue > 0.01
    assert alarms == replications - covered


def test_holm_is_the_textbook_step_down_and_keeps_the_order():
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([]) == []
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_makes_an_effect_surer(p_values):
    adjusted = statistics.holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    for i in range(len(p_values)):
        for j in range(len(p_values)):
            if p_values[i] < p_values[j]:
                assert adjusted[i] <= adjusted[j]


def test_holm_keeps_false_alarms_in_the_family_below_the_level():
    rng = np.random.default_rng(3)
    families = rng.uniform(size=(4000, 5))
    alarms = sum(min(statistics.holm(list(family))) < 0.05 for family in families)
    assert scipy.stats.binomtest(alarms, len(families), 0.05, alternative="greater").pvalue > 0.01


def test_the_sample_ratio_check_is_calm_with_fair_draws_and_loud_with_unfair_ones():
    rng = np.random.default_rng(11)
    fair = [statistics.sample_ratio(list(draw), [0.05, 0.95]) for draw in rng.multinomial(9000, [0.05, 0.95], 2000)]
    assert np.mean([p < 0.05 for p in fair]) == pytest.approx(0.05, abs=0.015)
    assert statistics.sample_ratio([5000, 5400], [0.5, 0.5]) < statistics.RATIO_ALARM
    assert statistics.sample_ratio([0, 0], [0.5, 0.5]) == 1.0
    assert statistics.sample_ratio([3, 9], [0.5, 0.5]) == pytest.approx(scipy.stats.binomtest(3, 12, 0.5).pvalue)


@pytest.mark.slow
def test_the_planned_sample_reaches_the_planned_power():
    control, treated = Sample(900, 0.10, 0.09), Sample(8100, 0.10, 0.09)
    total = statistics.needed(control, treated, 0.02)
    n_control, n_treated = round(total * 0.1), round(total * 0.9)
    rng = np.random.default_rng(5)
    found = 0
    for hits_control, hits_treated in zip(
        rng.binomial(n_control, 0.10, 2000), rng.binomial(n_treated, 0.12, 2000), strict=True
    ):
        a, b = hits_control / n_control, hits_treated / n_treated
        found += (
            statistics.compare(
                Sample(n_control, a, a * (1 - a) * n_control / (n_control - 1)),
                Sample(n_treated, b, b * (1 - b) * n_treated / (n_treated - 1)),
            ).p
            < 0.05
        )
    assert found / 2000 == pytest.approx(0.8, abs=0.04)


def test_what_is_detectable_and_what_is_needed_are_two_sides_of_one_sum():
    control, treated = Sample(1000, 5.0, 30.0), Sample(3000, 5.0, 50.0)
    reach = statistics.detectable(control, treated)
    assert statistics.needed(control, treated, reach) == pytest.approx(4000, abs=1)
    with pytest.raises(ValueError, match="nothing"):
        statistics.needed(control, treated, 0.0)


@pytest.mark.parametrize(
    ("control", "treated", "binary", "enough"),
    [
        (Sample(29, 0.5, 0.25), Sample(500, 0.5, 0.25), True, False),
        (Sample(30, 0.5, 0.25), Sample(500, 0.5, 0.25), True, True),
        (Sample(400, 0.01, 0.0099), Sample(400, 0.012, 0.0119), True, False),
        (Sample(400, 0.99, 0.0099), Sample(400, 0.988, 0.0119), True, False),
        (Sample(4000, 0.0, 0.0), Sample(4000, 0.05, 0.0475), True, True),
        (Sample(400, 0.0, 0.0), Sample(400, 0.0, 0.0), False, False),
        (Sample(30, 3.0, 9.0), Sample(30, 4.0, 9.0), False, True),
    ],
)
def test_small_groups_and_rare_outcomes_get_no_figure(control, treated, binary, enough):
    reason = statistics.too_few(control, treated, binary)
    assert (reason is None) == enough


def test_the_standardised_difference_is_austins():
    one, other = Sample(50, 12.0, 16.0), Sample(500, 10.0, 9.0)
    assert statistics.standardised_difference(one, other) == pytest.approx(2 / math.sqrt(12.5))
    assert statistics.standardised_difference(Sample(9, 1.0, 0.0), Sample(9, 1.0, 0.0)) == 0.0


def test_missing_outcomes_that_differ_by_arm_are_noticed():
    assert statistics.same_share([10, 12], [1000, 1000]) > 0.05
    assert statistics.same_share([10, 90], [1000, 1000]) < statistics.RATIO_ALARM
    assert statistics.same_share([0, 0], [10, 10]) == 1.0


def test_a_sample_is_what_numpy_says():
    values = np.random.default_rng(1).normal(3, 2, 50)
    skew = (((values - values.mean()) / values.std(ddof=1)) ** 3).mean()
    assert Sample.of(values) == Sample(50, values.mean(), values.var(ddof=1), pytest.approx(skew))
    assert Sample.of([]) == Sample(0, 0.0, 0.0)
    assert Sample.of([4.0]) == Sample(1, 4.0, 0.0)


def test_money_of_few_customers_is_too_little_to_tell_until_the_held_out_are_enough():
    """A twentieth held out, a fifth buys: unchecked, daily looks at no effect at all alarm far too often."""
    rng, looks, alarms = np.random.default_rng(3), np.linspace(30, 500, 12).astype(int), np.zeros((120, 3), bool)
    for one in alarms:
        money = [rng.exponential(50, n) * (rng.random(n) < 0.2) for n in (500, 9500)]
        for held in looks.tolist():
            groups = Sample.of(money[0][:held]), Sample.of(money[1][: held * 19])
            always = always_valid.beside(statistics.compare(*groups), held / 500)
            told = statistics.too_few(*groups, binary=False) is None
            one |= [not always.low <= 0 <= always.high, told and not always.low <= 0 <= always.high, told]
    unchecked, checked, told = alarms.mean(0)
    assert unchecked > 0.09
    assert checked <= 0.05
    assert told > 0.9


def rate(n, cases):
    return Sample.of(np.arange(n) < cases)


@pytest.mark.parametrize(
    ("control", "treated", "reason"),
    [
        (rate(550, 0), rate(4950, 55), "so rare that 5.5 cases would be expected in the smaller group, at least 11"),
        (rate(550, 5), rate(10450, 104), "so rare that 5.5 cases would be expected in the smaller group, at least 14"),
        (rate(550, 545), rate(10450, 10346), "so common that 5.4 cases without it would be expected"),
        (rate(550, 9), rate(550, 2), None),
        (rate(1600, 16), rate(10**6, 10**4), None),
        (rate(1500, 0), rate(10**6, 10**4), "so rare that 15.0 cases would be expected in the smaller group"),
    ],
)
def test_a_small_control_needs_more_cases_of_a_rate_than_groups_of_one_size(control, treated, reason):
    """With no case or one it looks sure of itself, and every error says that contacts raised the rate."""
    found = statistics.too_few(control, treated, binary=True)
    assert found is None if reason is None else reason in found


def test_a_rate_against_a_small_holdout_is_hardly_ever_falsely_raised_at_one_of_many_looks():
    """A twentieth of 20,000 held out, two in a hundred opt out, whatever is done; one of the overview's four."""
    rng, raised = np.random.default_rng(7), np.zeros((500, 3), bool)
    sizes = np.arange(1, 31)[:, None] * [33, 627]
    for one in raised:
        cases = rng.binomial(sizes[0], 0.02, (30, 2)).cumsum(axis=0)
        for n, found in zip(sizes.tolist(), (cases / sizes).tolist(), strict=True):
            held, others = (
                Sample(k, p, p * (1 - p), (1 - 2 * p) / math.sqrt(p * (1 - p)) if p else 0.0)
                for k, p in zip(n, found, strict=True)
            )
            error = math.sqrt(held.variance / held.n + others.variance / others.n)
            if held.n * (held.n * held.mean + others.n * others.mean) / sum(n) < 5:
                continue
            alarm = always_valid.p_value((others.mean - held.mean) / error, n[0] / 990) < 0.0125
            told = statistics.too_few(held, others, binary=True) is None
            one |= [alarm, alarm and told, told]
    unchecked, checked, told = raised.mean(axis=0)
    assert unchecked > 2 * 0.0125
    assert checked <= 0.02
    assert told > 0.9


def test_weights_count_in_how_skewed_a_mean_is_drawn():
    """A hundredth held out at first, a fifth later: the few of the first time stand for most."""
    rng, weight = np.random.default_rng(4), np.where(np.arange(84) < 4, 99.0, 4.0)
    drawn = scipy.stats.skew(rng.exponential(1.0, (40_000, 84)) @ weight)
    sample = Sample.weighted(rng.exponential(1.0, 84), weight)
    assert 2 / math.sqrt(sample.alike) == pytest.approx(drawn, rel=0.05)
    assert statistics.skewed(sample, Sample(10**6, 1.0, 1.0, skew=2.0)) == pytest.approx(drawn, rel=0.05)
    assert "at least 30 are needed" in statistics.too_few(sample, Sample(10**6, 1.0, 1.0, skew=2.0), binary=False)


def test_skewed_amounts_in_groups_of_one_size_are_compared():
    spent = Sample(400, 5.0, 400.0, skew=8.0)
    assert statistics.too_few(spent, spent, binary=False) is None
    reason = statistics.too_few(spent, Sample(7600, 5.0, 400.0, skew=8.0), binary=False)
    assert reason is not None
    assert "about 870 customers are needed in the smaller group, which has 400" in reason
    assert statistics.skewed(spent, Sample(10**9, 5.0, 400.0, skew=8.0)) == pytest.approx(8 / 20, rel=1e-5)
