"""The draw: what is logged is what happens, and the same number gives the same answer for ever."""

from collections import Counter
from dataclasses import replace

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
from serving.decisions.draw import Contender, distribution, draw, ranked
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


@pytest.mark.parametrize("uniform", [-0.1, 1.0, float("nan")])
def test_a_number_outside_zero_to_one_is_refused(uniform):
    with pytest.raises(ValueError, match="random number"):
        draw(distribution([], policy()), uniform)


def outcome(decision: Decision) -> tuple[str | None, bool]:
    picked = decision.chosen or decision.ghost
    return (picked.action.name if picked else None, decision.ghost is not None)


def test_one_hundred_thousand_draws_match_the_logged_distribution_guard_refusals_included():
    """Some candidates are refused by the guard: they have probability 0, and are never drawn."""
    book = playbook(**RANDOM, caps=[{"scope": "action", "name": "b", "max": 1, "window": "7d"}])
    refused = Customer("C1", contacts=(contact(1, "sent", NOW - DAY, "b"),))
    logged = decide(request(), refused, flat(), book, NOW, 0.5)
    cells = {(cell.action, cell.ghost): cell.probability for cell in logged.distribution}
    assert not any(action == "b" for action, _ in cells)
    assert {fate.candidate.action.name: fate.stage for fate in logged.fates}["b"] == "guard"

    uniforms = np.random.default_rng(7).random(100_000)
    drawn = Counter((cell.action, cell.ghost) for cell in (draw(logged.distribution, u) for u in uniforms))
    assert set(drawn) == set(cells)
    assert chisquare([drawn[key] for key in cells], [cells[key] * 100_000 for key in cells]).pvalue > 0.001

    # the whole of `decide`, not only its last step, on a sample of the same numbers
    whole = Counter(outcome(decide(request(), refused, flat(), book, NOW, u)) for u in uniforms[:4_000])
    assert chisquare([whole[key] for key in cells], [cells[key] * 4_000 for key in cells]).pvalue > 0.001


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
