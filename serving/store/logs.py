"""The append-only logs: the way into history, and what is deleted once it is there and old."""

from collections.abc import Mapping
from typing import Any

from serving.decisions.profile import KEPT
from serving.store import batches, logged
from serving.store.protocol import Log
from serving.store.tx import Reader, Tx

TABLES: dict[Log, str] = {
    "interactions": "interactions",
    "decisions": "decisions",
    "contacts": "contact_log",
    "attributes": "attributes",
    "identifiers": "links",
}


def export(reader: Reader, log: Log, after: int, upto: int, limit: int) -> list[dict[str, Any]]:
    """Rows of a log with after < position <= upto, oldest first; a line that holds many decisions is never divided."""
    if log == "decisions":
        upto = _reached(reader, after, upto, limit)
    rows = reader.execute(
        f"SELECT position, body FROM {TABLES[log]} WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
        (after, upto, limit),
    )
    return [{"position": position, **line} for position, body in rows for line in logged.lines(body)]


def _reached(reader: Reader, after: int, upto: int, limit: int) -> int:
    """The position of the line with which the log of decisions has `limit` of them, or `upto`."""
    rows = reader.execute(
        "SELECT position, number FROM decisions WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
        (after, upto, limit),
    )
    total = 0
    for position, number in rows.fetchall():
        total += number
        if total >= limit:
            return int(position)
    return upto


def changed(reader: Reader, after: int, upto: int, limit: int) -> tuple[int, list[str]]:
    """The position reached, and whose interactions lie before it."""
    rows = reader.execute(
        "SELECT position, customer_id FROM interactions WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
        (after, upto, limit),
    ).fetchall()
    return (rows[-1][0] if rows else after), list(dict.fromkeys(row[1] for row in rows))


def synced(reader: Reader, log: Log) -> int:
    row = reader.execute("SELECT position FROM synced WHERE log = ?", (log,)).fetchone()
    return 0 if row is None else int(row[0])


def answer(tx: Tx) -> None:
    """Whether the writer takes a transaction at all."""
    tx.execute("SELECT 1").fetchone()


def proof(tx: Tx) -> None:
    """A write of some pages that leaves nothing: a full disk still answers SELECT 1."""
    rows = [(f"proof {number} " + "." * 1_000, -1) for number in range(20)]
    tx.executemany("INSERT INTO synced (log, position) VALUES (?, ?)", rows)
    tx.execute("DELETE FROM synced WHERE position < 0")


def mark_synced(tx: Tx, log: Log, position: int) -> None:
    tx.execute(
        "INSERT INTO synced (log, position) VALUES (?, ?) "
        "ON CONFLICT (log) DO UPDATE SET position = greatest(synced.position, excluded.position)",
        (log, position),
    )


def expire(tx: Tx, before: Mapping[Log, int]) -> dict[str, int]:
    """Rows deleted, by log. A contact that a cap may still count stays a contact; only its lines in the log go."""
    gone: dict[str, int] = {}
    for log, instant in before.items():
        in_batches = batches.expire(tx, instant, synced(tx, log)) if log == "decisions" else 0
        done = tx.execute(f"DELETE FROM {TABLES[log]} WHERE at < ? AND position <= ?", (instant, synced(tx, log)))
        gone[log] = done.rowcount + in_batches
    if "contacts" in before:
        tx.execute(
            "DELETE FROM contacts WHERE reserved_at < ? AND contact_id NOT IN (SELECT contact_id FROM contact_log)",
            (before["contacts"] - KEPT,),
        )
    return gone
