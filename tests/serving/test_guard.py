"""The guard against a naive oracle: same verdicts, every rule, and the moment that each would pass."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import ACTIONS, NOW, contact, policy, profile_of, told

from features.clock import DAY
from features.interactions import NOT_CONTACTS
from serving.decisions.customer import Customer, Touch
from serving.decisions.decision import Candidate
from serving.decisions.eligibility import candidates
from serving.decisions.guard import judge, judge_claim
from serving.decisions.policy import ContactPolicy, Playbook
from serving.decisions.profile import Told

EVERY = candidates(ACTIONS, None)
EMAIL_A = Candidate(ACTIONS.by_name["a"], "email")


def rules(candidate: Candidate, customer: Customer, given: ContactPolicy, now: int = NOW) -> list[str]:
    return [trip.rule for trip in judge([candidate], customer, Playbook(ACTIONS, given), now)[0]]


def test_a_window_is_exact_at_both_ends():
    capped = policy(caps=[{"scope": "total", "max": 1, "window": "7d"}])
    for at, refused in ((NOW, True), (NOW - 7 * DAY, True), (NOW - 7 * DAY - 1, False)):
        assert bool(rules(EMAIL_A, Customer("C1", contacts=(contact(1, "sent", at),)), capped)) == refused
        assert bool(rules(EMAIL_A, Customer("C1", touches=(Touch(at, "email", "contact"),)), capped)) == refused


@pytest.mark.parametrize(("most", "passes"), [(1, NOW + 7 * DAY), (2, NOW + 6 * DAY), (3, NOW + 4 * DAY), (0, None)])
def test_a_full_cap_passes_when_enough_contacts_have_left_its_window(most, passes):
    capped = policy(caps=[{"scope": "total", "max": most, "window": "7d"}])
    ours = (contact(1, "sent", NOW - 3 * DAY - 1), contact(2, "reserved", NOW, expires=7 * DAY))
    customer = Customer("C1", contacts=ours, touches=(Touch(NOW - DAY - 1, "web", "contact"),))
    (trip,) = judge([EMAIL_A], customer, Playbook(ACTIONS, capped), NOW)[0]
    assert trip.passes_at == passes


@pytest.mark.parametrize(
    ("state", "counts"),
    [("reserved", True), ("claimed", True), ("sent", True), ("failed", False), ("expired", False)],
)
def test_what_takes_a_slot(state, counts):
    capped = policy(caps=[{"scope": "channel", "name": "email", "max": 1, "window": "7d"}])
    customer = Customer("C1", contacts=(contact(1, state, NOW - DAY // 2),))
    assert bool(rules(EMAIL_A, customer, capped)) == counts
    # a claim keeps its slot however long it goes unreported; a reservation gives it back
    later = NOW + 2 * DAY
    assert bool(rules(EMAIL_A, customer, capped, later)) == (state in ("claimed", "sent"))


def test_every_rule_that_trips_is_reported():
    strict = policy(
        caps=[{"scope": "total", "max": 1, "window": "7d"}, {"scope": "action", "max": 1, "window": "30d"}],
        open_case={"suppresses": ["complaint"]},
    )
    rows = [
        Told(1, NOW - DAY, "email", "inbound", "opted_out"),
        Told(2, NOW - DAY, "phone", "inbound", "complaint", case_id="x"),
        Told(3, NOW - DAY, "email", "inbound", "rejected", action="a"),
    ]
    customer = Customer("C1", profile=profile_of(rows), contacts=(contact(1, "sent", NOW - DAY),))
    assert rules(EMAIL_A, customer, strict) == [
        "opt-out",
        "open complaint",
        "cap total: 1 per 7d",
        "cool-down after rejection",
        "cap action: 1 per 30d",
    ]


def test_unknown_consent_fails_closed_and_silence_is_not_assumed():
    careful = ContactPolicy()
    assert rules(EMAIL_A, Customer("C1"), careful) == ["consent"]
    assert rules(EMAIL_A, Customer("C1"), policy(consent={"assumed": ["email"]})) == []
    inbound = judge([EMAIL_A], Customer("C1"), Playbook(ACTIONS, careful), NOW, "inbound")[0]
    assert [trip.rule for trip in inbound] == ["consent"]


def test_service_is_not_suppressed_by_an_open_complaint():
    rows = [Told(1, NOW - DAY, "phone", "inbound", "complaint", case_id="x")]
    customer = Customer("C1", profile=profile_of(rows))
    assert rules(EMAIL_A, customer, policy()) == ["open complaint"]
    assert rules(Candidate(ACTIONS.by_name["help"], "email"), customer, policy()) == []


def test_an_exempt_class_passes_caps_and_counts_where_the_policy_says_so():
    capped = policy(caps=[{"scope": "total", "max": 1, "window": "7d"}])
    full = Customer("C1", contacts=(contact(1, "sent", NOW - DAY),))
    assert rules(Candidate(ACTIONS.by_name["recall"], "email"), full, capped) == []
    assert rules(EMAIL_A, Customer("C1", contacts=(contact(1, "sent", NOW - DAY, "recall"),)), capped) != []
    assert rules(EMAIL_A, Customer("C1", contacts=(contact(1, "sent", NOW - DAY, "notice"),)), capped) == []


def test_a_claim_is_judged_again_with_its_own_and_other_reservations_left_out():
    capped = policy(caps=[{"scope": "total", "max": 2, "window": "7d"}])
    mine, other = contact(1, "reserved", NOW), contact(2, "reserved", NOW, "b")
    customer = Customer("C1", contacts=(mine, other))
    assert judge_claim(customer, mine, Playbook(ACTIONS, capped), NOW) == ()
    busy = replace(customer, touches=(Touch(NOW, "web", "contact"), Touch(NOW, "email", "contact")))
    assert [trip.rule for trip in judge_claim(busy, mine, Playbook(ACTIONS, capped), NOW)] == ["cap total: 2 per 7d"]
    gone = mine._replace(action="withdrawn")
    assert [trip.rule for trip in judge_claim(customer, gone, Playbook(ACTIONS, capped), NOW)] == ["action withdrawn"]


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(told, max_size=7, unique_by=lambda row: row.order), data=st.data())
def test_a_profile_does_not_depend_on_order_or_repeats(rows, data):
    shuffled = data.draw(st.permutations(rows + rows[:2]))
    assert profile_of(shuffled) == profile_of(rows)
    again = profile_of(rows)
    assert type(again).from_bytes(again.to_bytes()) == again


def test_what_another_tool_says_became_of_its_contacts_is_none_itself():
    capped = policy(caps=[{"scope": "total", "max": 1, "window": "7d"}])

    def counts(type_: str) -> bool:
        return bool(rules(EMAIL_A, Customer("C1", touches=(Touch(NOW - DAY, "email", type_),)), capped))

    assert [name for name in NOT_CONTACTS if counts(name)] == ["sent"]
    assert counts("newsletter")  # a type that we do not know is taken for a contact
