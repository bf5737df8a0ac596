"""One decision: order of stages, expected value, every candidate's fate, and a log from which it can be replayed."""

import orjson
import pytest
from worlds import NOW, contact, flat, playbook, request

from features import clock
from features.clock import DAY, HOUR
from serving.decisions.customer import Customer
from serving.decisions.decide import decide
from serving.decisions.decision import Scores
from serving.decisions.policy import Actions, Playbook


def test_expected_value_is_c_v_u_l_minus_cost_minus_harm():
    actions = Actions.model_validate(
        {
            "actions": [
                {
                    "name": "x",
                    "issue": "grow",
                    "group": "g",
                    "value": 40,
                    "lever": 1.5,
                    "channels": {"email": {"cost": 0.25, "weight": 2.0}},
                }
            ]
        }
    )
    given = playbook(
        increment={"default": 0.1, "groups": {"g": 0.3}},
        harm={"contact": 0.1, "channels": {"email": 0.2}, "rising": 0.5, "recent": "7d"},
    ).policy
    customer = Customer("C1", contacts=(contact(1, "sent", NOW - DAY), contact(2, "sent", NOW - 8 * DAY)))
    decision = decide(request(), customer, flat(0.2), Playbook(actions, given), NOW, 0.5)
    factors = decision.fates[0].factors
    assert factors is not None
    assert factors.u == pytest.approx(0.2 * 0.3)
    assert factors.harm == pytest.approx(0.2 * 1.5)  # one contact in the last seven days
    assert factors.expected_value == pytest.approx(2.0 * 40 * 0.06 * 1.5 - 0.25 - 0.3)
    inbound = decide(request(direction="inbound"), customer, flat(0.2), Playbook(actions, given), NOW, 0.5)
    assert inbound.fates[0].factors is not None
    assert inbound.fates[0].factors.harm == 0.0
    assert inbound.contact is None


def test_every_candidate_has_a_fate():
    actions = Actions.model_validate(
        {
            "actions": [
                {"name": name, "issue": "grow", "group": "g", "channels": ["email"], "value": value, **rule}
                for name, value, rule in [
                    ("best", 50, {}),
                    ("second", 40, {}),
                    ("worthless", 0, {}),
                    ("barred", 90, {"eligible": "features.age >= 18.0"}),
                    ("unfit", 90, {"applicable": "scores.churn > 0.5"}),
                    ("unkind", 90, {"suitable": "!(context.page == 'complaint')"}),
                    ("tired", 90, {}),
                ]
            ]
        }
    )
    book = Playbook(actions, playbook(caps=[{"scope": "action", "name": "tired", "max": 0, "window": "1d"}]).policy)
    scores = Scores(features={"age": 17.0}, churn=0.2, propensity=lambda cs: [0.5] * len(cs))
    decision = decide(request(context={"page": "complaint"}), Customer("C1"), scores, book, NOW, 0.5)
    stages = {fate.candidate.action.name: fate.stage for fate in decision.fates}
    assert stages == {
        "best": "chosen",
        "second": "arbitration",
        "worthless": "arbitration",
        "barred": "eligible",
        "unfit": "applicable",
        "unkind": "suitable",
        "tired": "guard",
    }
    reasons = {fate.candidate.action.name: fate.reason for fate in decision.fates}
    assert reasons["barred"] == "not eligible: `features.age >= 18.0` is false"
    assert reasons["worthless"] == "worth less than silence"


def test_only_survivors_are_scored():
    asked = []

    def propensity(candidates):
        asked.extend(candidate.key for candidate in candidates)
        return [0.5] * len(candidates)

    book = playbook(caps=[{"scope": "group", "name": "g", "max": 0, "window": "1d"}])
    decide(request(channel="phone"), Customer("C1"), Scores(propensity=propensity), book, NOW, 0.5)
    assert asked == [("c", "phone")]


def test_without_a_model_the_stated_fallback_or_a_refusal():
    silent = decide(request(), Customer("C1"), Scores(), playbook(fallback={}), NOW, 0.5)
    assert silent.chosen is None
    assert {fate.stage for fate in silent.fates} == {"score"}
    stated = decide(request(), Customer("C1"), Scores(), playbook(fallback={"propensity": 0.5}), NOW, 0.5)
    assert stated.chosen is not None


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("features.missing > 1.0", "'missing' is not there"),
        ("features.unknown > 1.0", "do not go together, such as a null and a number"),
        ("features.age", "gives 17.0, not true or false"),
        ("context.page == 'x'", "'page' is not there"),
    ],
)
def test_a_rule_that_cannot_be_answered_is_a_no(rule, why):
    actions = Actions.model_validate(
        {"actions": [{"name": "x", "issue": "i", "group": "g", "channels": ["email"], "value": 9, "eligible": rule}]}
    )
    scores = Scores(features={"age": 17.0, "unknown": None})
    decision = decide(request(), Customer("C1"), scores, Playbook(actions, playbook().policy), NOW, 0.5)
    assert decision.chosen is None
    assert why in decision.fates[0].reason


def test_outbound_reserves_a_contact_that_expires_and_inbound_does_not():
    book = playbook(reservation={"expires": "2h"})
    decision = decide(request(), Customer("C1", version=7), flat(), book, NOW, 0.5)
    assert decision.judged_version == 7
    assert decision.contact is not None
    assert (decision.contact.reserved_at, decision.contact.expires_at) == (NOW, NOW + 2 * HOUR)
    assert decide(request(direction="inbound"), Customer("C1"), flat(), book, NOW, 0.5).contact is None


def test_the_answer_is_named_as_people_say_it():
    """A title may end in a question mark, and channels have names of their own in the files."""
    action = {"name": "refill", "title": "Time for a refill?", "issue": "i", "group": "g", "value": 9}
    actions = Actions.model_validate({"actions": [action | {"channels": ["mobile_app"]}]})
    book = Playbook(actions, playbook().policy)
    decision = decide(request(channel="mobile_app"), Customer("C1"), flat(), book, NOW, 0.5)
    assert decision.chosen is not None
    assert decision.reason == "“Time for a refill?” in the mobile app"


def test_nothing_on_this_channel_is_a_proper_answer():
    decision = decide(request(channel="smoke_signals"), Customer("C1"), flat(), playbook(), NOW, 0.5)
    assert decision.as_dict()["action"] is None
    assert decision.reason == "silence: no action is offered on this channel"


def test_without_a_channel_every_channel_is_considered():
    decision = decide(request(channel=None), Customer("C1"), flat(), playbook(), NOW, 0.5)
    assert {fate.candidate.channel for fate in decision.fates} == {"email", "phone", "web"}


def test_the_log_holds_what_a_replay_needs():
    scores = Scores(
        churn=0.25, propensity=lambda cs: [0.5] * len(cs), logged={"features": [1.0, None], "models": {"churn": "3"}}
    )
    asked = request(request_id="r1", context={"page": "home"})
    decision = decide(asked, Customer("C1"), scores, playbook(), NOW, 0.25)
    logged = orjson.loads(decision.to_bytes())
    assert logged["uniform"] == 0.25
    assert logged["policy_version"] == playbook().version
    assert logged["features"] == [1.0, None]
    assert logged["models"] == {"churn": "3"}
    assert logged["context"] == {"page": "home"}
    assert sum(cell["probability"] for cell in logged["distribution"]) == pytest.approx(1)
    assert len(logged["candidates"]) == len(decision.fates)


def test_a_fingerprint_tells_a_retry_from_another_question():
    first = request(request_id="r1", context={"a": 1, "b": 2})
    assert first.fingerprint == request(number=9, request_id="r1", context={"b": 2, "a": 1}).fingerprint
    assert first.fingerprint != request(request_id="r1", context={"a": 1, "b": 3}).fingerprint
    assert first.fingerprint != request(request_id="r1", channel="phone", context={"a": 1, "b": 2}).fingerprint


def one(**more: object) -> Playbook:
    """A single action on e-mail, with these fields."""
    listed = {"name": "x", "issue": "i", "group": "g", "channels": ["email"], "value": 9} | more
    return Playbook(Actions.model_validate({"actions": [listed]}), playbook().policy)


def fate(book: Playbook, scores: Scores | None = None, now: int = NOW):
    return decide(request(), Customer("C1"), scores or flat(), book, now, 0.5).fates[0]


def test_an_action_is_offered_from_its_first_moment_up_to_its_last():
    book = one(valid={"from": clock.isoformat(NOW), "to": clock.isoformat(NOW + DAY)})
    stages = [fate(book, now=at).stage for at in (NOW - 1, NOW, NOW + DAY - 1, NOW + DAY)]
    assert stages == ["eligible", "chosen", "chosen", "eligible"]
    assert "not offered before" in fate(book, now=NOW - 1).reason
    assert "was offered until" in fate(book, now=NOW + DAY).reason


@pytest.mark.parametrize(
    ("stage", "expected", "why"),
    [
        ("buying", "chosen", "chosen"),
        ("leaving", "applicable", "in the stage leaving, and it fits buying, aware"),
        (None, "applicable", "in no stage of the journey"),
    ],
)
def test_an_action_fits_some_stages_of_the_journey(stage, expected, why):
    scores = Scores(features={"journey_stage": stage}, propensity=lambda cs: [0.5] * len(cs))
    found = fate(one(stages=["buying", "aware"]), scores)
    assert found.stage == expected
    assert why in found.reason
    by_rule = fate(one(suitable="journey.stage == 'buying'"), scores)
    assert (by_rule.stage == "chosen") is (stage == "buying")


def test_u_is_learned_where_it_is_and_said_to_be_a_prior_where_not():
    prior = fate(one()).factors
    assert (prior.learned, prior.u) == (False, pytest.approx(0.5 * 0.2))
    scores = Scores(propensity=lambda cs: [0.5] * len(cs), uplift=lambda cs: [-0.03] * len(cs))
    learned = fate(one(), scores)
    assert (learned.factors.learned, learned.factors.u) == (True, -0.03)
    assert learned.reason == "worth less than silence", "who responds anyway is left alone"
    assert learned.factors.as_dict()["learned"] is True


def test_what_reveals_behaviour_is_scored_by_what_is_old_enough():
    scores = Scores(propensity=lambda cs: [0.9] * len(cs), delayed=lambda cs: [0.1] * len(cs))
    assert fate(one(), scores).factors.p == 0.9
    shows = Playbook(one(reveals=[{"type": "purchase"}]).actions, playbook().policy)
    asked = decide(request(dry_run=True), Customer("C1"), scores, shows, NOW, 0.5)
    assert asked.fates[0].factors.p == 0.1


def test_a_dry_run_values_what_is_refused_and_a_decision_only_what_survives():
    book = Playbook(one(eligible="false").actions, playbook().policy)
    assert fate(book).factors is None
    dry = decide(request(dry_run=True), Customer("C1"), flat(), book, NOW, 0.5)
    assert (dry.fates[0].stage, dry.fates[0].probability) == ("eligible", 0.0)
    assert dry.fates[0].factors.expected_value > 0
    assert (dry.chosen, dry.contacts) == (None, ())


def test_what_is_asked_besides_makes_another_fingerprint():
    plain = request(request_id="r1").fingerprint
    others = [request(**more).fingerprint for more in ({"limit": 2}, {"dry_run": True}, {"only": "a"})]
    assert len({plain, *others}) == 4
    assert plain == request(number=2, limit=1, placements=()).fingerprint
