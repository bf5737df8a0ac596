"""Arrays decide what `decide` decides, customer by customer: verdicts, worth, distribution, draw and stages."""

from dataclasses import replace

import guard_worlds
import numpy as np
import pytest
from guard_worlds import moments
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.decisions.decide import decide
from serving.decisions.decision import Decision, Request, Scores
from serving.decisions.guard import Guard
from serving.decisions.many import Board, Crowd, decided
from serving.decisions.many import draw as codes
from serving.decisions.many.guard import passes
from serving.decisions.policy import Actions, ContactPolicy, Playbook

FACTORS = st.sampled_from([1.0, 0.5, 1.5])
TOLD = {
    codes.CHOSEN: "chosen",
    codes.WITHHELD: "withheld",
    codes.GUARD: "guard",
    codes.SCORE: "score",
    codes.HOLDOUT: "holdout",
    codes.EXPERIMENT: "experiment",
    codes.WORTH_LESS: "arbitration",
    codes.TOO_NEW: "arbitration",
    codes.NOT_DRAWN: "arbitration",
}


class Scaled:
    """Arms of which only the factor matters."""

    def __init__(self, factor):
        self.factor = factor


def guarded_alike(found, factors):
    """Moments of several worlds, each of which is a crowd of one customer at several instants."""
    for moment in found:
        board = Board.of(moment.world.playbook)
        nows = [moment.now, moment.now + guard_worlds.HOUR, moment.now + 3 * guard_worlds.DAY]
        customers = [guard_worlds.customer_of(moment.world, now) for now in nows]
        crowd = Crowd.packed(customers, board, nows, arms=[Scaled(factor) for factor in factors])
        passed, recent = passes(board, crowd)
        for i, (customer, now) in enumerate(zip(customers, nows, strict=True)):
            guard = Guard(customer, moment.world.playbook, now, "outbound", factors[i])
            alone = [not guard.trips(candidate) for candidate in board.candidates]
            assert passed[i].tolist() == alone
            assert recent[i] == guard.pressure()


@settings(max_examples=25, deadline=None)
@given(st.lists(moments(), min_size=1, max_size=2), st.tuples(FACTORS, FACTORS, FACTORS))
def test_the_guard_in_arrays(found, factors):
    guarded_alike(found, factors)


@pytest.mark.slow
@settings(max_examples=1_500, deadline=None)
@given(st.lists(moments(), min_size=1, max_size=2), st.tuples(FACTORS, FACTORS, FACTORS))
def test_the_guard_in_arrays_in_thousands_of_worlds(found, factors):
    guarded_alike(found, factors)


ARMS = [
    {"name": "random", "share": 0.2, "play": "random_eligible"},
    {"name": "plain", "share": 0.2, "play": "propensity_only"},
    {"name": "flat", "share": 0.2, "play": "no_levers"},
    {"name": "loose", "share": 0.1, "play": "looser_caps", "factor": 2},
    {"name": "none", "share": 0.2, "play": "nothing"},
]
LEVELS = {"levels": [{"share": 0.4, "factor": 0.5}, {"share": 0.4, "factor": 2}]}


@st.composite
def arbitrations(draw: st.DrawFn) -> dict[str, object]:
    """What a policy says beyond the guard: how to value, what to leave to chance."""
    return {
        "holdout": {"share": draw(st.sampled_from([0.0, 0.3]))},
        "withholding": {"share": draw(st.sampled_from([0.0, 0.02, 0.5, 1.0]))},
        "exploration": {
            "epsilon": draw(st.sampled_from([0.0, 0.02, 0.5, 1.0])),
            "method": draw(st.sampled_from(["epsilon", "epsilon", "thompson"])),
        },
        "maturity": draw(st.sampled_from([None, {"positives": 20}, {"positives": 7, "least": 0.5}])),
        "experiment": draw(st.sampled_from([None, {"arms": ARMS}])),
        "cap_levels": draw(st.sampled_from([None, LEVELS])),
        "increment": {"default": draw(st.sampled_from([0.0, 0.2, 1.0])), "groups": {"g": 0.3}},
        "harm": {"contact": draw(st.sampled_from([0.0, 0.5, 30.0])), "channels": {"phone": 1.0}},
        "fallback": {"propensity": draw(st.sampled_from([None, 0.4]))},
        "on_cap": draw(st.sampled_from(["drop", "defer"])),
    }


@st.composite
def asked(draw: st.DrawFn) -> tuple[Playbook, int, list, list, list, dict[str, int] | None]:
    """A policy, an instant, customers of one world under several names, P, learned U and learned harm of each treatment
    (None: nowhere), uniforms, positives."""
    moment = draw(moments())
    policy = moment.world.playbook.policy.model_dump(exclude_unset=True) | draw(arbitrations())
    levers = st.sampled_from([0.0, 0.5, 1.0, 2.0])
    actions = [
        each.model_dump(exclude_unset=True) | {"lever": draw(levers), "value": draw(st.sampled_from([0.0, 3.0, 9.0]))}
        for each in guard_worlds.ACTIONS.actions
    ]
    playbook = Playbook(Actions.model_validate({"actions": actions}), ContactPolicy.model_validate(policy))
    chance = st.none() | st.sampled_from([0.0, 1e-9, 0.1, 0.1, 1.0]) | st.floats(0, 1)
    number, width = draw(st.integers(1, 6)), len(Board.of(playbook))
    known = draw(st.booleans())
    chances = [[draw(chance) if known else 0.25 for _ in range(width)] for _ in range(number)]
    uniforms = [draw(st.floats(0, 1, exclude_max=True)) for _ in range(number)]
    counts = st.dictionaries(st.sampled_from("abc"), st.integers(0, 30))
    taught = [
        draw(st.none() | st.lists(st.lists(each, min_size=width, max_size=width), min_size=number, max_size=number))
        for each in (st.none() | st.floats(-1, 1), st.none() | st.floats(0, 5))
    ]
    given = chances, *taught
    return playbook, moment, given, uniforms, draw(st.none() | counts), draw(st.sets(st.sampled_from("abc")))


def matrix(rows):
    """float64[n, m], NaN for None."""
    return None if rows is None else np.array([[np.nan if v is None else v for v in row] for row in rows])


def decided_alike(question, dry_run):
    playbook, moment, (chances, uplifts, costs), uniforms, positives, spent = question
    board = Board.of(playbook, positives=positives)
    named = [f"C{i}-{uniform}" for i, uniform in enumerate(uniforms)]
    base = guard_worlds.customer_of(moment.world, moment.now)
    customers = [replace(base, customer_id=name, arm_id=name) for name in named]
    given, learned, harms = (matrix(rows) for rows in (chances, uplifts, costs))
    crowd = Crowd.packed(customers, board, [moment.now] * len(customers), [spent] * len(customers))
    found = decided(board, crowd, given, np.array(uniforms), learned=learned, value_all=dry_run, harms=harms)
    keys = [candidate.key for candidate in board.candidates]
    for i, (customer, uniform) in enumerate(zip(customers, uniforms, strict=True)):
        p, u, harm = (
            None if rows is None else model(dict(zip(keys, rows[i], strict=True))) for rows in (chances, uplifts, costs)
        )
        scores = Scores(propensity=p, uplift=u, harm=harm, positives=positives)
        request = Request(customer.customer_id, f"d{i}", dry_run=dry_run)
        alone = decide(request, customer, scores, playbook, moment.now, uniform, spent)
        same(alone, board, found, i)
    assert len(found.pick) == len(customers)


def model(place):
    return lambda many, *_: [place[each.key] for each in many]


def same(alone: Decision, board: Board, found: codes.Drawn, i: int) -> None:
    slot, candidates = alone.slots[0], board.candidates
    picked = slot.chosen or slot.ghost
    assert found.pick[i] == (-1 if picked is None else [each.key for each in candidates].index(picked.key))
    assert found.ghost[i] == (slot.ghost is not None)
    assert cells(board, found.cells, i) == [tuple(cell) for cell in slot.distribution]
    assert (found.meant is not None and bool(found.silent[i])) == (slot.intended is not None)
    if slot.intended is not None:
        assert cells(board, found.meant, i) == [tuple(cell) for cell in slot.intended]
    for j, fate in enumerate(slot.fates):
        assert TOLD[int(found.stage[i, j])] == fate.stage
        assert bool(found.scored[i, j]) == (fate.factors is not None)
        if fate.factors is not None:
            assert found.worth[i, j] == fate.factors.expected_value
            assert (found.p[i, j], found.u[i, j], found.harm[i, j]) == (
                fate.factors.p, fate.factors.u, fate.factors.harm,
            )  # fmt: skip
            assert (found.learned is not None and bool(found.learned[i, j])) == fate.factors.learned
            assert (found.harmed is not None and bool(found.harmed[i, j])) == fate.factors.harm_learned


def cells(board, of, i):
    """The distribution, cell by cell, as a decision logs it."""
    told = []
    for k in range(of.number[i]):
        j, chance = of.order[i, k], of.chance[i, k]
        for ghost, share in ((False, 1.0 - board.withheld[j]), (True, board.withheld[j])):
            if chance * share > 0.0:
                told.append((*board.candidates[j].key, ghost, chance * share))
    if of.silence[i] > 0.0 or not told:
        told.append((None, None, False, of.silence[i]))
    return told


@settings(max_examples=25, deadline=None)
@given(asked(), st.booleans())
def test_the_decision_in_arrays(question, dry_run):
    decided_alike(question, dry_run)


@pytest.mark.slow
@settings(max_examples=1_100, deadline=None)
@given(asked(), st.booleans())
def test_the_decision_in_arrays_in_thousands_of_worlds(question, dry_run):
    decided_alike(question, dry_run)
