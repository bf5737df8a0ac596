"""Live interactions into the store: each id once, into the log, the customer's packed state and their profile.

Runs inside the writer's transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from features.hashing import hash_string
from features.interactions import SCHEMA
from features.kernel.notable import OUTBOUND
from features.online import update
from features.physical import discount
from features.sensitive import is_sensitive
from features.state import Items, State, keys
from features.vocabulary import Entry
from serving.decisions.customer import Contact
from serving.decisions.marks import Mark
from serving.decisions.profile import KEPT, NO_CONTACT, Known, Profile, Told
from serving.store import contacts, logged, states, telling
from serving.store.identity import locked
from serving.store.protocol import Conflict, Receipt
from serving.store.tx import Tx
from serving.store.words import Words

Row = Mapping[str, Any]
#: Outbound reports by `decision_id` that move our own contact, whoever makes them.
_WENT_OUT, _DID_NOT = ("sent", "contact"), ("failed",)


@dataclass
class Sheet:
    """What is to be folded into one customer."""

    items: Items | None = None
    told: list[Told] = field(default_factory=list)
    newest: int = 0
    marks: list[Mark] = field(default_factory=list)


def warm() -> None:
    """Loads what is compiled: a second or more that no transaction is to be held open for."""
    row = {"occurred_at": 0, "received_at": 0, "interaction_id": ""}
    update(State(), _items([(row, 0)]))


def signed(id_hash: int) -> int:
    """A 64-bit hash as SQLite's signed integer."""
    return id_hash - (1 << 64) if id_hash >= 1 << 63 else id_hash


def record(tx: Tx, words: Words, rows: Sequence[Row], sensitive: Collection[str] = ()) -> Receipt:
    """Folds rows of the contract (instants in microseconds) that were not seen before; the first of an id wins.

    What is of an erased customer counts as seen.
    """
    customers = {row["customer_id"] for row in rows}
    gone = locked(tx, customers)
    fresh = _fresh(tx, rows, gone)
    new = [_complete(tx, row) for row, is_new in zip(rows, fresh, strict=True) if is_new]
    if new:
        vocabulary = words.holding(tx, [_entry(row) for row in new])
        by_customer: dict[str, list[tuple[Row, int, bool]]] = {}
        for row in new:
            code = vocabulary.code(*_entry(row))
            hidden = is_sensitive(row.get("topic"), sensitive)
            by_customer.setdefault(row["customer_id"], []).append((row, code, hidden))
        for customer_id, theirs in by_customer.items():
            told = [t for row, _, hidden in theirs if (t := tell(tx, row, hidden)) is not None]
            seen = [(row, code) for row, code, hidden in theirs if not hidden]
            newest = max(row["occurred_at"] for row, _, _ in theirs)
            marks = telling.marks((row, hidden) for row, _, hidden in theirs)
            fold(tx, words, customer_id, Sheet(_items(seen) if seen else None, told, newest, marks))
        tx.executemany(
            "INSERT INTO interactions (customer_id, at, body) VALUES (?, ?, ?)",
            [(row["customer_id"], row["occurred_at"], _body(row)) for row in new],
        )
    return Receipt(len(rows), len(new), len(rows) - len(new), fresh)


def fold(tx: Tx, words: Words, customer_id: str, sheet: Sheet) -> None:
    """Into the row of a customer that is locked, bumping its version."""
    packed, content = states.find(tx, customer_id)
    changed: bytes | None = None
    crowded: dict[int, Known] = {}
    if sheet.items is not None:
        before = State.from_bytes(packed) if packed else State()
        state, _ = update(before, sheet.items)
        changed = state.to_bytes()
        held = before.items
        if len(held) + len(sheet.items) > len(state.items):
            crowded = _crowded_out(words, (held, sheet.items), state.items)
    if sheet.told or sheet.marks or crowded:
        profile = Profile.from_bytes(content)
        profile.mark(sheet.marks)
        for told in sheet.told:
            profile.learn(told)
        for order, known in crowded.items():
            told_of = profile.outbound.get(order, known)
            profile.outbound[order] = known._replace(action=told_of.action, contact=told_of.contact)
        profile.forget(sheet.newest - KEPT)
        content = profile.to_bytes()
    states.write(tx, customer_id, sheet.newest, content, changed)


def _crowded_out(words: Words, parts: Sequence[Items], kept: Items) -> dict[int, Known]:
    """Outbound rows that newer ones push out of the state before they are too old for a cap: caps still count them."""
    codes = words.codes()
    first, newest = (kept.at[0], kept.id[0]), kept.at[-1]
    found: dict[int, Known] = {}
    for items in parts:
        gone = (items.at < first[0]) | ((items.at == first[0]) & (items.id < first[1]))
        code = items.code
        gone &= (items.at >= newest - KEPT) & (codes.sorts[code] == OUTBOUND)
        for i in np.flatnonzero(gone).tolist():
            channel, _, type, _ = codes.entries[code[i]]
            found[int(items.id[i])] = Known(int(items.at[i]), None, None, channel, type)
    return found


def tell(tx: Tx, row: Row, hidden: bool = False) -> Told | None:
    """What the profile learns from a row, None for most. Outbound reports about our own contact move it, too."""
    outbound = row["direction"] == "outbound"
    decision_id, action = row.get("decision_id"), row.get("action")
    of_note = hidden or action is not None or decision_id is not None
    if row["type"] not in telling.TELLING and not (outbound and of_note):
        return None
    if (scope := telling.scope(row)) is None:
        return None
    contact, answers = decision_id, None
    if decision_id is not None:
        ours = _ours(tx, row)
        if ours is not None:
            contact, action, answers = ours.contact_id, action or ours.action, ours.channel
            if outbound:
                _move(tx, ours, row)
        elif (decided := logged.action_of(tx, decision_id)) is not None:
            contact, action = NO_CONTACT, action or decided[0]
    return Told(
        order=hash_string(row["interaction_id"]),
        at=row["occurred_at"],
        channel=row["channel"],
        direction=row["direction"],
        type=row["type"],
        case_id=row.get("case_id"),
        action=action,
        contact=contact,
        scope=scope,
        hidden=hidden,
        answers=answers,
        until=telling.until(row),
    )


def own_touch(contact: Contact, now: int) -> dict[str, Any]:
    """The outbound interaction that a sent contact is."""
    return {
        "interaction_id": f"contact-{contact.contact_id}",
        "customer_id": contact.customer_id,
        "occurred_at": now,
        "channel": contact.channel,
        "direction": "outbound",
        "type": "contact",
        "decision_id": contact.decision_id,
        "action": contact.action,
        "identified": True,
        "provenance": "observed",
        "received_at": now,
    }


def _body(row: Row) -> bytes:
    """The row as the log keeps it: every column of the contract, attributes as text."""
    whole = {name: row.get(name) for name in SCHEMA.names}
    if whole["attributes"] is not None and not isinstance(whole["attributes"], str):
        whole["attributes"] = orjson.dumps(whole["attributes"]).decode()
    return orjson.dumps(whole)


def _complete(tx: Tx, row: Row) -> Row:
    """With the action that its decision was about: history, and a store made anew from it, cannot look it up."""
    decision_id = row.get("decision_id")
    if decision_id is None or row.get("action") is not None:
        return row
    ours = _ours(tx, row)
    if ours is not None and ours.state != "ghost":
        return {**row, "action": ours.action}
    decided = logged.action_of(tx, decision_id)
    return row if decided is None or decided[0] is None else {**row, "action": decided[0]}


def _fresh(tx: Tx, rows: Sequence[Row], gone: Collection[str]) -> tuple[bool, ...]:
    """Which rows were not seen before; the first of an id is the one that counts."""
    kept = [row for row in rows if row["customer_id"] not in gone]
    ids = [(signed(hash_string(row["interaction_id"])),) for row in kept]
    new = iter(tx.each("INSERT INTO seen (id) VALUES (?) ON CONFLICT DO NOTHING", ids))
    return tuple(row["customer_id"] not in gone and next(new) for row in rows)


def _entry(row: Row) -> Entry:
    return row["channel"], row["direction"], row["type"], row.get("topic")


def _items(rows: Sequence[tuple[Row, int]]) -> Items:
    """Columns of one customer's rows."""

    def floats(name: str) -> np.ndarray:
        return np.array([np.nan if (x := row.get(name)) is None else x for row, _ in rows], np.float64)

    return Items(
        np.array([row["occurred_at"] for row, _ in rows], np.int64),
        np.array([row["received_at"] for row, _ in rows], np.int64),
        np.array([hash_string(row["interaction_id"]) for row, _ in rows], np.uint64),
        keys([code for _, code in rows], [row.get("decision_id") is not None for row, _ in rows]),
        floats("value"),
        floats("satisfaction"),
        np.array([hash_string(row.get("case_id")) for row, _ in rows], np.uint64),
        np.array([discount(row.get("attributes")) for row, _ in rows], np.float64),
    )


def _ours(tx: Tx, row: Row) -> Contact | None:
    """The contact that a report is about: of a decision with several the one of its action, else on its channel."""
    asked = f"SELECT {contacts.COLUMNS} FROM contacts WHERE decision_id = ?"
    found = map(contacts.from_row, tx.execute(asked, (row["decision_id"],)).fetchall())
    action, channel = row.get("action"), row["channel"]
    return min(
        found,
        key=lambda one: (one.action != action, one.channel != channel, one.state == "ghost", one.contact_id),
        default=None,
    )


def _move(tx: Tx, contact: Contact, row: Row) -> None:
    """A report that does not fit what was reported before changes nothing here; it stays in the log."""
    contact = contacts.locked(tx, contact)
    try:
        if row["type"] in _WENT_OUT and contact.state != "sent":
            contacts.sent(tx, contact, row["received_at"])
        elif row["type"] in _DID_NOT and contact.state != "failed":
            contacts.failed(tx, contact, row["received_at"])
    except Conflict:
        return
