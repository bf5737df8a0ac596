"""Contacts that other tools made: the outbound interactions in a customer's state that are none of ours."""

from collections.abc import Sequence

import numpy as np

from features.state import State
from serving.decisions.customer import Contact, Touch
from serving.decisions.profile import NO_CONTACT, Profile
from serving.store.words import Words


def touches(state: bytes, words: Words, profile: Profile, ours: Sequence[Contact]) -> tuple[Touch, ...]:
    """Each contact once: not what reports a contact of ours that stands, nor a second report of the same contact."""
    standing = {contact.contact_id for contact in ours if contact.state in ("claimed", "sent")} | {NO_CONTACT}
    found: list[Touch] = []

    def add(at: int, channel: str, type: str, action: str | None, contact: str | None) -> None:
        if contact is not None:
            if contact in standing:
                return
            standing.add(contact)
        found.append(Touch(at, channel, type, action))

    if state:
        items = State.from_bytes(state).items
        outbound, entries = words.outbound()
        code = items.code
        for i in np.flatnonzero(outbound[code]).tolist():
            known = profile.outbound.get(int(items.id[i]))
            channel, _, type, _ = entries[code[i]]
            add(int(items.at[i]), channel, type, known.action if known else None, known.contact if known else None)
    for known in profile.outbound.values():
        if known.channel is not None and known.type is not None:
            add(known.at, known.channel, known.type, known.action, known.contact)
    return tuple(found)
