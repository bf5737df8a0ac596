"""The draw: what is logged is what happens, and the same number gives the same answer for ever."""

import math
from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest
from worlds import ACTIONS, NOW, contact, flat, playbook, policy, profile_of, request

from features.clock import DAY
from serving.decisions import holdout
from serving.decisions.customer import Customer
from serving.decisions.decide import decide
from serving.decisions.decision import Candidate, Decision
from serving.decisions.draw import Contender, _values, distribution, doubtful, draw, ranked
from serving.decisions.profile import Told

RANDOM = {"exploration": {"epsilon": 0.3}, "withholding": {"share": 0.2}}


def contenders(*worths: float, **more: object) -> list[Contender]:
    names = ["c", "b", "a", "help"]
    return ranked(
        [
            Contender(Candidate(ACTIONS.by_name[name], "email"), worth, **more)
            for name, worth in zip(names, worths, strict=False)
        ]
    )


@given(
    worths=st.lists(st.floats(-5, 5), max_size=4),
    epsilon=st.floats(0, 1),
    share=st.floats(0, 1),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_a_distribution_sums_to_one_and_answers_every_number(worths, epsilon, share, uniform):
    cells = distribution(contenders(*worths), policy(exploration={"epsilon": epsilon}, withholding={"share": share}))
    assert sum(cell.probability for cell in cells) == pytest.approx(1.0)
    assert all(cell.probability > 0 for cell in cells)
    assert draw(cells, uniform) in cells


def test_greedy_without_chance_and_silence_where_nothing_pays():
    assert [(cell.action, cell.probability) for cell in distribution(contenders(1.0, 3.0), policy())] == [("b", 1.0)]
    assert [cell.action for cell in distribution(contenders(-1.0, 0.0), policy())] == [None]
    assert [cell.action for cell in distribution([], policy(**RANDOM))] == [None]


def test_exploration_is_even_among_survivors_and_silence_and_service_is_never_withheld():
    cells = {(c.action, c.ghost): c.probability for c in distribution(contenders(3.0, 2.0, 1.0, 0.5), policy(**RANDOM))}
    each = 0.3 / 5
    assert cells == pytest.approx(
        {
            ("c", False): (0.7 + each) * 0.8,
            ("c", True): (0.7 + each) * 0.2,
            ("b", False): each * 0.8,
            ("b", True): each * 0.2,
            ("a", False): each * 0.8,
            ("a", True): each * 0.2,
            ("help", False): each,
            (None, False): each,
        }
    )


def test_a_new_action_takes_part_in_few_draws_and_the_next_best_has_the_rest():
    found = [one._replace(ramp=ramp) for one, ramp in zip(contenders(3.0, 2.0, 1.0), (0.1, 0.5, 1.0), strict=True)]
    cells = {cell.action: cell.probability for cell in distribution(found, policy())}
    assert cells == pytest.approx({"c": 0.1, "b": 0.9 * 0.5, "a": 0.9 * 0.5})
    alone = {cell.action: cell.probability for cell in distribution(found[:1], policy())}
    assert alone == pytest.approx({"c": 0.1, None: 0.9})


def test_maturity_follows_the_responses_that_the_model_learned_from():
    book = playbook(maturity={"positives": 200, "least": 0.05})
    for positives, share in (({}, 0.05), ({"c": 50}, 0.25), ({"c": 500}, 1.0), (None, 1.0)):
        scores = replace(flat(), positives=None if positives is None else {"a": 500, "b": 500} | positives)
        decision = decide(request(channel="phone"), Customer("C1"), scores, book, NOW, 0.999)
        cells = {cell.action: cell.probability for cell in decision.distribution}
        assert cells["c"] == pytest.approx(share)
        assert decision.fates[-1].factors.positives == (None if positives is None else positives.get("c", 0))


THOMPSON = {"exploration": {"method": "thompson", "epsilon": 0.0}}
crowded = st.lists(
    st.builds(
        Contender,
        st.just(Candidate(ACTIONS.by_name["c"], "email")),
        gain=st.floats(0, 5),
        fixed=st.floats(0, 3),
        shape=st.floats(0.5, 500) | st.none(),
        most=st.floats(1, 3) | st.none(),
        ramp=st.floats(0.05, 1),
        first=st.booleans(),
    ),
    min_size=1,
    max_size=3,
).map(ranked)


@given(crowded)
def test_thompson_states_the_chance_that_each_is_best_as_counting_every_case_does(found):
    """By brute force: every value of every contender, taking part or not, one winner in each case."""
    wins, silence = doubtful(found)
    values = [_values(one)[::8] for one in found]  # every eighth value, so that all cases can be counted
    few, few_silence = _by_hand(found, values)
    coarse_wins, coarse_silence = doubtful(found, values=np.array(values))
    assert [*coarse_wins, coarse_silence] == pytest.approx([*few, few_silence], abs=1e-9)
    assert sum(wins) + silence == pytest.approx(1.0, abs=1e-9)
    assert all(-1e-12 <= chance <= 1 + 1e-12 for chance in [*wins, silence])


def _by_hand(found: list[Contender], values: list[np.ndarray]) -> tuple[list[float], float]:
    wins, silence = [0.0] * len(found), 0.0
    cases = [[(1 - one.ramp, None)] + [(one.ramp / len(v), x) for x in v] for one, v in zip(found, values, strict=True)]
    for case in product(*cases):
        chance = math.prod(weight for weight, _ in case)
        playing = [(one.first, x, -i) for i, (one, (_, x)) in enumerate(zip(found, case, strict=True)) if x is not None]
        first, best, place = max(playing, default=(False, 0.0, 0))
        if not playing or (best <= 0.0 and not first):
            silence += chance
        else:
            wins[-place] += chance
    return wins, silence


def test_thompson_agrees_with_sampling_from_the_models_doubt():
    """The discrete values stand for gamma distributions: sampling those gives the same answer to a percent."""
    found = ranked(
        [
            Contender(Candidate(ACTIONS.by_name["a"], "email"), 2.0, 0.5, shape=4.0),
            Contender(Candidate(ACTIONS.by_name["b"], "email"), 1.8, 1.7, shape=60.0),
            Contender(Candidate(ACTIONS.by_name["c"], "email"), 0.5, 0.6, shape=1.0),
        ]
    )
    random = np.random.default_rng(3)
    sampled = np.array([one.gain * random.gamma(one.shape, 1 / one.shape, 400_000) - one.fixed for one in found])
    best = np.where(sampled.max(axis=0) > 0, sampled.argmax(axis=0), len(found))
    expected = np.bincount(best, minlength=4) / 400_000
    cells = distribution(found, policy(**THOMPSON))
    stated = {cell.action: cell.probability for cell in cells}
    assert [stated[one.candidate.action.name] for one in found] == pytest.approx(expected[:3], abs=0.02)
    assert stated[None] == pytest.approx(expected[3], abs=0.02)


def test_thompson_explores_what_the_model_knows_little_about():
    def chance(positives: int) -> float:
        scores = replace(flat(), positives={"a": 2_000, "b": positives, "c": 2_000})
        decision = decide(request(), Customer("C1"), scores, playbook(**THOMPSON), NOW, 0.5)
        return {cell.action: cell.probability for cell in decision.distribution}.get("b", 0.0)

    chances = [chance(positives) for positives in (0, 10, 100, 2_000)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.1
    assert chances[-1] < 1e-6


@pytest.mark.parametrize("uniform", [-0.1, 1.0, float("nan")])
def test_a_number_outside_zero_to_one_is_refused(uniform):
    with pytest.raises(ValueError, match="random number"):
        draw(distribution([], policy()), uniform)


def outcome(decision: Decision) -> tuple[str | None, bool]:
    picked = decision.chosen or decision.ghost
    return (picked.action.name if picked else None, decision.ghost is not None)


ARM = {"experiment": {"arms": [{"name": "x", "share": 1.0, "play": "random_eligible"}]}}


@pytest.mark.parametrize(
    "changes",
    [{}, {"exploration": {"method": "thompson", "epsilon": 0.1}}, {"maturity": {"positives": 200, "least": 0.05}}, ARM],
)
def test_one_hundred_thousand_draws_match_the_logged_distribution_guard_refusals_included(changes):
    """Some candidates are refused by the guard: they have probability 0, and are never drawn."""
    book = playbook(**RANDOM | changes, caps=[{"scope": "action", "name": "b", "max": 1, "window": "7d"}])
    refused = Customer("C1", contacts=(contact(1, "sent", NOW - DAY, "b"),))
    scores = replace(flat(), positives={"a": 20, "c": 5, "help": 300})
    logged = decide(request(), refused, scores, book, NOW, 0.5)
    cells = {(cell.action, cell.ghost): cell.probability for cell in logged.distribution}
    assert not any(action == "b" for action, _ in cells)
    assert {fate.candidate.action.name: fate.stage for fate in logged.fates}["b"] == "guard"

    uniforms = np.random.default_rng(7).random(100_000)
    drawn = Counter((cell.action, cell.ghost) for cell in (draw(logged.distribution, u) for u in uniforms))
    assert set(drawn) == set(cells)
    assert chisquare([drawn[key] for key in cells], [cells[key] * 100_000 for key in cells]).pvalue > 0.001

    # the whole of `decide`, not only its last step, on a sample of the same numbers
    whole = Counter(outcome(decide(request(), refused, scores, book, NOW, u)) for u in uniforms[:2_000])
    assert chisquare([whole[key] for key in cells], [cells[key] * 2_000 for key in cells]).pvalue > 0.001


def test_the_same_number_gives_the_same_answer():
    book = playbook(**RANDOM)
    for uniform in np.random.default_rng(1).random(200):
        first, again = (decide(request(), Customer("C1"), flat(), book, NOW, float(uniform)) for _ in range(2))
        assert first.as_dict() == again.as_dict()


def test_the_holdout_is_sticky_uniform_and_grows_without_losing_anyone():
    customers = [f"customer-{i}" for i in range(20_000)]
    assert kstest([holdout.position(c, "salt") for c in customers], "uniform").pvalue > 0.001
    five = {c for c in customers if holdout.arm(c, "salt", 0.05) == "holdout"}
    ten = {c for c in customers if holdout.arm(c, "salt", 0.10) == "holdout"}
    assert five < ten
    assert 850 < len(five) < 1150
    other = {c for c in customers if holdout.arm(c, "other", 0.05) == "holdout"}
    assert len(five & other) < 120  # another salt draws another holdout


def test_the_holdout_is_not_sold_to_but_is_helped_and_what_it_missed_is_logged():
    book = playbook(holdout={"share": 1.0}, **RANDOM)
    decision = decide(request(), Customer("C1"), flat(), book, NOW, 0.1)
    assert decision.arm == "holdout"
    assert {cell.action for cell in decision.distribution} <= {"help", "recall", "notice", None}
    assert {"a", "b", "c"} <= {cell.action for cell in decision.intended}
    stages = {fate.candidate.action.name: fate.stage for fate in decision.fates}
    assert {stages[name] for name in "abc"} == {"holdout"}
    phone = decide(request(channel="phone"), Customer("C1"), flat(), book, NOW, 0.1)
    assert phone.chosen is None
    assert phone.contact is None
    assert "held out" in phone.reason


def test_a_withheld_action_is_a_ghost_without_a_contact():
    book = playbook(withholding={"share": 1.0})
    decision = decide(request(channel="phone"), Customer("C1"), flat(), book, NOW, 0.4)
    assert decision.chosen is None
    assert decision.ghost is not None
    assert decision.contact is None
    assert decision.as_dict()["ghost"] == "c"
    assert "withheld" in decision.reason


@given(uniform=st.floats(0, 1, exclude_max=True), rows=st.integers(0, 1))
def test_no_arm_ever_loosens_an_opt_out(uniform, rows):
    out = [Told(1, NOW - DAY, "email", "inbound", "opted_out"), Told(2, NOW - DAY, "email", "inbound", "complained")]
    customer = replace(Customer("C1"), profile=profile_of(out[rows:]))
    decision = decide(request(), customer, flat(), playbook(**RANDOM), NOW, uniform)
    assert decision.chosen is None
    assert decision.ghost is None
    assert all(fate.probability == 0 for fate in decision.fates)
