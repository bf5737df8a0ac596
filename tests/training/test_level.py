"""The level when training ends: against intercepts that are known, and against what no newer weeks would have told."""

import numpy as np
import pyarrow as pa
import pytest
import simulated
from first_catalogue import FIRST
from hypothesis import given
from hypothesis import strategies as st

from features.clock import DAY
from features.workspace import Settings
from training import level, pipeline, train
from training.artefact import sigmoid
from training.churn import arrived, pairs
from training.labels import Life


def drawn(seed, rows, move, slope=0.95, share=1):
    """Scores, early labels and customers of calibration, then of newer rows whose level moved."""
    random = np.random.default_rng(seed)
    found = []
    for shift in (0.0, move):
        score = random.normal(-1.5, 1.2, rows)
        label = (random.random(rows) < sigmoid(0.4 + slope * score + shift)).astype(float)
        found += [np.repeat(values, share) for values in (score, label, np.arange(rows))]
    return found


@given(rate=st.floats(0.001, 0.999), spread=st.floats(0, 5), centre=st.floats(-30, 30))
def test_matched_meets_the_rate(rate, spread, centre):
    score = np.random.default_rng(0).normal(centre, spread, 200)
    label = (np.arange(1000) < rate * 1000).astype(float)
    assert sigmoid(level.matched(score, label) + score).mean() == pytest.approx(label.mean(), abs=1e-6)


@pytest.mark.parametrize("move", [-0.5, 0.0, 0.4])
def test_many_rows_tell_how_far_the_level_moved(move):
    assert level.since(*drawn(1, 100_000, move)) == pytest.approx(move, abs=0.05)


def test_it_is_believed_as_far_as_it_is_told_surely():
    """Over many draws of levels that move as expected, the drawn-in move is nearer the truth than none or all of it."""
    random, rows = np.random.default_rng(0), 150
    truth = random.normal(0, level.DEVIATION, 150)
    told = np.array([level.since(*drawn(seed, rows, move)) for seed, move in enumerate(truth)])
    score = [drawn(seed, rows, move) for seed, move in enumerate(truth)]
    bare = np.array([level.matched(0.4 + 0.95 * new, label) for _, _, _, new, label, _ in score])

    def off(guess):
        return np.mean((guess - truth) ** 2)

    assert off(told) < off(bare)
    assert off(told) < off(np.zeros(150))
    assert np.polyfit(told, truth, 1)[0] == pytest.approx(
        1, abs=0.25
    )  # a posterior mean: the truth is about what it says


def test_a_customers_rows_count_as_one():
    """Each row ten times over is no more evidence than once."""
    once, often = (level.since(*drawn(3, 200, 0.6, share=share)) for share in (1, 10))
    assert often == pytest.approx(once, rel=1e-3)
    assert 0 < once < 0.6


def test_labels_that_are_all_alike_tell_nothing():
    one = np.ones(5)
    assert level.since(np.arange(5.0), one, np.arange(5), np.arange(5.0), one, np.arange(5)) == 0.0
    assert level.since(np.arange(5.0), np.arange(5) % 2.0, np.arange(5), np.arange(5.0), one, np.arange(5)) == 0.0


@pytest.mark.parametrize("move", [-1.5, 1.0])
def test_a_move_that_no_season_makes_is_not_believed(move):
    assert level.since(*drawn(1, 20_000, move)) == 0.0


@pytest.fixture(scope="module")
def market():
    """A season: from two weeks before the test cutoff on, everybody makes every second purchase less."""
    who, when = simulated.habitual(400, 340, seed=4, r=1.5, alpha=15.0, a=0.3, b=4.0, arrivals=60)
    keep = (when < 296) | (np.random.default_rng(0).random(len(who)) < 0.5)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.churn.TRAINING_ROWS", 1500)
        settings = Settings.model_validate({"churn": {"horizon_days": 28}})
        past = simulated.table(who[keep], when[keep])
        return past, settings, train.build("churn", past, settings, {}, simulated.START + 310 * DAY, FIRST)


def test_early_labels_are_of_calibrations_rows_and_of_the_newest_weeks(market):
    """Read aloud from the purchases."""
    past, _, data = market
    bought = {}
    at = past["occurred_at"].cast("int64").to_pylist()
    for customer, instant in zip(past["customer_id"].to_pylist(), at, strict=True):
        bought.setdefault(customer, []).append(instant)

    def quiet(part, days):
        return [
            not any(cutoff <= instant < cutoff + days * DAY for instant in bought[customer])
            for customer, cutoff in zip(part.customer, part.as_of, strict=True)
        ]

    assert set(data.newest.as_of) == {data.windows.test - 21 * DAY}
    assert data.newest.label.tolist() == quiet(data.newest, 21)
    assert data.early.tolist() == quiet(data.calibration, 21)
    assert data.calibration.label.tolist() == quiet(data.calibration, 28)


def test_nothing_after_the_test_cutoff_moves_the_level(market):
    past, settings, data = market
    seen = past.filter(past["occurred_at"].cast("int64").to_numpy() < data.windows.test)
    life = Life.of(seen, settings)
    known = pairs(life, data.windows.newest, data.windows.test, data.windows.early_days)
    assert known.customer.tolist() == data.newest.customer.tolist()
    assert known.label.astype(float).tolist() == data.newest.label.tolist()


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "late"])
def test_a_feed_that_stood_still_is_not_taken_for_customers_who_left(market, lost):
    """Of the newest three weeks the last one did not come in, or came in after the test cutoff."""
    past, settings, data = market
    at = past["occurred_at"].cast("int64").to_numpy()
    missing = (at >= data.windows.test - 7 * DAY) & (at < data.windows.test)
    if lost:
        known = past.filter(~missing)
    else:
        received = pa.array(np.where(missing, data.windows.test + DAY, at)).cast(past.schema.field("received_at").type)
        known = past.set_column(past.column_names.index("received_at"), "received_at", received)
    assert arrived(Life.of(past, settings), data.windows)
    assert not arrived(Life.of(known, settings), data.windows)
    assert data.newest is not None


def test_the_level_follows_the_newest_weeks(market, monkeypatch):
    """Everybody comes less often of late: silence is told likelier than without these weeks, and nearer."""
    _, settings, data = market
    moved, since = [], level.since
    monkeypatch.setattr(level, "since", lambda *told: moved.append(since(*told)) or moved[-1])
    fast = pipeline.make(data, train.habit_of(data, settings), threads=1, parameters={"learning_rate": 0.3})
    score = pipeline.fit(fast, data).decision_function(data.test.frame)
    rate, told, untold = data.test.label.mean(), sigmoid(score).mean(), sigmoid(score - moved[0]).mean()
    assert told > untold + 0.01
    assert abs(told - rate) < abs(untold - rate)
