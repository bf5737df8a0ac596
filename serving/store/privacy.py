"""What is kept of a person: all of it on request, none of it after an erasure, unused while restricted."""

from collections.abc import Collection
from typing import Any

import orjson

from features.state import State
from features.vocabulary import Vocabulary
from serving.decisions.profile import Profile
from serving.store import batches, contacts, identity, logged, looks
from serving.store.identity import Kinds
from serving.store.tx import Reader, Tx

#: Tables with rows by customer id whose `body` says it all.
_LOGS = ("interactions", "attributes")


def persons_ids(reader: Reader, ids: Collection[str]) -> list[str]:
    """Some ids and those that are one person with them."""
    rows = reader.execute(
        "SELECT raw FROM persons WHERE customer_id <> '' AND customer_id IN "
        "(SELECT customer_id FROM persons WHERE raw IN (SELECT value FROM texts(?)))",
        (list(ids),),
    )
    return sorted({*ids, *(row[0] for row in rows)} - {logged.SEVERAL})


def everything(reader: Reader, ids: Collection[str], vocabulary: Vocabulary) -> dict[str, list[dict[str, Any]]]:
    """Plain rows by table, as JSON can say them."""
    named = persons_ids(reader, ids)
    found: dict[str, list[dict[str, Any]]] = {"customers": []}
    rows = reader.execute(
        "SELECT customers.customer_id, version, seen_to, assigned_at, restricted, profile, state FROM customers "
        "LEFT JOIN states ON states.customer_id = customers.customer_id "
        "WHERE customers.customer_id IN (SELECT value FROM texts(?)) ORDER BY customers.customer_id",
        (named,),
    )
    for customer_id, version, seen_to, assigned_at, restricted, profile, state in rows:
        found["customers"].append(
            {
                "customer_id": customer_id,
                "version": version,
                "seen_to": seen_to,
                "assigned_at": assigned_at,
                "restricted": bool(restricted),
                "profile": orjson.loads(Profile.from_bytes(profile).to_bytes()),
                "known_interactions": _items(state, vocabulary),
            }
        )
    for table in _LOGS:
        found[table] = _bodies(
            reader, f"SELECT body FROM {table} WHERE customer_id IN (SELECT value FROM texts(?)) ORDER BY position",
            [named],
        )  # fmt: skip
    found["decisions"] = logged.of_customers(reader, named)
    columns = contacts.COLUMNS.split(", ")
    rows = reader.execute(
        f"SELECT {contacts.COLUMNS} FROM contacts WHERE customer_id IN (SELECT value FROM texts(?)) "
        "ORDER BY reserved_at, contact_id",
        (named,),
    )
    found["contacts"] = [dict(zip(columns, row, strict=True)) for row in rows]
    found["identifiers"] = _bodies(
        reader,
        "SELECT body FROM links WHERE identifier IN (SELECT value FROM texts(?)) "
        "OR customer_id IN (SELECT value FROM texts(?)) ORDER BY position",
        [named, named],
    )
    found["outbox"] = _bodies(
        reader, "SELECT body FROM outbox WHERE customer_id IN (SELECT value FROM texts(?)) ORDER BY position", [named]
    )
    rows = reader.execute(
        "SELECT customer_id, name, at FROM nudges WHERE customer_id IN (SELECT value FROM texts(?)) "
        "ORDER BY customer_id, name",
        (named,),
    )
    found["nudges"] = [dict(zip(("customer_id", "trigger", "at"), row, strict=True)) for row in rows]
    found["looks"] = looks.at_customers(reader, named)
    return found


def erase(tx: Tx, ids: Collection[str], salt: bytes, now: int, kinds: Kinds) -> dict[str, int]:
    """Rows deleted, by table. Whoever was one person with these ids is read without them from now on."""
    tx.alone("identity")
    tx.lock(ids)
    before = identity.erased(tx, ids)
    identity.bury(tx, ids, salt, now)
    theirs, named = "customer_id IN (SELECT value FROM texts(?))", (list(ids),)
    # before an erasure leaves rows of its own: who was never seen has none, but for the one that was made to be locked
    counted = f"SELECT count(*) FROM customers WHERE (version > 0 OR assigned_at IS NOT NULL) AND {theirs}"
    known = tx.execute(counted, named).fetchone()[0]
    touched: set[str] = set()
    for text in sorted(set(ids) - before):
        touched |= identity.erase(tx, text, now)
    identity.resolve(tx, touched - set(ids), kinds)
    gone: dict[str, int] = {}
    lines = f"DELETE FROM contact_log WHERE contact_id IN (SELECT contact_id FROM contacts WHERE {theirs})"
    gone["contact_log"] = tx.execute(lines, named).rowcount
    in_batches = batches.erase(tx, list(ids))
    for table in (*_LOGS, "decisions", "contacts", "outbox", "nudges", "looks", "states", "customers"):
        gone[table] = tx.execute(f"DELETE FROM {table} WHERE {theirs}", named).rowcount
    gone["decisions"] += in_batches
    gone["customers"] = known
    gone["identifiers"] = tx.execute(
        f"DELETE FROM links WHERE {theirs} OR identifier IN (SELECT value FROM texts(?))", named * 2
    ).rowcount
    tx.execute("DELETE FROM persons WHERE raw IN (SELECT value FROM texts(?))", named)
    return gone


def restrict(tx: Tx, customer_id: str, on: bool) -> None:
    """On: the id's own row says so, for the person. Off: none of the person's ids does any more. Erased: nothing."""
    ids = persons_ids(tx, [customer_id])
    if identity.locked(tx, ids):
        return
    if on:
        tx.execute(
            "INSERT INTO customers (customer_id, version, seen_to, restricted) VALUES (?, 1, 0, 1) "
            "ON CONFLICT (customer_id) DO UPDATE SET version = customers.version + 1, restricted = 1",
            (customer_id,),
        )
    else:
        tx.execute(
            "UPDATE customers SET version = version + 1, restricted = 0 "
            "WHERE customer_id IN (SELECT value FROM texts(?)) AND restricted = 1",
            (ids,),
        )


def _bodies(reader: Reader, sql: str, parameters: list[Any]) -> list[dict[str, Any]]:
    return [orjson.loads(row[0]) for row in reader.execute(sql, parameters)]


def _items(state: bytes | None, vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """What the packed state holds: of history, too, which the log of live interactions has not."""
    if not state:
        return []
    items, entries = State.from_bytes(state).items, vocabulary.entries
    names = ("channel", "direction", "type", "topic")
    return [
        {"occurred_at": at, **dict(zip(names, entries[code], strict=True))}
        for at, code in zip(items.at.tolist(), items.code.tolist(), strict=True)
    ]
