"""Contacts whose response window is over, until somebody has looked at what became of them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from serving.decisions.customer import Contact
from serving.store import contacts, folding
from serving.store.tx import Reader, Tx
from serving.store.words import Words


def unsettled(reader: Reader, now: int, limit: int) -> list[Contact]:
    """Those that went out and were not settled; the longest over first. Of a claim that nobody reported it is not
    known whether there was anything to respond to: it may turn out to have failed."""
    rows = reader.execute(
        f"SELECT {contacts.COLUMNS} FROM contacts WHERE settled_at IS NULL AND state = 'sent' "
        "AND respond_by <= ? ORDER BY respond_by LIMIT ?",
        (now, limit),
    )
    return [contacts.from_row(row) for row in rows]


def settle(
    tx: Tx,
    words: Words,
    sensitive: Collection[str],
    contact_ids: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    now: int,
) -> int:
    """Records what is to be said of some of them, and looks at none of them again; how many rows were new."""
    receipt = folding.record(tx, words, rows, sensitive)
    tx.execute(
        "UPDATE contacts SET settled_at = ? WHERE contact_id IN (SELECT value FROM texts(?))", (now, list(contact_ids))
    )
    return receipt.accepted
