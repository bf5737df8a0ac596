"""Contacts that other tools made: the outbound interactions in a customer's state that are none of ours."""

from collections.abc import Iterable, Sequence

from features.vocabulary import Entry
from serving.decisions.customer import Contact, Touch
from serving.decisions.profile import NO_CONTACT, Profile

UNSIGNED = (1 << 64) - 1  # of a hash that a state holds as a signed number


def touches(
    outbound: Iterable[Sequence[int]], entries: Sequence[Entry], profile: Profile, ours: Sequence[Contact]
) -> tuple[Touch, ...]:
    """Each contact once: not what reports a contact of ours that stands, nor a second report of the same contact.

    `outbound` are (at, code, hash of interaction_id) of a state, oldest first.
    """
    reports = profile.outbound
    if not reports:  # so none is a report of ours, nor has an action
        return tuple([Touch(at, entries[code][0], entries[code][2]) for at, code, _ in outbound])
    standing = {contact.contact_id for contact in ours if contact.state in ("claimed", "sent")} | {NO_CONTACT}
    found: list[Touch] = []

    def add(at: int, channel: str, type: str, action: str | None, contact: str | None) -> None:
        if contact is not None:
            if contact in standing:
                return
            standing.add(contact)
        found.append(Touch(at, channel, type, action))

    for at, code, order in outbound:
        known = reports.get(order & UNSIGNED)
        channel, _, type, _ = entries[code]
        add(at, channel, type, known.action if known else None, known.contact if known else None)
    for known in reports.values():
        if known.channel is not None and known.type is not None:
            add(known.at, known.channel, known.type, known.action, known.contact)
    return tuple(found)
