"""Contacts left: the guard's own count, against someone who tries hour by hour."""

from dataclasses import replace

import worlds
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY, HOUR
from serving.console.left import MOST, WEEK, left
from serving.decisions.arms import arms
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact, Customer
from serving.decisions.guard import judge
from serving.decisions.profile import Profile, Said

NOW = worlds.NOW - worlds.NOW % DAY + 12 * HOUR


def tried(customer, playbook, channel, now=NOW):
    """Every hour of the week: whatever the guard lets through goes out, until it lets nothing through."""
    standing_in, number = arms(customer.arm_id, playbook.policy), 0
    offered = [
        Candidate(action, channel)
        for action in playbook.actions.actions
        if channel in action.channels
        and playbook.policy.sells(action)
        and action.exempt is None
        and standing_in.may(action, playbook.policy)
    ]
    for t in range(now, now + WEEK, HOUR):
        while True:
            trips = judge(offered, customer, playbook, t, "outbound", standing_in.factor)
            passing = next((c for c, refused in zip(offered, trips, strict=True) if not refused), None)
            if passing is None or number >= MOST:
                break
            number += 1
            made = Contact(
                f"try-{number}", customer.customer_id, "", passing.action.name, passing.action.issue,
                passing.action.group, channel, True, "sent", t, t, t,
            )  # fmt: skip
            customer = replace(customer, contacts=(*customer.contacts, made))
    return number


def found(customer, playbook, channel="email"):
    return next(each for each in left(customer, playbook, NOW) if each.channel == channel)


def caps(*listed, **more):
    return worlds.playbook(caps=list(listed), **more)


def test_caps_in_all_by_channel_and_by_action_all_count():
    book = caps(
        {"scope": "total", "max": 4, "window": "7d"}, {"scope": "channel", "name": "email", "max": 2, "window": "7d"}
    )
    assert [(each.channel, each.number) for each in left(Customer("C1"), book, NOW)] == [
        ("email", 2),
        ("phone", 4),
        ("web", 4),
    ]
    once = Customer("C1", contacts=(worlds.contact(1, "sent", NOW - DAY, "a", "phone"),))
    assert [each.number for each in left(once, book, NOW)] == [2, 4, 4], "three, and one when the old one has left"
    assert found(Customer("C1"), caps({"scope": "action", "max": 1, "window": "30d"})).number == 3


def test_what_stands_in_the_way_is_told_with_the_moment_that_it_passes():
    book = caps({"scope": "channel", "name": "email", "max": 1, "window": "3d"})
    customer = Customer("C1", contacts=(worlds.contact(1, "sent", NOW - DAY),))
    one = found(customer, book)
    assert one.first_at == NOW + 2 * DAY + 1, "exact at both ends"
    assert [trip.rule for trip in one.why] == ["cap channel email: 1 per 3d"]
    assert one.number == 2, "in two days, and three days after that"


def test_an_opt_out_leaves_nothing_and_a_cap_of_nothing_neither():
    no = Profile(consent={"email": Said(NOW - DAY, 0, False)})
    one = found(Customer("C1", profile=no), caps())
    assert (one.number, one.first_at, [trip.rule for trip in one.why]) == (0, None, ["opt-out"])
    assert found(Customer("C1"), caps()).number == MOST, "that many or more"


def test_held_out_customers_have_nothing_left():
    assert found(Customer("C1"), caps(holdout={"share": 1.0})).number == 0


def test_caps_are_scaled_as_the_customers_own_level_says():
    level = {"levels": [{"share": 1.0, "factor": 2.0}]}
    assert found(Customer("C1"), caps({"scope": "total", "max": 2, "window": "7d"}, cap_levels=level)).number == 4


def test_calendar_caps_go_by_the_customers_own_days():
    book = caps({"scope": "total", "max": 1, "per": "day"}, unknown_zone="company", zone="Europe/Berlin")
    assert found(Customer("C1"), book).number == 8, "today, six whole days, and the morning of the eighth"


some_caps = st.fixed_dictionaries(
    {
        "scope": st.sampled_from(["total", "channel", "group", "action"]),
        "max": st.integers(1, 3),
        "window": st.sampled_from(["1d", "2d", "3d", "7d"]),
    }
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(some_caps, min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 6)), max_size=4),
    st.sampled_from(["email", "phone", "web"]),
)
def test_it_agrees_with_trying_hour_by_hour(listed, sent, channel):
    book = caps(*listed)
    contacts = tuple(worlds.contact(k, "sent", NOW - days * DAY, action) for k, (action, days) in enumerate(sent))
    customer = Customer("C1", contacts=contacts)
    ours, theirs = found(customer, book, channel).number, tried(customer, book, channel)
    # windows are exact at both ends: who tries by the hour comes an hour late each time, and loses a round at most
    assert theirs <= ours <= theirs + max(cap["max"] for cap in listed)
