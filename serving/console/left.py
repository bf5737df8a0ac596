"""How many contacts are left to a customer on each channel: by asking the guard itself, never by a second count.

The guard is asked for the first moment at which it would let any action of ours through on a channel; a contact is put
there in thought, and it is asked again, until a week from now. So every rule has its say: caps in all and by channel,
group and action, rolling and calendar, pressure, quiet hours, consent, cool-downs, open cases, the customer's own arms.
Channels are asked one by one: what goes out on one takes from the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from features import clock
from serving.decisions.arms import arms
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact, Customer
from serving.decisions.fate import Trip
from serving.decisions.guard.guard import Guard
from serving.decisions.policy import Playbook

WEEK = 7 * clock.DAY
#: More than anybody asks about.
MOST = 20


@dataclass(frozen=True)
class Left:
    """One channel: how many contacts the guard would let through within a week (MOST: that many or more), when the
    first of them might go, and the rules that refuse everything now."""

    channel: str
    number: int
    first_at: int | None
    why: tuple[Trip, ...]


def left(customer: Customer, playbook: Playbook, now: int) -> list[Left]:
    """Of every channel that an action is offered on, by name."""
    policy = playbook.policy
    standing_in = arms(customer.arm_id, policy)
    offered = [
        Candidate(action, channel)
        for action in playbook.actions.actions
        for channel in action.channels
        if policy.sells(action) and action.exempt is None and standing_in.may(action, policy)
    ]
    channels = sorted({channel for action in playbook.actions.actions for channel in action.channels})
    return [
        _channel(channel, [each for each in offered if each.channel == channel], customer, playbook, now)
        for channel in channels
    ]


def _channel(channel: str, offered: Sequence[Candidate], customer: Customer, playbook: Playbook, now: int) -> Left:
    factor = arms(customer.arm_id, playbook.policy).factor
    until, t, number, first = now + WEEK, now, 0, None
    why = _common(offered, Guard(customer, playbook, now, "outbound", factor))
    while number < MOST:
        found = _next(offered, playbook, Guard(customer, playbook, t, "outbound", factor), t, until)
        if found is None:
            break
        at, candidate = found
        first = at if first is None else first
        customer, number, t = _after(customer, candidate, at, number), number + 1, at
    return Left(channel, number, first, why)


def _next(
    offered: Sequence[Candidate], playbook: Playbook, guard: Guard, t: int, until: int
) -> tuple[int, Candidate] | None:
    """The earliest moment at which the guard lets one of them through, and which; None where it is too late."""
    soonest: tuple[int, Candidate] | None = None
    for candidate in offered:
        begin, end = playbook.spans[candidate.action.name]
        at = guard.passes_at(candidate, max(t, begin or 0))
        if at is None or at >= until or (end is not None and at >= end):
            continue
        if soonest is None or at < soonest[0]:
            soonest = at, candidate
    return soonest


def _after(customer: Customer, candidate: Candidate, at: int, number: int) -> Customer:
    """The customer as if the contact had been made."""
    action = candidate.action
    made = Contact(
        f"thought-{number}", customer.customer_id, "", action.name, action.issue, action.group, candidate.channel,
        True, "sent", at, at, at, tags=tuple(action.tags), purpose=action.purpose, respond_by=at + action.response,
    )  # fmt: skip
    return replace(customer, contacts=(*customer.contacts, made))


def _common(offered: Sequence[Candidate], guard: Guard) -> tuple[Trip, ...]:
    """The rules that stand in the way of every one of them now; none where something passes."""
    trips = guard.all_trips(offered)
    if not trips or any(not each for each in trips):
        return ()
    rules = set.intersection(*({trip.rule for trip in each} for each in trips))
    shared = tuple(trip for trip in trips[0] if trip.rule in rules)
    return shared or trips[0][:1]
