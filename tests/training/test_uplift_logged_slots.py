"""Decisions of several slots teach what each action causes, though a slot left empty may show it after all."""

import numpy as np
import orjson
import pytest
import scipy.stats
from test_uplift_logged_history import START, cell, decision, happened, log, shop

from features.clock import DAY, isoformat
from features.history import History
from training.uplift.logged import clusters, decisions
from training.uplift.logged.decisions import NOTHING, OPEN, withheld
from training.uplift.logged.learn import folds, residual
from training.uplift.logged.outcomes import Events, Goal
from training.uplift.logged.pairs import pairs

WEB = "web"
EFFECT = {"coupon": 0.3, "trial": 0.0}
WITHHELD = 0.2


def cells(chances):
    """A slot's distribution: of each action so much, a share of it withheld; the rest is silence."""
    return [
        *(cell(name, p * share, WEB, ghost) for name, p in chances.items()
          for share, ghost in ((1 - WITHHELD, False), (WITHHELD, True))),
        cell(None, 1 - sum(chances.values())),
    ]  # fmt: skip


def drawn(of, number):
    """What a slot says of itself that drew cell `number`."""
    answer = of[number]
    return {
        "action": None if answer["ghost"] else answer["action"],
        "treatment_channel": None if answer["ghost"] else answer["channel"],
        "ghost": answer["action"] if answer["ghost"] else None,
        "ghost_channel": answer["channel"] if answer["ghost"] else None,
        "distribution": of,
    }


def page(number, person, at, slots):
    """A logged decision of several slots, each (its cells, the place drawn)."""
    first, *others = [drawn(*slot) for slot in slots]
    told = first | {"decision_id": f"d{number}", "at": isoformat(at), "customer_id": person, "more_slots": others}
    return decision(
        number, person, at, slots[0][1], slots[0][0], slots=len(slots), document=orjson.dumps(told).decode()
    )


TWO = [cells({"coupon": 0.5, "trial": 0.25}), cells({"coupon": 0.75}), cells({"trial": 0.75})]


@pytest.fixture
def pages(tmp_path):
    workspace = shop(tmp_path / "shop")
    log(workspace, [
        page(0, "a", START, [(TWO[0], 0), (TWO[2], 4 - 2)]),  # coupon, then silence
        page(1, "b", START + 1, [(TWO[0], 1), (TWO[2], 0)]),  # the coupon withheld, then trial
        page(2, "c", START + 2, [(TWO[0], 4), (TWO[1], 0)]),  # silence, then the coupon after all
        page(3, "d", START + 3, [(TWO[0], 3), (TWO[1], 1)]),  # trial withheld, then the coupon, too
        decision(4, "e", START + 4, 4, TWO[0]),
    ])  # fmt: skip
    happened(workspace, [("a", "purchase", START + DAY), ("late", "page_view", START + 40 * DAY)])
    return workspace


def test_each_slot_is_a_decision_and_only_the_last_ones_silence_is_nothing(pages):
    found = decisions.read(pages)
    assert found.treatments == (("coupon", WEB), ("trial", WEB))
    assert found.customer.tolist() == ["a", "a", "b", "b", "c", "c", "d", "d", "e"]
    coupon, trial = 0, 1
    assert found.drawn.tolist() == [
        coupon, NOTHING, withheld(coupon), trial, OPEN, coupon, withheld(trial), NOTHING, NOTHING
    ]  # fmt: skip
    assert found.nothing == pytest.approx([0, 0.4, 0, 0.4, 0, 0.4, 0, 0.4, 0.4])
    assert found.chance_of([coupon]) == pytest.approx([0.4, 0, 0.4, 0, 0.4, 0.6, 0.4, 0.6, 0.4])
    assert found.left_out == {}
    usable, left = np.ones(len(found), bool), np.zeros(len(found))
    of = pairs(found, [coupon], left, usable)
    # the first slots of a and b: shown against withheld; the last ones of c and d, and e, against all that is nothing
    assert of.row.tolist() == [0, 2, 5, 7, 8]
    assert of.treated.tolist() == [True, False, True, False, False]
    assert of.chance == pytest.approx([0.8, 0.8, 0.6, 0.6, 0.5])


def sold(workspace, number, seed):
    """Customers who saw pages of two slots; the coupon, in either, makes more of them buy, the trial makes nobody."""
    rng = np.random.default_rng(seed)
    rows, events = [], [("late", "page_view", START + 40 * DAY)]
    for who in range(number):
        first = int(rng.choice(5, p=[each["probability"] for each in TWO[0]]))
        taken = TWO[0][first]["action"]
        then = TWO[2] if taken == "coupon" else TWO[1]
        second = int(rng.choice(3, p=[each["probability"] for each in then]))
        rows.append(page(f"{seed}-{who}", f"c{who}", START + who, [(TWO[0], first), (then, second)]))
        shown = {each["action"] for each in (TWO[0][first], then[second]) if not each["ghost"]}
        if rng.random() < 0.2 + sum(EFFECT[name] for name in shown if name):
            events.append((f"c{who}", "purchase", START + who + DAY))
    log(workspace, rows)
    happened(workspace, events)
    return workspace


def effects(workspace):
    """By action, the interval of its mean effect."""
    found, goal = decisions.read(workspace), Goal(("purchase",), 3 * DAY)
    came = Events(History(workspace), found, workspace.settings).outcome(found, goal)
    everyone = np.ones(len(found), bool)
    left = residual(np.zeros((len(found), 0)), came.reached, folds(found.person), everyone)
    of = {name: pairs(found, [k], left, everyone) for k, (name, _) in enumerate(found.treatments)}
    return {name: clusters.mean(one.score, one.weight, one.person) for name, one in of.items()}, found, came


def test_what_a_later_slot_shows_after_all_does_not_hide_the_effect(tmp_path):
    """Whoever saw no coupon in the first slot mostly saw it in the second: compared by first slots alone, it seems to
    do half of what it does."""
    estimates, found, came = effects(sold(shop(tmp_path / "shop"), 3_000, seed=1))
    assert estimates["coupon"].value == pytest.approx(EFFECT["coupon"], abs=4 * estimates["coupon"].error)
    assert estimates["trial"].value == pytest.approx(EFFECT["trial"], abs=4 * estimates["trial"].error)
    assert max(each.error for each in estimates.values()) < 0.03
    first = np.arange(0, len(found), 2)
    shown, empty = found.drawn[first] == 0, found.drawn[first] == OPEN
    naive = came.reached[first][shown].mean() - came.reached[first][empty].mean()
    assert naive < EFFECT["coupon"] - 4 * estimates["coupon"].error


@pytest.mark.slow
def test_intervals_hold_the_truth_over_many_logs(tmp_path):
    held = dict.fromkeys(EFFECT, 0)
    for seed in range(100):
        estimates, *_ = effects(sold(shop(tmp_path / str(seed)), 400, seed))
        for name, true in EFFECT.items():
            held[name] += estimates[name].interval.low <= true <= estimates[name].interval.high
    for number in held.values():
        assert scipy.stats.binomtest(number, 100, 0.95).pvalue > 0.01
