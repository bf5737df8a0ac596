"""The look at models of effects: who decisions since are about, and whether effects came true."""

from types import SimpleNamespace

import numpy as np
import pytest
from logged_world import GOAL, world
from test_uplift_logged_history import CELLS, START, decision, happened, log, shop

from features.clock import DAY
from features.workspace import Monitor, Workspace, WorkspaceError
from serving.decisions.effects import Arm, Constant, Linear, Model, Value
from training.evaluate import Interval
from training.monitor import effects, fatigue, uplift
from training.monitor.found import Found
from training.monitor.look import monitor
from training.monitor.reference import SCORE, WEEK, Reference
from training.monitor.uplift import slope_of
from training.uplift.logged import train as trains
from training.uplift.logged.pairs import pairs

NAMES = ["visits", "money", "idle"]


def compared(of, later):
    return {
        k: pairs(of.decisions, [k], of.residual[GOAL], later)
        for k in range(len(of.decisions.treatments))
        if (of.decisions.drawn == k).any()
    }


def test_the_slope_says_how_many_times_what_was_foretold_effects_are():
    of, true, _, later = world(persons=3000, seed=1)
    right = slope_of(compared(of, later), true)
    assert right.interval.low < 1 < right.interval.high
    assert right.error < 0.25
    doubled = slope_of(compared(of, later), 2 * true)
    assert doubled.value == pytest.approx(right.value / 2)
    assert slope_of({}, true).error == np.inf


@pytest.mark.slow
def test_the_interval_of_the_slope_holds_one_where_effects_are_as_foretold():
    held, rang = 0, 0
    for seed in range(100):
        of, true, _, later = world(persons=500, seed=seed)
        found, told = slope_of(compared(of, later), true), Found("uplift")
        effects.slope(told, found.interval, 1, "since", Monitor())
        held += found.interval.low < 1 < found.interval.high
        rang += told.checks[0].status == "alarm"
    assert 89 <= held <= 99  # 95 of 100, within four standard errors below
    assert rang == 0


@pytest.mark.parametrize(
    ("of", "status"),
    [
        (Interval(1.1, 0.9, 1.3), "well"),
        (Interval(0.1, -0.1, 0.3), "alarm"),
        (Interval(3.0, 2.8, 3.2), "alarm"),
        (Interval(0.1, -0.5, 0.7), "unknown"),
        (Interval(0.0, float("-inf"), float("inf")), "unknown"),
        (Interval(float("nan"), float("-inf"), float("inf")), "unknown"),
    ],
)
def test_it_rings_only_where_effects_are_surely_not_as_foretold(of, status):
    found = Found("uplift")
    effects.slope(found, of, 1000, "since", Monitor())
    assert [(each.check, each.status) for each in found.checks] == [("effect_slope", status)]
    assert "inf" not in found.checks[0].sentence
    assert "nan" not in found.checks[0].sentence


def taught():
    """U by e-mail grows with visits and hardly with money, by phone it is alike for all; `idle` is asked about by none.

    With it decisions of ten weeks, 300 a week, and what the model says of them.
    """
    inputs = [Value("visits", 0.0, -3.0, 3.0), Value("money", 0.0, -3.0, 3.0)]
    arms = [Arm("a", "email", Linear(np.array([0.1, 0.05, 0.001]))), Arm("a", "phone", Constant(0.2, 0.1))]
    model = Model("uplift", "responses", inputs, arms, 7, "c")
    random = np.random.default_rng(0)
    at = np.sort(random.integers(0, 10 * WEEK, 3000))
    values = random.normal(size=(3000, 3))
    bound = model.bind(NAMES, {})
    return model, bound, effects.asked(model, bound, at, values)


def test_what_a_run_keeps_are_the_features_that_effects_ask_about_and_what_arms_say():
    model, bound, said = taught()
    kept = effects.reference(model, bound, said, NAMES, 7 * WEEK)
    assert list(kept.columns) == ["visits", "money", f"{SCORE} a on email"]
    assert kept.columns["visits"].gain > 0.9
    assert kept.columns["visits"].gain + kept.columns["money"].gain == pytest.approx(1.0, abs=1e-5)
    assert Reference.read(kept.text(), "run") == kept
    assert [weeks for weeks, _ in kept.columns["visits"].wander] == list(range(1, 8))


@pytest.mark.parametrize(("name", "rings"), [(None, []), ("visits", ["drift", "score_drift"]), ("idle", [])])
def test_decisions_about_other_customers_ring_where_effects_ask_what_changed(name, rings):
    model, bound, said = taught()
    kept = effects.reference(model, bound, said, NAMES, 7 * WEEK)
    random = np.random.default_rng(1)
    values = random.normal(size=(1500, 3))
    if name is not None:
        values[:, NAMES.index(name)] += 1.5
    at = np.sort(random.integers(kept.until + 1, kept.until + 5 * WEEK, 1500))
    found = Found("uplift")
    effects.drifts(found, kept, effects.asked(model, bound, at, values), NAMES, Monitor())
    assert [each.check for each in found.checks if each.status == "alarm"] == rings
    assert [each.check for each in found.checks] == ["drift", "score_drift"]
    assert [each.feature for each in found.features if each.drifted] == (["visits"] if rings else [])
    assert len(found.looks) == 5


def test_effects_that_are_alike_for_all_cannot_drift_and_a_lost_feature_is_named():
    model = Model("uplift", "responses", [], [Arm("a", "email", Constant(0.1, 0.1))], 7, "c")
    bound, at = model.bind(NAMES, {}), np.arange(300) * WEEK // 30
    said = effects.asked(model, bound, at, np.zeros((300, 3)))
    found = Found("uplift")
    effects.drifts(found, effects.reference(model, bound, said, NAMES, 7 * WEEK), said, NAMES, Monitor())
    assert [(each.check, each.status) for each in found.checks] == [("drift", "well")]
    with pytest.raises(WorkspaceError, match="features that are gone: money"):
        effects.effects_of(taught()[0], ["visits", "idle"], {})


def looked(look_at, workspace, monkeypatch):
    """What a look says where a champion's run is as it should be."""
    registry, champion = SimpleNamespace(), SimpleNamespace(name="harm", run_id="r")
    monkeypatch.setattr(look_at, "kept", lambda *_: SimpleNamespace(until=START))
    monkeypatch.setattr(look_at.effects, "effects_of", lambda *_: None)
    for name, told in (("_logged", (None, {})), ("read_model", None)):
        monkeypatch.setattr(look_at, name, lambda *_, told=told: told, raising=False)
    return [(one.status, one.sentence) for one in look_at.look(workspace, registry, champion, START + DAY).checks]


@pytest.mark.parametrize("look_at", [fatigue, uplift])
def test_no_decisions_are_unknown_and_decisions_that_cannot_be_read_ring(tmp_path, monkeypatch, look_at):
    workspace = shop(tmp_path / "shop")
    [(status, sentence)] = looked(look_at, workspace, monkeypatch)
    assert (status, sentence[:23]) == ("unknown", "harm: no decision since")
    log(workspace, [decision("d", "c", START + 60_000_000, 0, CELLS)])  # and what it caused is nowhere
    workspace.policy_file.write_text("caps: [oops\n")
    [(status, sentence)] = looked(look_at, workspace, monkeypatch)
    assert status == "alarm"
    assert sentence.startswith("harm: decisions since its training cannot be read: ")
    assert ("contact_policy.yaml" if look_at is fatigue else "holds no interactions") in sentence


def weeks(workspace, first, works, seed, customers=900):
    """Four weeks of decisions about customers from week `first` on; the coupon by e-mail `works`, or does nothing."""
    random, rows, events = np.random.default_rng(seed), [], []
    for week in range(first, first + 4):
        for who in range(customers):
            at = START + 7 * week * DAY + who
            drawn = int(random.choice(4, p=[each["probability"] for each in CELLS]))
            rows.append(decision(f"{week}-{who}", f"c{who}", at, drawn, CELLS))
            if random.random() < (0.6 if drawn == 0 and works else 0.1):
                events.append((f"c{who}", "purchase", at + DAY))
    log(workspace, rows)
    late = START + (7 * (first + 4) + 12) * DAY
    happened(workspace, [*events, (f"late{first}", "page_view", late)])
    return late


@pytest.mark.slow
@pytest.mark.parametrize(("works", "status"), [(True, "well"), (False, "alarm")])
def test_effects_that_went_away_ring_and_those_that_stay_do_not(tmp_path, works, status):
    workspace = shop(tmp_path / "shop")
    weeks(workspace, 0, True, 0)
    trains.train(workspace)
    before = monitor(workspace, START + 28 * DAY)
    told = {each.check: each for each in before.checks if each.subject == "uplift"}
    assert {each.status for each in told.values()} == {"unknown"}
    assert told["model"].sentence.startswith("uplift: no decision since 2026-03-2")
    late = weeks(workspace, 4, works, 1)
    report = monitor(Workspace.open(workspace.folder), late + 1)
    assert report.models["uplift"] == "1"
    told = {each.check: each for each in report.checks if each.subject == "uplift"}
    assert told["effect_slope"].status == status
    assert told["effect_slope"].value == pytest.approx(1.0 if works else 0.0, abs=0.25)
