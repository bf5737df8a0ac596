"""The words on calibration against probabilities whose truth is known, and what right ones read by chance."""

import numpy as np
import pytest

from training import calibration
from training.artefact import sigmoid
from training.evaluate import ece


def drawn(rows, seed, level=0.0, slope=1.0, spread=1.5):
    """(label, what is said, customer): labels of true logits; what is said has them moved, and too wide by `slope`."""
    random = np.random.default_rng(seed)
    logit = random.normal(0, spread, rows)
    label = (random.random(rows) < sigmoid(logit)).astype(float)
    return label, sigmoid(slope * logit + level), np.arange(rows)


def words(rows, seed, **changes):
    found = drawn(rows, seed, **changes)
    return calibration.told(*found, calibration.figures(*found))


def test_right_probabilities_read_what_is_said_of_chance():
    """Of labels drawn anew, mean and 95 % range; and by the normal mean deviation of ten bins, over 2,500 rows .02."""
    label, said, customer = drawn(2500, 0)
    chance = calibration.figures(label, said, customer)["ece_by_chance"]
    random, ones = np.random.default_rng(7), np.ones(len(said))
    read = np.array([ece((random.random(len(said)) < said).astype(float), said, ones) for _ in range(400)])
    assert chance.value == pytest.approx(read.mean(), rel=0.05)
    assert np.mean((chance.low <= read) & (read <= chance.high)) == pytest.approx(0.95, abs=0.04)
    tenth = np.sort(said).reshape(10, 250)
    deviation = np.sqrt((tenth * (1 - tenth)).mean(axis=1) / 250)
    assert chance.value == pytest.approx(np.sqrt(2 / np.pi) * deviation.mean(), rel=0.05)
    assert chance.value == pytest.approx(0.02, abs=0.001)


def test_fewer_rows_read_more_by_chance():
    """The error of a mean falls with the root of its rows."""
    few, many = (calibration.by_chance(drawn(rows, 1)[1]).mean() for rows in (500, 8000))
    assert few / many == pytest.approx(4, rel=0.15)


def test_errors_by_chance_where_others_are_true():
    """Labels drawn from probabilities all of .05 more are off by that much."""
    said = np.linspace(0.1, 0.8, 20_000)
    assert calibration.by_chance(said, said + 0.05).mean() == pytest.approx(0.05, abs=0.005)


def test_probabilities_on_target_are_said_to_be():
    found = words(8000, 2)
    assert found.startswith("on target: slope ")
    assert found.endswith("(at most 0.02)")


def test_what_chance_alone_may_have_done_is_no_miss_and_no_hit():
    """Right probabilities of few customers seldom read .02: their words say what chance reads, and refuse nothing."""
    label, said, customer = drawn(600, 3)
    metrics = calibration.figures(label, said, customer)
    assert metrics["ece"].value > calibration.ECE
    found = calibration.told(label, said, customer, metrics)
    assert found.startswith("not surely off target: ")
    low, high = metrics["ece_by_chance"].low, metrics["ece_by_chance"].high
    assert f"above 0.02, where right probabilities read {low:.3f} to {high:.3f} on as many rows" in found
    assert calibration.faults(label, said, customer, metrics) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"slope": 1.6}, "calibration slope 0.59 (0."),
        ({"level": 0.5}, "expected calibration error 0.0"),
        ({"level": 2.5}, "Brier skill -0."),
    ],
    ids=["too wide", "too high", "worse than one rate for all"],
)
def test_what_is_surely_off_is_told_with_its_interval(changes, told):
    found = words(2000, 4, **changes)
    assert found.startswith("off target: ")
    assert told in found


def test_a_row_of_each_customer():
    customer = np.repeat(np.array(["a", "b", "c"], object), [1, 5, 20])
    rows = calibration.one_each(customer)
    assert customer[rows].tolist() == ["a", "b", "c"]
    assert len({tuple(calibration.one_each(customer, seed)) for seed in range(20)}) > 5
