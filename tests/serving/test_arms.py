"""Arms: sticky, drawn apart from each other, kept when identities merge, and never past consent."""

from collections import Counter
from dataclasses import replace

import pytest
from scipy.stats import chi2_contingency
from worlds import NOW, contact, flat, playbook, policy, profile_of, request

from features.clock import DAY, HOUR
from serving.decisions.arms import arms
from serving.decisions.candidate import Scores
from serving.decisions.customer import Customer
from serving.decisions.decide import decide
from serving.decisions.guard import judge_claim
from serving.decisions.policy import Actions, Playbook
from serving.decisions.profile import Told

EXPERIMENT = {
    "arms": [
        {"name": "random", "share": 0.2, "play": "random_eligible"},
        {"name": "quiet", "share": 0.1, "play": "nothing"},
    ]
}
LEVELS = {"levels": [{"share": 0.25, "factor": 0.5}, {"share": 0.25, "factor": 2.0}]}
WHOLE = {"holdout": {"share": 0.1}, "experiment": EXPERIMENT, "cap_levels": LEVELS, "challenger": {"share": 0.4}}


def only(play: str, **more: object) -> dict[str, object]:
    """Everybody is in this arm."""
    return {"experiment": {"arms": [{"name": "x", "share": 1.0, "play": play, **more}]}}


def answer(book: Playbook, scores: Scores | None = None, customer: Customer | None = None, **asked: object):
    return decide(request(**asked), customer or Customer("C1"), scores or flat(), book, NOW, 0.5)


def cells(decision) -> dict[str | None, float]:
    return {cell.action: cell.probability for cell in decision.distribution}


def test_shares_are_as_stated_and_arms_exclude_each_other():
    rules = policy(**WHOLE)
    found = [arms(f"customer-{i}", rules) for i in range(20_000)]
    counted = Counter(
        "holdout" if one.holdout == "holdout" else one.experiment.name if one.experiment is not None else one.cap_level
        for one in found
        if not one.challenger
    )
    assert counted["holdout"] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert counted["random"] / 20_000 == pytest.approx(0.9 * 0.2, abs=0.01)
    assert counted["quiet"] / 20_000 == pytest.approx(0.9 * 0.1, abs=0.01)
    assert counted[0.5] / 20_000 == pytest.approx(0.9 * 0.7 * 0.25, abs=0.01)
    assert counted[2.0] / 20_000 == pytest.approx(0.9 * 0.7 * 0.25, abs=0.01)
    assert counted[None] / 20_000 == pytest.approx(0.9 * 0.7 * 0.5 * 0.6, abs=0.01)
    assert sum(counted.values()) / 20_000 == pytest.approx(1 - 0.9 * 0.7 * 0.5 * 0.4, abs=0.01)


def test_salts_make_arms_that_know_nothing_of_each_other():
    one, other = policy(**WHOLE), policy(**WHOLE | {"experiment": EXPERIMENT | {"salt": "another"}})
    names = [f"customer-{i}" for i in range(20_000)]
    pairs = Counter((_named(arms(n, one)), _named(arms(n, other))) for n in names if arms(n, one).holdout == "treated")
    kinds = sorted({first for first, _ in pairs})
    assert chi2_contingency([[pairs[a, b] for b in kinds] for a in kinds]).pvalue > 0.001


def _named(of) -> str:
    return "none" if of.experiment is None else of.experiment.name


def test_a_merged_person_keeps_the_arm_of_the_id_that_was_decided_about_first():
    rules = policy(holdout={"share": 0.5})
    held = next(f"c{i}" for i in range(99) if arms(f"c{i}", rules).holdout == "holdout")
    treated = next(f"c{i}" for i in range(99) if arms(f"c{i}", rules).holdout == "treated")
    book = playbook(holdout={"share": 0.5})
    for first, arm in ((held, "holdout"), (treated, "treated")):
        for now_called in (held, treated):
            decision = decide(request(now_called), Customer(now_called, arm_id=first), flat(), book, NOW, 0.5)
            assert (decision.arm, decision.arm_id) == (arm, first)
            assert decision.as_dict()["arms"]["holdout"] == arm


def test_random_eligible_is_even_among_survivors():
    decision = answer(playbook(**only("random_eligible")))
    assert cells(decision) == pytest.approx(dict.fromkeys(["a", "b", "c", "help", "recall", "notice"], 1 / 6))


def test_propensity_only_and_no_levers_rank_by_something_else():
    actions = Actions.model_validate(
        {
            "actions": [
                {"name": "likely", "issue": "i", "group": "g", "channels": ["email"], "value": 1},
                {"name": "pushed", "issue": "i", "group": "g", "channels": ["email"], "value": 10, "lever": 99},
                {"name": "worthy", "issue": "i", "group": "g", "channels": ["email"], "value": 50},
            ]
        }
    )
    p = {"likely": 0.9, "pushed": 0.3, "worthy": 0.2}
    scores = Scores(propensity=lambda asked: [p[candidate.action.name] for candidate in asked])
    for play, best in ((None, "pushed"), ("propensity_only", "likely"), ("no_levers", "worthy")):
        changes = {} if play is None else only(play)
        decision = answer(Playbook(actions, playbook(**changes).policy), scores)
        assert decision.chosen is not None
        assert decision.chosen.action.name == best


def test_an_arm_that_sells_nothing_still_helps_and_says_what_it_missed():
    decision = answer(playbook(**only("nothing")))
    assert set(cells(decision)) <= {"help", "recall", "notice", None}
    assert {fate.stage for fate in decision.fates if fate.candidate.action.name in "abc"} == {"experiment"}
    assert decision.intended is not None
    assert decision.intended[0].action == "c"
    phone = answer(playbook(**only("nothing")), channel="phone")
    assert phone.reason == "silence: the customer is in an arm of an experiment that sells nothing"


CAP = {"caps": [{"scope": "total", "max": 2, "window": "7d"}]}


@pytest.mark.parametrize(
    ("changes", "contacts", "passes"),
    [
        ({}, 1, True),
        ({}, 2, False),
        (only("looser_caps", factor=2.0), 3, True),
        (only("looser_caps", factor=2.0), 4, False),
        ({"cap_levels": {"levels": [{"share": 1.0, "factor": 0.5}]}}, 1, False),
        ({"cap_levels": {"levels": [{"share": 1.0, "factor": 2.0}]}}, 3, True),
    ],
)
def test_arms_and_levels_scale_caps(changes, contacts, passes):
    customer = Customer("C1", contacts=tuple(contact(i, "sent", NOW - DAY) for i in range(contacts)))
    decision = answer(playbook(**CAP, **changes), customer=customer, channel="phone")
    assert (decision.chosen is not None) is passes


@pytest.mark.parametrize("play", ["random_eligible", "propensity_only", "no_levers", "looser_caps", "nothing"])
def test_no_arm_loosens_an_opt_out_or_an_open_case(play):
    told = [Told(1, NOW - DAY, "email", "inbound", "opted_out"), Told(2, NOW, "phone", "inbound", "complaint", "k1")]
    customer = replace(Customer("C1"), profile=profile_of(told))
    book = playbook(**only(play), exploration={"epsilon": 1.0})
    assert answer(book, customer=customer).distribution[0].action is None
    assert {cell.action for cell in answer(book, customer=customer, channel=None).distribution} <= {"help", None}


def test_who_turns_out_to_be_held_out_is_sold_nothing_that_was_reserved_before():
    """Two ids become one person: the first arm is kept, and the control group stays uncontacted."""
    held_out = playbook(holdout={"share": 1.0})
    for action, refused in (("a", ["holdout"]), ("help", [])):
        reserved = contact(1, "reserved", NOW - HOUR, action)
        customer = Customer("C1", contacts=(reserved,))
        assert judge_claim(customer, reserved, playbook(), NOW) == ()
        assert [trip.rule for trip in judge_claim(customer, reserved, held_out, NOW)] == refused
