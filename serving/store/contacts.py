"""The life of a contact as rows: reserved -> claimed -> sent or failed; a reservation that lapses is expired.

These run inside the writer's transaction, and every change of a contact bumps its customer's version: whoever judged
before it must judge again.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from serving.decisions.customer import Contact
from serving.store.protocol import Conflict, Unknown

COLUMNS = (
    "contact_id, customer_id, decision_id, action, issue, grp, channel, counts, state, reserved_at, expires_at, "
    "touched_at, closed_at, breach"
)
_INSERT = f"INSERT INTO contacts ({COLUMNS}) VALUES ({', '.join('?' * 14)})"


def from_row(row: Sequence[Any]) -> Contact:
    """A row of COLUMNS."""
    values = list(row)
    values[7], values[13] = bool(values[7]), bool(values[13])
    return Contact(*values)


def find(tx: sqlite3.Connection, contact_id: str) -> Contact:
    """Raises Unknown."""
    row = tx.execute(f"SELECT {COLUMNS} FROM contacts WHERE contact_id = ?", (contact_id,)).fetchone()
    if row is None:
        raise Unknown(f"there is no contact {contact_id!r}; its id is in the decision's answer")
    return from_row(row)


def bump(tx: sqlite3.Connection, customer_id: str, version: int, now: int) -> bool:
    """Compare-and-swap: True where the customer still was at `version`, and now is at the next."""
    if version == 0:
        done = tx.execute(
            "INSERT INTO customers (customer_id, version, seen_to) VALUES (?, 1, ?) ON CONFLICT DO NOTHING",
            (customer_id, now),
        )
    else:
        done = tx.execute(
            "UPDATE customers SET version = version + 1, seen_to = max(seen_to, ?) "
            "WHERE customer_id = ? AND version = ?",
            (now, customer_id, version),
        )
    return done.rowcount == 1


def reserve(tx: sqlite3.Connection, contact: Contact) -> None:
    """After `bump`: inserts the reservation, and closes those of this customer that have lapsed.

    The bump moved `seen_to` to now, and a claim never lies before it: a lapsed reservation cannot come back.
    """
    lapsed = tx.execute(
        f"SELECT {COLUMNS} FROM contacts WHERE customer_id = ? "
        "AND state IN ('reserved', 'claimed', 'sent') AND state = 'reserved' AND expires_at <= ?",
        (contact.customer_id, contact.reserved_at),
    ).fetchall()
    for row in lapsed:
        before = from_row(row)
        _change(tx, replace(before, state="expired", closed_at=before.expires_at), contact.reserved_at)
    tx.execute(
        _INSERT,
        (
            contact.contact_id,
            contact.customer_id,
            contact.decision_id,
            contact.action,
            contact.issue,
            contact.group,
            contact.channel,
            contact.counts,
            contact.state,
            contact.reserved_at,
            contact.expires_at,
            contact.touched_at,
            contact.closed_at,
            contact.breach,
        ),
    )
    _log(tx, contact, contact.reserved_at)


def claim(tx: sqlite3.Connection, contact: Contact, now: int) -> Contact:
    """After `bump` on the version at which the claim was judged."""
    claimed = replace(contact, state="claimed", touched_at=now)
    _change(tx, claimed, now)
    return claimed


def claimable(contact: Contact, now: int) -> None:
    """Raises Conflict where a contact is not, or no longer, waiting to be claimed."""
    if contact.state != "reserved":
        raise Conflict(f"contact {contact.contact_id} is {contact.state}, so it cannot be claimed; ask for a decision")
    if not contact.holds(now):
        raise Conflict(f"contact {contact.contact_id} expired before it was claimed; ask for a new decision")


def sent(tx: sqlite3.Connection, contact: Contact, now: int) -> Contact:
    """It went out. Without a valid claim the channel broke the agreement: it is recorded, counted and flagged."""
    touched = contact.touched_at if contact.state == "claimed" else now
    went = replace(
        contact, state="sent", touched_at=touched, closed_at=now, breach=contact.breach or contact.state != "claimed"
    )
    _change(tx, went, now)
    return went


def failed(tx: sqlite3.Connection, contact: Contact, now: int, reason: str = "") -> Contact:
    """Raises Conflict where it was reported sent before: what went out keeps counting."""
    if contact.state == "sent":
        raise Conflict(f"contact {contact.contact_id} was reported sent; report what became of it as an outcome")
    gone = replace(contact, state="failed", closed_at=now)
    _change(tx, gone, now, reason)
    return gone


def _change(tx: sqlite3.Connection, contact: Contact, now: int, reason: str = "") -> None:
    tx.execute(
        "UPDATE contacts SET state = ?, touched_at = ?, closed_at = ?, breach = ? WHERE contact_id = ?",
        (contact.state, contact.touched_at, contact.closed_at, contact.breach, contact.contact_id),
    )
    _log(tx, contact, now, reason)


def _log(tx: sqlite3.Connection, contact: Contact, now: int, reason: str = "") -> None:
    """One line a change, append-only: the way into history. Instants in microseconds."""
    body = {name: getattr(contact, name) for name in Contact.__slots__} | {"at": now, "detail": reason or None}
    tx.execute(
        "INSERT INTO contact_log (contact_id, at, body) VALUES (?, ?, ?)",
        (contact.contact_id, now, orjson.dumps(body)),
    )
