"""The outbox, and when each trigger fired for whom. What waits here was reserved: a claim still judges it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from serving.decisions.customer import Contact
from serving.store.protocol import Outgoing
from serving.store.tx import Reader, Tx

_COLUMNS = "outbox_id, customer_id, channel, body, due_at, contact_id, decision_id, tries, error, position"
_ADD = (
    "INSERT INTO outbox (outbox_id, customer_id, channel, body, due_at, contact_id, decision_id, tries, error) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


def of_contact(contact: Contact, body: Mapping[str, Any]) -> Outgoing:
    """A reservation as its channel is told of it, at once."""
    return Outgoing(
        outbox_id=contact.contact_id,
        customer_id=contact.customer_id,
        channel=contact.channel,
        body=body,
        due_at=contact.reserved_at,
        contact_id=contact.contact_id,
        decision_id=contact.decision_id,
    )


def add(tx: Tx, entries: Sequence[Outgoing]) -> int:
    """How many were new."""
    if not entries:
        return 0
    rows = [
        (e.outbox_id, e.customer_id, e.channel, orjson.dumps(dict(e.body)), e.due_at, e.contact_id, e.decision_id,
         e.tries, e.error)
        for e in entries
    ]  # fmt: skip
    return sum(tx.each(_ADD, rows))


def waiting(reader: Reader, after: int, limit: int, channel: str | None, upto: int) -> list[Outgoing]:
    where, asked = ("", []) if channel is None else ("AND channel = ? ", [channel])
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM outbox WHERE done_at IS NULL AND contact_id IS NOT NULL AND position > ? "
        f"AND position <= ? {where}ORDER BY position LIMIT ?",
        (after, upto, *asked, limit),
    )
    return [_entry(row) for row in rows]


def due(reader: Reader, now: int, limit: int) -> list[Outgoing]:
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM outbox WHERE done_at IS NULL AND due_at <= ? ORDER BY due_at, position LIMIT ?",
        (now, limit),
    )
    return [_entry(row) for row in rows]


def done(tx: Tx, ids: Collection[str], now: int) -> int:
    changed = tx.execute(
        "UPDATE outbox SET done_at = ? WHERE outbox_id IN (SELECT value FROM texts(?)) AND done_at IS NULL",
        (now, list(ids)),
    )
    return changed.rowcount


def expire(tx: Tx, before: int) -> int:
    """Deletes what was done before an instant; the contacts themselves are in their own log."""
    return tx.execute("DELETE FROM outbox WHERE done_at < ?", (before,)).rowcount


def retry(tx: Tx, outbox_id: str, next_at: int, error: str) -> None:
    tx.execute(
        "UPDATE outbox SET due_at = ?, tries = tries + 1, error = ? WHERE outbox_id = ? AND done_at IS NULL",
        (next_at, error, outbox_id),
    )


def fired(tx: Tx, customer_id: str, trigger: str, at: int) -> None:
    tx.execute(
        "INSERT INTO nudges (customer_id, name, at) VALUES (?, ?, ?) ON CONFLICT (customer_id, name) "
        "DO UPDATE SET at = greatest(nudges.at, excluded.at)",
        (customer_id, trigger, at),
    )


def last_fired(reader: Reader, customer_id: str, trigger: str) -> int | None:
    """Under any of the person's ids."""
    found = reader.execute(
        "SELECT max(at) FROM nudges WHERE name = ? AND (customer_id = ? OR customer_id IN "
        "(SELECT raw FROM persons WHERE customer_id = (SELECT customer_id FROM persons WHERE raw = ?) "
        "AND customer_id <> ''))",
        (trigger, customer_id, customer_id),
    ).fetchone()
    return None if found is None or found[0] is None else int(found[0])


def _entry(row: Sequence[Any]) -> Outgoing:
    values = list(row)
    values[3] = orjson.loads(values[3])
    return Outgoing(*values)
