"""Silence becomes an outcome: who did not react to a contact by the end of its response window gave no response.

Whether they reacted is the guard's to say (guard/rests.py), so that a channel's rest after ignored contacts and the
log of outcomes agree. A response that comes later is recorded like any other, and is the one that counts: `no_response`
says that the window was over without one, never that none came. A claim is waited for until it is reported sent, for
one that failed has no response to miss; the guard, which must not err on that side, counts it at once.
"""

from collections.abc import Sequence
from typing import Any

from serving import outcomes
from serving.decisions.customer import Contact, Customer
from serving.decisions.guard.rests import unanswered
from serving.store.protocol import Store

#: Contacts that are looked at in one transaction: others wait for some hundredths of a second.
PAGE = 200


def settle(store: Store, now: int) -> int:
    """Records what nobody has told by now, each contact once; how many outcomes that were. Raises Unavailable."""
    total = 0
    while contacts := store.unsettled(now, PAGE):
        total += store.settle([each.contact_id for each in contacts], _silent(store, contacts, now), now).result()
    return total


def _silent(store: Store, contacts: Sequence[Contact], now: int) -> list[dict[str, Any]]:
    """The rows that say so. Read by person: they may have answered under another id."""
    people: dict[str, Customer] = {}
    rows = []
    for contact in contacts:
        person = people.get(contact.customer_id)
        if person is None:
            person = people[contact.customer_id] = store.read(contact.customer_id).customer
        if (
            contact.touched_at is not None
            and contact.respond_by is not None
            and unanswered(contact.touched_at, person.profile.answered.get(contact.channel))
        ):
            first = contact.contact_id == f"{contact.decision_id}.1"
            told = outcomes.outcome_id(contact.decision_id, "no_response", contact.action, first)
            rows.append(
                outcomes.interaction(
                    told, "no_response", contact.decision_id, contact.customer_id, contact.action, contact.channel,
                    occurred_at=contact.respond_by, received_at=max(now, contact.respond_by),
                )
            )  # fmt: skip
    return rows
