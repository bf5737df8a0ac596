"""The outbox as channel systems fetch it: a page of what may still be sent, and word that an entry was taken over."""

from typing import TYPE_CHECKING

from features import clock
from serving.engine.waiting import Answer, available, done
from serving.nudges import asking
from serving.problems import Problem
from serving.store.protocol import Outgoing

if TYPE_CHECKING:
    from serving.engine import Engine


def page(engine: "Engine", channel: str | None, after: int, limit: int) -> Answer:
    """Entries behind a position whose contact may still be claimed; `after` moves past the others, too."""
    if channel is not None:
        engine.check_channel(channel)
    with available():
        found = engine.store.outbox(after, limit, channel)
        open_ = [entry for entry in found if lapses_at(engine, entry) is not None]
    return {
        "entries": [shown(entry) for entry in open_],
        "after": found[-1].position if found else after,
    }


async def acknowledge(engine: "Engine", outbox_id: str) -> Answer:
    """Raises Problem where there never was such an entry."""
    first = await done(engine.store.outbox_done([outbox_id], engine.clock.now()))
    if not first:
        with available():
            known = engine.store.contact(outbox_id)
        if known is None:
            raise Problem("not-found", "there is no such entry in the outbox; its id is in `GET /v1/outbox`")
    return {"outbox_id": outbox_id, "acknowledged": bool(first)}


def lapses_at(engine: "Engine", entry: Outgoing) -> int | None:
    """Until when the contact of an entry may be claimed; None where it cannot any more."""
    contact = None if entry.contact_id is None else engine.store.contact(entry.contact_id)
    if contact is None or not contact.holds(engine.clock.now()) or contact.state != "reserved":
        return None
    return contact.expires_at


def shown(entry: Outgoing) -> Answer:
    return asking.dumped(entry) | {
        "position": entry.position,
        "due_at": clock.isoformat(entry.due_at),
        "tries": entry.tries,
    }
