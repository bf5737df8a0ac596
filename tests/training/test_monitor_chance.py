"""On stable data each check rings by chance in at most one look of a thousand; what really changed is found."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from features.clock import DAY
from features.interactions import INSTANT
from features.workspace import Monitor
from training.monitor import flow
from training.monitor.drift import LEVEL, compare
from training.monitor.flow import Fall
from training.monitor.found import Found
from training.monitor.psi import Bins, chance, excess
from training.monitor.quality import Quality, checks, which
from training.monitor.reference import SCORE, WEEK, Column, Reference

NOW = 20_000 * DAY
#: Nothing but chance limits.
BARE = Monitor(psi=1e-9, gain=0.0, auc_drop=1e-9, slope=(1 - 1e-9, 1 + 1e-9), ece=1e-9, response_drop=1e-9)


def at_most(rate, looks):
    """How many of so many looks may ring where each does with this probability; more come about once in 10,000."""
    return int(binom.isf(1e-4, looks, rate))


numbers = st.lists(st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0])), min_size=1)
words = st.lists(st.one_of(st.just(float("nan")), st.sampled_from("abcdefgh")), min_size=1)


@given(st.one_of(numbers, words), st.data())
def test_every_value_has_one_bin_and_null_its_own(reference, data):
    text = any(isinstance(value, str) for value in reference)
    values = data.draw(words if text else numbers)
    kind = object if text else float
    bins = Bins.of(np.array(reference, kind))
    place = bins.place(np.array(values, kind))
    assert ((place >= 0) & (place < len(bins))).all()
    assert bins.count(np.array(values, kind)).sum() == len(values)
    nulls = np.array([value != value for value in values])
    np.testing.assert_array_equal(place == len(bins) - 1, nulls)
    assert Bins.from_json(bins.to_json()) == bins
    if not text:
        known = np.array(values, float)[~nulls]
        assert (np.diff(place[~nulls][np.argsort(known)]) >= 0).all()


def test_psi_of_two_known_distributions():
    """By hand: (.5 - .4) log(.5/.4) + (.3 - .3) log 1 + (.2 - .3) log(.2/.3) = .0629."""
    a, b = np.array([5e8, 3e8, 2e8]), np.array([4e8, 3e8, 3e8])
    assert excess(a, b) == pytest.approx(0.0628609, abs=1e-6)
    assert excess(b, a) == pytest.approx(excess(a, b))


@pytest.mark.parametrize(("n", "m"), [(20_000, 20_000), (20_000, 400), (500, 300)])
def test_psi_beyond_chance_is_zero_on_average_and_its_limit_holds(n, m):
    random, looks = np.random.default_rng(0), 1_200
    shares = np.array([0.4, 0.2, 0.1, 0.1, 0.05, 0.05, 0.04, 0.03, 0.02, 0.01])
    a, b = random.multinomial(n, shares, looks), random.multinomial(m, shares, looks)
    found = np.array([excess(*pair) for pair in zip(a, b, strict=True)])
    noise = 1 / n + 1 / m
    assert abs(found.mean()) < 0.5 * noise
    for level in (0.05, 0.001):
        rang = sum(psi > chance(*pair, level) for psi, *pair in zip(found, a, b, strict=True))
        assert rang <= at_most(level, looks)
    assert sum(psi > chance(*pair, 0.05) for psi, *pair in zip(found, a, b, strict=True)) > 0.02 * looks


def reference(frame, score, wander=(), gain=0.1):
    columns = {name: (frame[name].to_numpy(), gain) for name in frame} | {SCORE: (score, 0.0)}
    made = {}
    for name, (values, share) in columns.items():
        bins = Bins.of(values)
        made[name] = Column(bins, tuple(bins.count(values).tolist()), share, wander)
    return Reference("churn", NOW, 0.3, len(frame), made)


def features(random, rows, shift=0.0):
    """Numbers, counts with many zeros, and text; the first is shifted."""
    frame = pd.DataFrame(random.normal(size=(rows, 12)), columns=[f"x{i}" for i in range(12)])
    frame["x0"] += shift
    frame["x1"] = np.where(random.random(rows) < 0.7, 0.0, random.poisson(2, rows))
    frame["x2"] = np.where(random.random(rows) < 0.3, np.nan, frame["x2"])
    frame["place"] = random.choice(np.array(["web", "store", "phone"], object), rows)
    return frame, random.random(rows)


def test_stable_features_and_scores_do_not_drift():
    random, rang, looks = np.random.default_rng(1), 0, 80
    for _ in range(looks):
        known = reference(*features(random, 1_000))
        rang += compare(known, *features(random, 600), NOW + WEEK, BARE).alarm
    assert rang <= at_most(LEVEL, looks)


def test_a_shift_is_found_by_name_and_counts_by_what_the_trees_gain():
    random = np.random.default_rng(2)
    frame, score = features(random, 4_000)
    moved, other = features(random, 2_000, shift=1.0)
    found = compare(reference(frame, score, gain=0.2), moved, other, NOW + WEEK, Monitor())
    assert found.alarm
    assert [each.name for each in found.drifted] == ["x0"]
    assert found.sentence.startswith("drifted: x0 (PSI ")
    quiet, told = compare(reference(frame, score, gain=0.02), moved, other, NOW + WEEK, Monitor()), Found("churn")
    assert not quiet.alarm
    told.moved(quiet, Monitor())
    assert told.checks[0].status == "well"  # and it says why, though something drifted
    assert "), 2.0% of what the model goes by" in told.checks[0].sentence
    assert told.checks[0].sentence.endswith(" (features ring where they hold 10% or more)")
    same, said = compare(reference(frame, score), frame, score, NOW + WEEK, Monitor()), Found("churn")
    assert same.score.psi < 0, "less than chance alone makes"
    said.moved(same, Monitor())
    assert "churn: scores are PSI 0.000 from those of training" in said.checks[1].sentence
    found = compare(reference(frame, score), frame, score**3, NOW + WEEK, Monitor())
    assert found.score.drifted
    assert found.sentence.startswith("drifted: scores (PSI ")
    assert compare(reference(frame, score), moved.head(50), other[:50], NOW, Monitor()) is None


def test_what_moves_by_itself_may_go_on_as_before():
    """Tenure in a young log: 2 a week, as in the model's own past, is no news; 6 in a week is."""
    random = np.random.default_rng(3)
    score = random.random(3_000)
    frame = pd.DataFrame({"tenure": random.uniform(0, 20, 3_000)})
    bins = Bins.of(frame["tenure"].to_numpy())
    counts = bins.count(frame["tenure"].to_numpy())
    wander = tuple((weeks, excess(bins.count(frame["tenure"].to_numpy() - 2 * weeks), counts)) for weeks in (1, 2, 3))
    known = reference(frame, score, wander)
    for weeks, by, drifted in ((1, 2, False), (3, 5, False), (1, 8, True)):
        found = compare(known, frame + by, score, NOW + weeks * WEEK, Monitor())
        assert bool(found.drifted) == drifted, (weeks, by, found.sentence)


def answers(random, customers, rate, contacts=2):
    """Contacts of two weeks; customers answer alike, some often and most never."""
    person = np.repeat(np.arange(customers), contacts)
    inclined = random.beta(0.5, 0.5 * (1 / rate - 1), customers)[person]
    now = random.random(len(person)) < 0.5
    return (random.random(len(person)) < inclined).astype(float), person, now


def test_response_rates_that_do_not_change_do_not_fall():
    random, looks = np.random.default_rng(4), 1_500
    fallen = []
    for _ in range(looks):
        responded, person, now = answers(random, 1_000, 0.05)
        fallen.append(Fall.of(responded, person, now, ~now).fallen)
    fallen = np.array(fallen)
    assert (fallen > 3.09).sum() <= at_most(LEVEL, looks)
    assert 0.03 < (fallen > 1.645).mean() < 0.07  # neither too bold nor too timid


def test_a_rate_that_fell_by_two_fifths_is_found():
    random, found = np.random.default_rng(5), 0
    for _ in range(50):
        responded, person, now = answers(random, 4_000, 0.08)
        responded[now & (random.random(len(now)) < 0.4)] = 0
        fall = Fall.of(responded, person, now, ~now)
        found += fall.change < -0.2 and fall.fallen > 3.09
    assert found >= 48
    assert Fall.of(np.zeros(100), np.arange(100), np.arange(100) < 50, np.arange(100) >= 50) is None


def test_a_fall_is_told_as_people_read_it():
    fall = Fall(0.024, 0.04, 4_000, 4_000, 4.1)
    told = flow.response_check("mobile_app", fall, LEVEL, Monitor()).sentence
    assert told.startswith("response rate in the mobile app: 2.40% of 4,000 contacts")
    assert told.endswith("4.00% of 4,000: −40% (−4.1 standard errors; rings beyond −30%)")


def test_a_fall_that_may_be_chance_says_how_far_it_must_be_to_ring():
    """Half of the answers of few are gone: beyond the threshold, within 3.1 standard errors."""
    quiet = flow.response_check(None, Fall(0.011, 0.022, 1_000, 1_000, 2.3), LEVEL, Monitor())
    assert quiet.status == "well"
    assert quiet.value > quiet.limit == pytest.approx(-0.5 * 3.0902 / 2.3, abs=1e-4)
    surely = flow.response_check(None, Fall(0.011, 0.022, 10_000, 10_000, 7.3), LEVEL, Monitor())
    assert (surely.status, round(surely.limit, 3)) == ("alarm", -0.212)
    alike = flow.response_check(None, Fall(0.02, 0.02, 1_000, 1_000, 0.0), LEVEL, Monitor())
    assert (alike.status, alike.limit) == ("well", -0.2)


def log(days_ago, channels):
    at = NOW - (np.asarray(days_ago) * DAY).astype(np.int64)
    return pa.table({"occurred_at": pa.array(at).cast(INSTANT), "channel": pa.array(channels)})


def test_a_channel_that_is_rarely_used_is_not_missed():
    """2.7 a day is where two silent days after 28 busy ones are likeliest: 7 in 10,000."""
    random, looks, rang = np.random.default_rng(6), 400, 0
    for _ in range(looks):
        days = random.uniform(0, 31, random.poisson(2.7 * 31))
        table = log([*days, 0.1], ["phone"] * len(days) + ["web"])
        rang += any(check.status == "alarm" for check in flow.silence(table, NOW, Monitor()))
    assert rang <= at_most(LEVEL, looks)


def test_silence_is_found_overall_and_on_a_channel():
    web, phone = np.arange(0.5, 40), np.arange(2.1, 40, 0.4)
    found = {
        check.subject: check
        for check in flow.silence(log([*web, *phone], ["web"] * 40 + ["phone"] * len(phone)), NOW, Monitor())
    }
    assert {name: check.status for name, check in found.items()} == {"all": "well", "phone": "alarm", "web": "well"}
    assert found["phone"].value == pytest.approx(2.1)
    [every] = [c for c in flow.silence(log([2.01], ["web"]), NOW, Monitor()) if c.subject == "all"]
    assert every.status == "alarm"
    [every] = [c for c in flow.silence(log([1.99], ["web"]), NOW, Monitor()) if c.subject == "all"]
    assert every.status == "well"
    assert flow.silence(log([], pa.array([], pa.string())), NOW, Monitor())[0].status == "alarm"


def test_a_channel_is_called_as_people_call_it():
    days = np.arange(0.5, 40)
    (_, found) = flow.silence(log(days, ["mobile_app"] * 40), NOW, Monitor())
    assert found.subject == "mobile_app"
    assert found.sentence.startswith("0.5 days since an interaction in the mobile app (")


def test_a_channel_may_be_called_all():
    days = np.arange(0.5, 40)
    found = flow.silence(log([*days, *(days + 2)], ["web"] * 40 + ["all"] * 40), NOW, Monitor())
    told = {check.subject: check.status for check in found}
    assert len(told) == len(found) == 3  # one series each in what Prometheus reads
    assert told == {"all": "well", "channel all": "alarm", "web": "well"}


def rows(random, count, sharper=1.0, shift=0.0):
    """Labels and the probabilities that a model gives; right ones where sharper is 1 and shift 0."""
    logit = random.normal(-0.5, 1.2, count)
    label = (random.random(count) < 1 / (1 + np.exp(-(logit * sharper + shift)))).astype(float)
    return label, 1 / (1 + np.exp(-logit)), np.arange(count)


RUN = {"auc": 0.775, "auc_low": 0.755, "auc_high": 0.795}


def statuses(found, thresholds=None, run=RUN):
    return {c.check: c.status for c in checks("churn", found, run, "as of then", thresholds or Monitor())}


def test_matured_labels_that_the_model_was_right_about_and_wrong_about():
    random = np.random.default_rng(7)
    well = statuses(Quality.of(*rows(random, 3_000)))
    assert well == dict.fromkeys(("one_class", "auc", "calibration_slope", "ece"), "well")
    lost = statuses(Quality.of(*rows(random, 3_000, sharper=0.2)))
    assert (lost["auc"], lost["calibration_slope"]) == ("alarm", "alarm")
    assert statuses(Quality.of(*rows(random, 3_000, shift=0.6)))["ece"] == "alarm"
    assert statuses(None) == dict.fromkeys(well, "unknown")
    assert statuses(Quality.of(*rows(random, 3_000)), run={})["auc"] == "unknown"


def test_where_no_label_can_be_judged_it_says_why():
    found = Quality.of(*rows(np.random.default_rng(7), 300))
    assert which([NOW - DAY, NOW], found, 0, 28 * DAY) == "as of 2024-10-04"
    assert which([NOW], None, 0, 28 * DAY) == "no row has a label and is newer than its training, as of 2024-10-04"
    none = "no label is newer than its training yet, the first mature 28 days after 2024-10-04"
    assert which([], None, NOW, 28 * DAY) == none


def test_a_class_that_is_empty_rings_where_it_was_expected():
    label, probability, customer = rows(np.random.default_rng(8), 500)
    assert statuses(Quality.of(label * 0, probability, customer))["one_class"] == "alarm"
    assert statuses(Quality.of(label * 0 + 1, probability, customer))["one_class"] == "alarm"
    rare = statuses(Quality.of(label * 0, probability * 0.01, customer))
    assert rare == {"one_class": "unknown", "auc": "unknown", "calibration_slope": "unknown", "ece": "unknown"}


@pytest.mark.slow
def test_matured_labels_of_a_model_that_is_right_do_not_ring():
    """The training's own AUC is as uncertain as it says."""
    random, looks, rang = np.random.default_rng(9), 60, 0
    truth = np.mean([Quality.of(*rows(random, 2_000)).judged.auc.value for _ in range(10)])
    for _ in range(looks):
        then = truth + random.normal(0, 0.01)
        run = {"auc": then, "auc_low": then - 0.0196, "auc_high": then + 0.0196}
        rang += "alarm" in statuses(Quality.of(*rows(random, 800)), BARE, run).values()
    assert rang <= at_most(4 * LEVEL, looks)
