"""Qini and AUUC against scikit-uplift's algorithm, written here from its definition, and its published values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.uplift import curves


def _auc(x, y):
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def reference(outcome, score, treated, kind):
    """sklift.metrics.qini_auc_score and uplift_auc_score (0.5.1), by loops over thresholds."""

    def curve(by):
        xs, ys = [0], [0.0]
        for threshold in sorted(set(by.tolist()), reverse=True):
            there = by >= threshold
            t, c = int(np.sum(there & (treated == 1))), int(np.sum(there & (treated == 0)))
            high, low = outcome[there & (treated == 1)].sum(), outcome[there & (treated == 0)].sum()
            if kind == "qini":
                ys.append(high - (low * t / c if c else 0.0))
            else:
                ys.append(((high / t if t else 0.0) - (low / c if c else 0.0)) * (t + c))
            xs.append(t + c)
        return np.array(xs), np.array(ys)

    if kind == "qini":
        perfect = outcome * treated - outcome * (1 - treated)
    else:
        in_control, idle = np.sum((outcome == 1) & (treated == 0)), np.sum((outcome == 0) & (treated == 1))
        perfect = 2 * (outcome == treated) + (outcome if in_control > idle else treated)
    (x, y), (best_x, best_y) = curve(score), curve(perfect.astype(float))
    random = _auc(np.array([0, best_x[-1]]), np.array([0, best_y[-1]]))
    best = _auc(best_x, best_y) - random
    return (_auc(x, y) - random) / best if best else float("nan")


@pytest.mark.parametrize(
    ("outcome", "score", "treated", "qini", "auuc"),
    [
        ([1, 1], [0.1, 0.3], [0, 1], 1.0, 1.0),
        ([1, 1], [0.1, 0.3], [1, 0], 0.0, -1.0),
        ([0, 1], [0.1, 0.3], [1, 0], 1.0, 0.0),
        ([1, 0], [0.1, 0.3], [0, 1], 1.0, 1.0),
        ([0, 1, 2], [0.1, 0.3, 0.9], [0, 1, 0], -0.5, -4 / 3),
        ([0, 1, 2], [0.1, 0.3, 0.9], [1, 0, 1], 0.75, 4 / 3),
    ],
)
def test_the_values_in_scikit_uplifts_own_tests(outcome, score, treated, qini, auuc):
    """sklift/tests/test_metrics.py, test_qini_auc_score and test_uplift_auc_score."""
    arrays = [np.array(values, float) for values in (score, outcome, treated)]
    assert curves.qini(*arrays) == pytest.approx(qini)
    assert curves.auuc(*arrays) == pytest.approx(auuc)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6), st.booleans()), min_size=20, max_size=60),
    st.booleans(),
)
def test_any_scores_give_scikit_uplifts_number(rows, money):
    outcome, score, treated = (np.array(values, float) for values in zip(*rows, strict=True))
    outcome = outcome * (1 + score) if money else outcome
    for kind, ours in (("qini", curves.qini), ("auuc", curves.auuc)):
        theirs = reference(outcome, score, treated, kind)
        if abs(theirs) < 1e6:  # where the perfect order gains nothing, there is no coefficient
            assert ours(score, outcome, treated) == pytest.approx(theirs, abs=1e-9)


def test_a_draw_of_the_bootstrap_is_the_figure_of_repeated_rows():
    rng = np.random.default_rng(3)
    outcome, score, treated = rng.integers(0, 2, 80).astype(float), rng.normal(size=80).round(1), rng.integers(0, 2, 80)
    weights = np.bincount(rng.integers(0, 80, 80), minlength=80)
    places = np.repeat(np.arange(80), weights)
    ranked = curves.Ranked.by(score, outcome, treated)
    repeated = curves.Ranked.by(score[places], outcome[places], treated[places])
    for curve in (curves.qini_curve, curves.uplift_curve):
        x, y = curve(ranked, weights.astype(float))
        xs, ys = curve(repeated)
        assert np.interp(xs, x, y) == pytest.approx(ys)


def test_intervals_hold_the_figure_and_shrink_with_customers():
    rng = np.random.default_rng(4)

    def interval(rows):
        treated, score = rng.integers(0, 2, rows), rng.normal(size=rows)
        outcome = (rng.random(rows) < 0.3 + 0.1 * treated * (1 + np.tanh(score))).astype(float)
        return curves.qini_interval(score, outcome, treated, repeats=60)

    few, many = interval(500), interval(8000)
    assert few.low < few.value < few.high
    assert many.high - many.low < 0.5 * (few.high - few.low)
    assert many.low > 0
