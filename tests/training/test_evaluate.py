"""Metrics against scikit-learn with weights and ties, and intervals that cover."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from training import evaluate


@pytest.fixture
def case():
    random = np.random.default_rng(0)
    p = np.round(random.beta(1, 3, 800), 2).clip(0.01, 0.99)  # many ties
    y = (random.random(800) < p).astype(float)
    return y, p, random.integers(0, 4, 800).astype(float)


def test_against_scikit_learn(case):
    y, p, w = case
    assert evaluate.auc(y, p, w) == pytest.approx(metrics.roc_auc_score(y, p, sample_weight=w))
    assert evaluate.pr_auc(y, p, w) == pytest.approx(metrics.average_precision_score(y, p, sample_weight=w))
    assert evaluate.log_loss(y, p, w) == pytest.approx(metrics.log_loss(y, p, sample_weight=w))
    assert evaluate.brier(y, p, w) == pytest.approx(metrics.brier_score_loss(y, p, sample_weight=w))
    logit = np.log(p / (1 - p))[:, None]
    cox = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit, y, sample_weight=w)
    assert evaluate.calibration_slope(y, p, w) == pytest.approx(cox.coef_[0, 0], abs=1e-4)
    assert evaluate.calibration_intercept(y, p, w) == pytest.approx(cox.intercept_[0], abs=1e-4)


def test_figures_with_a_known_answer():
    ones = np.ones(1000)
    y = np.repeat([1.0, 0.0], [100, 900])
    perfect = np.where(y == 1, 0.9, 0.1)
    assert evaluate.lift_top_decile(y, perfect, ones) == pytest.approx(10)
    flat = np.full(1000, 0.1)
    assert evaluate.lift_top_decile(y, flat, ones) == pytest.approx(1)
    assert evaluate.brier_skill(y, flat, ones) == pytest.approx(0)
    assert evaluate.auc(y, flat, ones) == 0.5
    assert evaluate.ece(y, flat, ones) == pytest.approx(0, abs=1e-12)
    assert evaluate.ece(y, flat + 0.2, ones) == pytest.approx(0.2)


def test_weights_are_repetitions(case):
    y, p, w = case
    times = w.astype(int)
    for name, metric in evaluate.METRICS.items():
        if name == "ece":  # its bins are those of the rows, not of the resample
            continue
        repeated = metric(np.repeat(y, times), np.repeat(p, times), np.ones(times.sum()))
        assert metric(y, p, w) == pytest.approx(repeated), name


def test_intervals_cover_and_rows_of_one_customer_stay_together():
    """Ten equal rows a customer hold no more than one: intervals by row would be three times too narrow."""
    random = np.random.default_rng(1)
    covered, only = 0, {"brier": evaluate.brier}
    for _ in range(100):
        p = random.beta(2, 2, 300)
        y = (random.random(300) < p).astype(float)
        customers = np.arange(300)
        found = evaluate.evaluate(np.repeat(y, 10), np.repeat(p, 10), np.repeat(customers, 10), 60, only)
        covered += found["brier"].low <= 0.2 <= found["brier"].high  # E p(1-p) for beta(2, 2)
    assert covered >= 85


def test_a_paired_difference_is_narrower_than_two_intervals(case):
    y, p, _ = case
    rival = np.clip(p + np.random.default_rng(2).normal(0, 0.02, len(p)), 0.001, 0.999)
    customers = np.arange(len(p))
    same = evaluate.difference(y, p, p, customers)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    paired = evaluate.difference(y, p, rival, customers)
    alone = evaluate.evaluate(y, p, customers)["auc"]
    assert paired.low <= paired.value <= paired.high
    assert (paired.high - paired.low) < 0.5 * (alone.high - alone.low)


def test_how_an_interval_reads():
    assert str(evaluate.Interval(0.87912, 0.86, 0.9)) == "0.879 (0.860 to 0.900)"
    assert f"{evaluate.Interval(-0.001, -0.002, 0.003):+.4f}" == "-0.0010 (-0.0020 to +0.0030)"
