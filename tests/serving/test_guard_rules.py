"""Single rules of the guard, where a number or an edge is worth stating: pressure, calendars, preferences, evidence."""

from itertools import pairwise

import pytest
from guard_worlds import ACTIONS, EDGES
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import flat, request

from features.clock import DAY, HOUR, MINUTE, isoformat, parse_instant
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact, Customer
from serving.decisions.decide import decide
from serving.decisions.guard import Guard, judge, judge_claim, stamp
from serving.decisions.guard.calendar import PERIODS, Calendar, zone
from serving.decisions.marks import KEPT, NONE, UNIDENTIFIED, Marks
from serving.decisions.policy import Actions, ContactPolicy, Playbook
from serving.decisions.profile import Profile

NOW = parse_instant("2026-05-04T12:00:00Z")
OPEN = {
    "consent": {"unknown": "granted"},
    "holdout": {"share": 0},
    "withholding": {"share": 0},
    "exploration": {"epsilon": 0},
    "fallback": {"propensity": 0.5},
}
EXEMPT = {"safety": {"counts": True}, "hushed": {"counts": False}}


def book(**changes) -> Playbook:
    return Playbook(ACTIONS, ContactPolicy.model_validate(OPEN | {"exempt": EXEMPT} | changes))


def candidate(action: str = "b", channel: str = "email") -> Candidate:
    return Candidate(ACTIONS.by_name[action], channel)


def living_in(name: str | None, **more) -> Customer:
    profile = Profile()
    profile.state(NOW - 400 * DAY, NOW - 400 * DAY, more | ({} if name is None else {"time_zone": name}))
    return Customer("C1", 1, profile)


def rules(customer: Customer, playbook: Playbook, now: int = NOW, action: str = "b", **more) -> list[str]:
    return [trip.rule for trip in judge([candidate(action)], customer, playbook, now, **more)[0]]


# pressure: Godfrey, Seiders and Voss 2011


def sustained(*channels: str) -> int:
    """How many contacts a quarter pass, sent as soon as they do, on these channels in turn."""
    offers = {"actions": [{"name": "x", "issue": "i", "group": "g", "channels": list(channels)}]}
    policy = ContactPolicy.model_validate(OPEN | {"pressure": {}})
    playbook, made, at = Playbook(Actions.model_validate(offers), policy), [], NOW
    offer = playbook.actions.actions[0]
    for number in range(100):
        channel = channels[number % len(channels)]
        guard = Guard(Customer("C1", 1, contacts=tuple(made)), playbook, at, "outbound")
        passes = guard.passes_at(Candidate(offer, channel))
        assert passes is not None
        at = passes
        made.append(Contact(f"k{number}", "C1", "d", "x", "i", "g", channel, True, "sent", at, at, at))
    last = [contact for contact in made if contact.reserved_at > at - 5 * 91 * DAY]  # long after the start
    return round(len(last) / 5)


def test_the_shipped_pressure_sustains_few_contacts_a_quarter_and_fewer_calls_when_mixed():
    assert 3 <= sustained("phone") <= 4
    assert 4 <= sustained("email") <= 5
    assert 10 <= sustained("mail") <= 12
    assert sustained("phone", "email") / 2 < min(sustained("phone"), sustained("email"))


# the customer's own calendar


@pytest.mark.parametrize("name", sorted({name for name, _ in EDGES}))
@pytest.mark.parametrize("per", ["day", "week", "month"])
def test_a_period_ends_when_the_date_on_the_wall_says_so(name, per):
    calendar, period = Calendar(zone(name)), PERIODS[per]
    for edge in (parse_instant(at) for where, at in EDGES if where == name):
        for start in (edge - 30 * HOUR, edge - MINUTE, edge - 1, edge, edge + 1, edge + 20 * MINUTE):
            end, of = calendar.leaves(start, period), period(calendar.day(start))
            assert period(calendar.day(end)) != of
            assert period(calendar.day(end - 1)) == of
            grid = range(start, min(end, start + 3 * DAY), 10 * MINUTE)
            assert all(period(calendar.day(t)) == of for t in grid)


@pytest.mark.parametrize(
    ("name", "now", "passes"),
    [
        ("Europe/Berlin", "2026-05-04T19:00:00Z", "2026-05-05T06:00:00Z"),
        ("Europe/Berlin", "2026-03-28T22:00:00Z", "2026-03-29T06:00:00Z"),  # the night has an hour less
        ("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T07:00:00Z"),  # and here one more
        ("Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T21:00:00Z"),
    ],
)
def test_quiet_hours_end_by_the_customers_own_clock(name, now, passes):
    playbook = book(quiet={"hours": "21:00-08:00"})
    guard = Guard(living_in(name), playbook, parse_instant(now), "outbound")
    assert isoformat(guard.passes_at(candidate())) == passes


def test_what_is_not_known_of_the_customer_fails_closed():
    quiet, daily = book(quiet={"hours": "21:00-08:00"}), book(caps=[{"scope": "total", "limit": "1 per local day"}])
    for unknown in (living_in(None), living_in("Mars/Base"), living_in("../etc/passwd"), living_in("Europe")):
        assert rules(unknown, quiet) == rules(unknown, daily) == ["time zone"]
        assert rules(unknown, book(quiet={"hours": "21:00-08:00"}, unknown_zone="company")) == []
    closed = book(quiet={"holidays": True})
    assert rules(living_in("Europe/Berlin"), closed) == rules(living_in("Europe/Berlin", country="XX"), closed)
    assert rules(living_in("Europe/Berlin"), closed) == ["country"]
    unity = parse_instant("2026-10-03T12:00:00Z")
    assert rules(living_in("Europe/Berlin", country="DE"), closed, unity) == ["quiet day"]
    assert rules(living_in("Europe/Berlin", country="FR"), closed, unity) == []


def test_no_cap_is_left_out_because_the_customer_crossed_the_date_line():
    daily = book(caps=[{"scope": "total", "limit": "1 per local day"}])
    at = parse_instant("2026-05-04T10:30:00Z")  # the 5th on Kiritimati, the 3rd on Niue
    day, where = stamp(living_in("Pacific/Kiritimati"), daily, at)
    assert (day, where) == ("2026-05-05", "Pacific/Kiritimati")
    made = Contact("k", "C1", "d", "b", "grow", "g", "email", True, "sent", at, at, at, local_day=day, zone=where)
    moved = living_in("Pacific/Niue")
    moved = Customer("C1", 1, moved.profile, (made,))
    guard = Guard(moved, daily, at + HOUR, "outbound")
    assert guard.trips(candidate()) == ()
    on_the_fifth = parse_instant("2026-05-05T12:00:00Z")
    assert rules(moved, daily, on_the_fifth) == ["cap total: 1 per local day"]


# what customers ask of us, through a store


def told(store, type: str, at: int, **attributes) -> None:
    row = {
        "interaction_id": f"{type}-{at}-{attributes}",
        "customer_id": "C1",
        "occurred_at": at,
        "received_at": at,
        "channel": "email",
        "direction": "inbound",
        "type": type,
        "identified": True,
        "provenance": "declared",
        "attributes": attributes or None,
    }
    assert store.record([row]).result().accepted == 1


@pytest.mark.parametrize(
    ("type", "attributes", "refused"),
    [
        ("contact_paused", {"until": "2026-06-01"}, "left alone until 2026-06-01"),
        ("contact_paused", {"until": "whenever"}, "left alone until 9999"),
        ("opted_out", {"channels": "all", "purposes": ["marketing"]}, "opted out of email"),
        ("opted_out", {"purposes": "marketing"}, "opted out of email"),
        ("contact_less_often", {}, "at most 1"),
        ("opted_out", {"channels": "all", "purposes": ["care"]}, None),
        ("contact_as_usual", {}, None),
    ],
)
def test_a_preference_is_effective_at_once_for_what_is_reserved_already(store, type, attributes, refused):
    playbook = book(caps=[{"scope": "total", "max": 2, "window": "7d"}])
    customer = store.read("C1").customer
    decision = decide(request("C1", channel="email"), customer, flat(), playbook, NOW, 0.5)
    assert store.commit_decision(decision).result().status == "committed"
    sent = {"interaction_id": "other", "type": "email_sent", "direction": "outbound", "customer_id": "C1",
            "occurred_at": NOW, "received_at": NOW, "channel": "email", "identified": True,
            "provenance": "observed"}  # fmt: skip
    assert store.record([sent]).result().accepted == 1
    told(store, type, NOW + 1, **attributes)
    trips = judge_claim(store.read("C1").customer, decision.contact, playbook, NOW + 2)
    assert [refused in trip.text for trip in trips] == ([] if refused is None else [True])


def test_consent_for_a_purpose_is_no_consent_for_another(store):
    playbook = book(consent={"unknown": "denied"})
    told(store, "consent_given", NOW, channels=["email"], purposes=["marketing"])
    customer = store.read("C1").customer
    assert rules(customer, playbook) == []
    assert rules(customer, playbook, action="c") == ["consent"]
    assert rules(customer, book(consent={"unknown": "denied", "purposes": False})) == ["consent"], "is not enough then"
    told(store, "consent_given", NOW + 1, channels=["email"], purposes={"care": True})  # cannot be read: nothing given
    assert rules(store.read("C1").customer, playbook, action="c") == ["consent"]


def test_an_arm_with_looser_caps_gives_nothing_to_who_asked_for_less():
    profile, capped = Profile(), book(caps=[{"scope": "total", "max": 2, "window": "7d"}])
    made = Contact("k", "C1", "d", "b", "grow", "g", "email", True, "sent", NOW - DAY, NOW, NOW - DAY)
    assert rules(Customer("C1", 1, profile, (made,)), capped, factor=1.5) == []
    told_us = Profile.from_bytes(b'{"less_often": [1, 1, false]}')
    assert rules(Customer("C1", 1, told_us, (made,)), capped, factor=1.5) == ["cap total: 2 per 7d"]


def test_a_restricted_customer_is_sent_nothing_and_sold_nothing():
    restricted = Customer("C1", 1, restricted=True)
    assert rules(restricted, book()) == rules(restricted, book(), direction="inbound") == ["restricted"]
    assert rules(restricted, book(), action="help", direction="inbound") == []


# evidence


def searched(number: int, at: int, **changes) -> dict:
    return {
        "interaction_id": f"search-{number}", "customer_id": "C1", "occurred_at": at, "received_at": at,
        "channel": "web", "direction": "inbound", "type": "search", "identified": True, "provenance": "observed",
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"identified": False}, "knowingly"),
        ({"provenance": "inferred"}, "knowingly"),
        ({"provenance": "declared"}, None),
        ({"topic": "health"}, "nothing of the kind"),
        ({"occurred_at": NOW - HOUR}, "younger"),
    ],
)
def test_an_action_shows_only_what_the_customer_knowingly_showed_us(store, changes, why):
    assert store.record([searched(1, NOW - 2 * DAY, **changes)]).result().accepted == 1
    (trips,) = judge([candidate("seen")], store.read("C1").customer, book(), NOW, "inbound")
    assert [why in trip.text for trip in trips] == ([] if why is None else [True])
    if why == "younger":
        assert trips[0].passes_at == NOW + 23 * HOUR


def test_more_anonymous_rows_than_can_be_kept_spoil_older_evidence_only(store):
    anonymous = [searched(i, NOW - 30 * DAY + i * MINUTE, identified=False) for i in range(2, KEPT + 12)]
    assert store.record([searched(1, NOW - 40 * DAY), *anonymous]).result().accepted == KEPT + 11
    assert rules(store.read("C1").customer, book(), action="seen") == ["signal"]
    store.record([searched(0, NOW - 3 * DAY)]).result()
    assert rules(store.read("C1").customer, book(), action="seen") == []


rows = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 300)), max_size=KEPT + 60, unique=True)


@settings(max_examples=50, deadline=None)
@given(rows=rows, cuts=st.lists(st.integers(0, KEPT + 60), max_size=3))
def test_marks_do_not_depend_on_order_or_repeats_and_never_forget_silently(rows, cuts):
    marks = [(at, order, UNIDENTIFIED) for at, order in rows]
    whole, pieces = NONE.add(marks), NONE
    for low, high in pairwise(sorted([0, *cuts, len(marks)])):
        pieces = pieces.add(reversed(marks[low:high]))
    assert pieces == whole == whole.add(marks[:5]) == Marks.merged([whole, pieces])
    kept = whole.by_order()
    assert all(order in kept or at <= whole.horizon for at, order, _ in marks)
