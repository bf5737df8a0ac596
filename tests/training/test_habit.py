"""BG/NBD: the published figures, a direct reading of the formula, and recovery of a simulated world."""

import numpy as np
import pytest
import simulated
from scipy.special import hyp2f1

from training.artefact import sigmoid
from training.habit import Visits, fit_labels, fit_visits, likelihood, silence

#: Fader, Hardie, Lee (2005), table 2: a tenth of CDNOW's customers, 39 weeks, time in weeks.
PUBLISHED = np.array([0.243, 4.414, 0.793, 2.426])


def test_the_worked_example_of_its_authors():
    """Two repeat purchases, the last after 30.43 of 38.86 weeks: 1.226 more expected in the next 39.

    Fader and Hardie, "Implementing the BG/NBD model for customer base analysis in Excel", customer 0001. Over an
    endless horizon silence means having left, which gives the probability of being alive that the formula needs.
    """
    (r, alpha, a, b), x, last, age, ahead = PUBLISHED, 2, 30.43, 38.86, 39
    visits = Visits(np.array([float(x)]), np.array([last]), np.array([age]))
    alive = 1 - 1 / (1 + np.exp(-silence(PUBLISHED, visits, 1e30)[0]))
    still = ((alpha + age) / (alpha + age + ahead)) ** (r + x)
    expected = (a + b + x - 1) / (a - 1)
    expected *= 1 - still * hyp2f1(r + x, b + x, a + b + x - 1, ahead / (alpha + age + ahead))
    assert expected * alive == pytest.approx(1.226, abs=5e-4)


def test_estimates_on_cdnow_agree_with_the_published_ones(real_data):
    """All customers, of whom the paper has a tenth: the same within that tenth's error, and no less likely."""
    rows = np.loadtxt(real_data("cdnow_master.txt.gz"), skiprows=1, usecols=(0, 1), dtype=np.int64)
    text = rows[:, 1].astype(str)
    day = np.array([f"{t[:4]}-{t[4:6]}-{t[6:]}" for t in text], "datetime64[D]") - np.datetime64("1997-01-01")
    log = np.unique(np.column_stack([rows[:, 0], day.astype(int)])[day.astype(int) < 273], axis=0)
    _, start, count = np.unique(log[:, 0], return_index=True, return_counts=True)
    first, last = log[start, 1], log[start + count - 1, 1]
    visits = Visits(count - 1.0, (last - first) / 7, (272 - first) / 7)
    estimates = fit_visits(visits)
    assert likelihood(estimates, visits) >= likelihood(PUBLISHED, visits) > likelihood(estimates, visits) - 5e-4
    assert estimates == pytest.approx(PUBLISHED, rel=0.12)


def test_silence_is_the_probability_it_says():
    """Odds of having left times certainty, plus being alive and quiet, written out."""
    r, alpha, a, b = 0.7, 12.0, 0.6, 2.5
    for x, last, age, horizon in [(0, 0, 100, 30), (1, 20, 100, 30), (7, 90, 100, 60), (30, 300, 360, 7)]:
        left = 0 if x == 0 else a / (b + x - 1) * ((alpha + age) / (alpha + last)) ** (r + x)
        quiet = ((alpha + age) / (alpha + age + horizon)) ** (r + x)
        expected = (left + quiet) / (1 + left)
        visits = Visits(np.array([float(x)]), np.array([float(last)]), np.array([float(age)]))
        logit = silence(np.array([r, alpha, a, b]), visits, horizon)[0]
        assert sigmoid(logit) == pytest.approx(expected, rel=1e-9)


def test_it_is_finite_at_the_edges():
    visits = Visits(np.array([0, 400, 400.0]), np.array([0, 0, 365.0]), np.array([0, 365, 365.0]))
    for parameters in ([0.0025, 2980, 0.0025, 2980], [2980, 0.0025, 2980, 0.0025]):
        assert np.isfinite(silence(np.array(parameters), visits, 28.0)).all()


def test_its_own_world_is_recovered_and_predicted():
    who, when = simulated.habitual(4000, 400, seed=5)
    cutoff, horizon = 340.0, 60.0
    first, last, count, quiet = [], [], [], []
    for days in np.split(when, np.flatnonzero(np.diff(who)) + 1):
        before = days[days < cutoff]
        if len(before):
            first.append(before[0])
            last.append(before[-1])
            count.append(len(before))
            quiet.append(not ((days >= cutoff) & (days < cutoff + horizon)).any())
    visits = Visits(np.array(count) - 1.0, np.array(last) - np.array(first), cutoff - np.array(first))
    quiet = np.array(quiet)
    by_visits = fit_visits(visits)
    assert by_visits[0] / by_visits[1] == pytest.approx(1.2 / 25, rel=0.15)  # mean rate
    assert by_visits[2] / by_visits[2:].sum() == pytest.approx(0.8 / 3.8, rel=0.15)  # mean chance to leave
    for parameters in (by_visits, fit_labels(visits, quiet, horizon)):
        p = 1 / (1 + np.exp(-silence(parameters, visits, horizon)))
        assert p.mean() == pytest.approx(quiet.mean(), abs=0.02)
        assert ((p - quiet) ** 2).mean() < 0.7 * quiet.var()


def test_who_is_known_longer_than_the_span_starts_at_its_beginning():
    visits = Visits.of(np.array([3.0, 0.0, 1.0]), np.array([10.0, 400, 20]), np.array([500.0, 500, 20]), 365.0)
    assert visits.repeats.tolist() == [3, 0, 0]
    assert visits.age.tolist() == [365, 365, 20]
    assert visits.last.tolist() == [355, 0, 0]
