"""What someone who talks to the customer should know before offering anything: why they are probably here."""

from collections.abc import Mapping
from typing import Any

from features import clock
from serving.decisions.customer import Customer, Sighting
from serving.decisions.policy import ContactPolicy, micros

#: How far back something is still a likely reason to get in touch.
LIKELY = 14 * clock.DAY
ANSWERED = 3 * clock.DAY  # after a contact of ours
KINDS = ("complaint", "case_opened")


def view(customer: Customer, policy: ContactPolicy, now: int) -> Mapping[str, Any]:
    """Open cases and complaints, the last topic by channel, the likely reason; `help_first` where something is open."""
    seen = _inbound(customer)
    open_now = _open(customer, policy, seen, now)
    complained = customer.profile.complained
    last: dict[str, dict[str, Any]] = {}
    for sighting in seen:
        if sighting.topic is not None and sighting.at <= now:
            last.setdefault(sighting.channel, {"topic": sighting.topic, "at": clock.isoformat(sighting.at)})
    return {
        "open": open_now,
        "complained_about_contact": None if complained is None else clock.isoformat(complained.at),
        "last_topics": last,
        "probably_about": _probably(open_now, seen, customer, now),
        "help_first": bool(open_now),
    }


def _inbound(customer: Customer) -> list[Sighting]:
    return [] if customer.sightings is None else customer.sightings.of(None, None, None)


def _open(customer: Customer, policy: ContactPolicy, seen: list[Sighting], now: int) -> list[dict[str, Any]]:
    """The newest first; a complaint without a case counts as open for as long as the policy says."""
    found: list[tuple[int, str, str | None]] = [
        (since.at, kind, case_id) for kind, case_id, since in customer.profile.open_cases(KINDS)
    ]
    length = micros(policy.open_case.without_case)
    found += [
        (since.at, kind, None)
        for kind, since in customer.profile.caseless.items()
        if kind in KINDS and now < since.at + length
    ]
    return [
        {
            "kind": "case" if kind == "case_opened" else kind,
            "case_id": case_id,
            "since": clock.isoformat(at),
            "topic": next((s.topic for s in seen if s.at == at and s.type == kind and s.topic is not None), None),
        }
        for at, kind, case_id in sorted(found, key=lambda one: (-one[0], one[1], one[2] or ""))
    ]


def _probably(
    open_now: list[dict[str, Any]], seen: list[Sighting], customer: Customer, now: int
) -> dict[str, Any] | None:
    """What is open, else what they were last in touch about, else what we last sent them."""
    if open_now:
        newest = open_now[0]
        why = f"a {newest['kind']} is open since {newest['since'][:10]}"
        return {"topic": newest["topic"], "why": why}
    for sighting in seen:
        if now - LIKELY <= sighting.at <= now and sighting.topic is not None:
            day = clock.isoformat(sighting.at)[:10]
            return {"topic": sighting.topic, "why": f"{_words(sighting.type)} on {sighting.channel} on {day}"}
    touched = [
        (contact.touched_at, contact)
        for contact in customer.contacts
        if contact.state in ("claimed", "sent") and contact.touched_at is not None
    ]
    newest_sent = max(touched, key=lambda pair: pair[0], default=None)
    if newest_sent is not None and now - ANSWERED <= newest_sent[0] <= now:
        at, contact = newest_sent
        return {"topic": None, "why": f"we sent {contact.action} on {contact.channel} on {clock.isoformat(at)[:10]}"}
    return None


def _words(kind: str) -> str:
    return kind.replace("_", " ")
