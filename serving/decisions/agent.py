"""What someone who talks to the customer should know before offering anything: why they are probably here."""

from collections.abc import Mapping
from typing import Any

from features import clock
from serving.decisions.customer import Customer, Sighting
from serving.decisions.guard.gates import day
from serving.decisions.policy import ContactPolicy, micros

#: How far back something is still a likely reason to get in touch.
LIKELY = 14 * clock.DAY
ANSWERED = 3 * clock.DAY  # after a contact of ours
KINDS = ("complaint", "case_opened")


def view(customer: Customer, policy: ContactPolicy, now: int) -> Mapping[str, Any]:
    """Open cases and complaints, the last topic by channel, the likely reason; `help_first` where something is open."""
    latest = [] if customer.sightings is None else [each for each in customer.sightings.topics() if each.at <= now]
    open_now = _open(customer, policy, now)
    complained = customer.profile.complained
    last = {each.channel: {"topic": each.topic, "at": clock.isoformat(each.at)} for each in latest}
    return {
        "open": open_now,
        "complained_about_contact": None if complained is None else clock.isoformat(complained.at),
        "last_topics": last,
        "probably_about": _probably(open_now, latest, customer, now),
        "help_first": bool(open_now),
    }


def _open(customer: Customer, policy: ContactPolicy, now: int) -> list[dict[str, Any]]:
    """The newest first; a complaint without a case counts as open for as long as the policy says."""
    profile = customer.profile
    if not profile.cases and not profile.caseless:  # as with most
        return []
    length = micros(policy.open_case.without_case)
    found: list[tuple[int, str, str | None]] = [
        (since.at, kind, case_id) for kind, case_id, since in profile.open_cases(KINDS)
    ]
    found += [
        (since.at, kind, None) for kind, since in profile.caseless.items() if kind in KINDS and now < since.at + length
    ]
    opened = customer.sightings.of if found and customer.sightings is not None else lambda *_: []
    return [
        {
            "kind": "case" if kind == "case_opened" else kind,
            "case_id": case_id,
            "since": clock.isoformat(at),
            "topic": next((s.topic for s in opened(kind, None, None) if s.at == at and s.topic is not None), None),
        }
        for at, kind, case_id in sorted(found, key=lambda one: (-one[0], one[1], one[2] or ""))
    ]


def _probably(
    open_now: list[dict[str, Any]], latest: list[Sighting], customer: Customer, now: int
) -> dict[str, Any] | None:
    """What is open, else what they were last in touch about, else what we last sent them."""
    if open_now:
        newest = open_now[0]
        why = f"a {newest['kind']} is open since {newest['since'][:10]}"
        return {"topic": newest["topic"], "why": why}
    for sighting in latest[:1]:
        if now - LIKELY <= sighting.at:
            why = f"{_words(sighting.type)} on {sighting.channel} on {day(sighting.at)}"
            return {"topic": sighting.topic, "why": why}
    touched = [
        (contact.touched_at, contact)
        for contact in customer.contacts
        if contact.state in ("claimed", "sent") and contact.touched_at is not None
    ]
    newest_sent = max(touched, key=lambda pair: pair[0], default=None)
    if newest_sent is not None and now - ANSWERED <= newest_sent[0] <= now:
        at, contact = newest_sent
        return {"topic": None, "why": f"we sent {contact.action} on {contact.channel} on {day(at)}"}
    return None


def _words(kind: str) -> str:
    return kind.replace("_", " ")
