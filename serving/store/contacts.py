"""The life of a contact as rows: reserved -> claimed -> sent or failed; a reservation that lapses is expired.

These run inside the writer's transaction, and every change of a contact bumps its customer's version: whoever judged
before it must judge again.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from serving.decisions.customer import Contact
from serving.store import identity
from serving.store.protocol import Conflict, Unknown, Verdict
from serving.store.tx import Reader, Tx

#: In the order of Contact's fields.
COLUMNS = (
    "contact_id, customer_id, decision_id, action, issue, grp, channel, counts, state, reserved_at, expires_at, "
    "touched_at, closed_at, breach, tags, purpose, local_day, zone, respond_by"
)
#: Those that may still matter to a decision.
OPEN = "state IN ('reserved', 'claimed', 'sent', 'ghost')"
_LOG = ("contact_id", "at", "body")
_COUNTS, _BREACH, _TAGS = 7, 13, 14


def from_row(row: Sequence[Any]) -> Contact:
    """A row of COLUMNS."""
    values = list(row)
    values[_COUNTS], values[_BREACH] = bool(values[_COUNTS]), bool(values[_BREACH])
    values[_TAGS] = () if values[_TAGS] == "[]" else tuple(orjson.loads(values[_TAGS]))
    return Contact._make(values)


def _row(contact: Contact) -> list[Any]:
    values = list[Any](contact)
    values[_COUNTS], values[_BREACH] = int(contact.counts), int(contact.breach)
    values[_TAGS] = orjson.dumps(contact.tags).decode() if contact.tags else "[]"
    return values


def find(reader: Reader, contact_id: str) -> Contact:
    """Raises Unknown."""
    row = reader.execute(f"SELECT {COLUMNS} FROM contacts WHERE contact_id = ?", (contact_id,)).fetchone()
    if row is None:
        raise Unknown(f"there is no contact {contact_id!r}; its id is in the decision's answer")
    return from_row(row)


def locked(tx: Tx, contact: Contact) -> Contact:
    """The contact as it stands, with its customer locked: nobody else changes it now."""
    tx.lock({contact.customer_id})
    return find(tx, contact.contact_id)


#: Nobody has seen them, or but to lock them.
FIRST = (
    "INSERT INTO customers (customer_id, version, seen_to) VALUES (?, 1, ?) ON CONFLICT (customer_id) "
    "DO UPDATE SET version = 1, seen_to = greatest(customers.seen_to, excluded.seen_to) WHERE customers.version = 0"
)
_NEXT = (
    "UPDATE customers SET version = version + 1, seen_to = greatest(seen_to, ?) WHERE customer_id = ? AND version = ?"
)


def bump(tx: Tx, judged: Sequence[tuple[str, int, int]]) -> list[bool]:
    """Compare-and-swap of (customer, version, now): True where the customer still was at it, and now is at the next."""
    unseen = iter(tx.each(FIRST, [(customer, now) for customer, version, now in judged if version == 0]))
    known = iter(tx.each(_NEXT, [(now, customer, version) for customer, version, now in judged if version]))
    won = [next(known) if version else next(unseen) for _, version, _ in judged]
    if lost := [customer for (customer, _, _), swapped in zip(judged, won, strict=True) if not swapped]:
        identity.locked(tx, lost)  # whoever was erased since leaves no row behind
    return won


def insert(tx: Tx, fresh: Sequence[Contact]) -> None:
    """After `bump`: inserts reservations and ghosts, and closes what has lapsed of these customers.

    The bump moved `seen_to` to now, and a claim never lies before it: a lapsed reservation cannot come back.
    """
    now = {contact.customer_id: contact.reserved_at for contact in fresh}
    waiting = tx.execute(
        f"SELECT {COLUMNS} FROM contacts INDEXED BY contacts_holding WHERE customer_id IN (SELECT value FROM texts(?)) "
        f"AND {OPEN} AND state = 'reserved' AND expires_at <= ?",
        (list(now), max(now.values())),
    )
    for before in map(from_row, waiting.fetchall()):
        at = now[before.customer_id]
        if before.expires_at <= at:
            _change(tx, before._replace(state="expired", closed_at=before.expires_at), at)
    tx.load("contacts", COLUMNS.split(", "), [_row(contact) for contact in fresh])
    tx.load("contact_log", _LOG, [_line(contact, contact.reserved_at) for contact in fresh])


def claim(tx: Tx, contact: Contact, now: int, verdict: Verdict, claim_id: str | None) -> Contact:
    """After `bump` on the version at which the claim was judged."""
    claimed = contact._replace(state="claimed", touched_at=now, local_day=verdict.local_day, zone=verdict.zone,
                               respond_by=_moved(contact, now))  # fmt: skip
    _change(tx, claimed, now)
    if claim_id is not None:
        tx.execute("UPDATE contacts SET claim_id = ? WHERE contact_id = ?", (claim_id, contact.contact_id))
    return claimed


def claimed_before(reader: Reader, contact: Contact, claim_id: str | None) -> bool:
    """Whether this very claim was granted before, and only its answer got lost."""
    if claim_id is None or contact.state not in ("claimed", "sent"):
        return False
    asked = "SELECT claim_id FROM contacts WHERE contact_id = ?"
    found = reader.execute(asked, (contact.contact_id,)).fetchone()
    return found is not None and found[0] == claim_id


def claimable(contact: Contact, now: int) -> None:
    """Raises Conflict where a contact is not, or no longer, waiting to be claimed."""
    if contact.state == "ghost":
        raise Conflict(f"contact {contact.contact_id} is withheld to measure, so it cannot be claimed")
    if contact.state != "reserved":
        raise Conflict(f"contact {contact.contact_id} is {contact.state}, so it cannot be claimed; ask for a decision")
    if not contact.holds(now):
        raise Conflict(f"contact {contact.contact_id} expired before it was claimed; ask for a new decision")


def sent(tx: Tx, contact: Contact, now: int) -> Contact:
    """It went out. Without a valid claim the channel broke the agreement: it is recorded, counted and flagged."""
    if contact.state == "claimed":
        went = contact._replace(state="sent", closed_at=now)
    else:  # on which local day it went out nobody judged: it counts by the customer's zone of whoever asks
        went = contact._replace(state="sent", touched_at=now, closed_at=now, breach=True, local_day=None, zone=None,
                                respond_by=_moved(contact, now))  # fmt: skip
    _change(tx, went, now)
    return went


def _moved(contact: Contact, now: int) -> int | None:
    """The response window begins when it is touched; so far it was counted from the claim, or from the reservation."""
    began = contact.reserved_at if contact.touched_at is None else contact.touched_at
    return None if contact.respond_by is None else now + contact.respond_by - began


def failed(tx: Tx, contact: Contact, now: int, reason: str = "") -> Contact:
    """Raises Conflict where it was reported sent before: what went out keeps counting."""
    if contact.state == "ghost":
        raise Conflict(f"contact {contact.contact_id} is withheld to measure, so nothing was to be sent")
    if contact.state == "sent":
        raise Conflict(f"contact {contact.contact_id} was reported sent; report what became of it as an outcome")
    gone = contact._replace(state="failed", closed_at=now)
    _change(tx, gone, now, reason)
    return gone


def _change(tx: Tx, contact: Contact, now: int, reason: str = "") -> None:
    tx.execute(
        "UPDATE contacts SET state = ?, touched_at = ?, closed_at = ?, breach = ?, local_day = ?, zone = ?, "
        "respond_by = ? WHERE contact_id = ?",
        (contact.state, contact.touched_at, contact.closed_at, int(contact.breach), contact.local_day, contact.zone,
         contact.respond_by, contact.contact_id),
    )  # fmt: skip
    tx.execute("INSERT INTO contact_log (contact_id, at, body) VALUES (?, ?, ?)", _line(contact, now, reason))


def _line(contact: Contact, now: int, reason: str = "") -> tuple[str, int, bytes]:
    """One line a change, append-only: the way into history. Instants in microseconds."""
    body = contact._asdict() | {"at": now, "detail": reason or None}
    return contact.contact_id, now, orjson.dumps(body)
