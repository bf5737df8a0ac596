"""Who looked at which customer, when, and on which page: kept as long as the customer is."""

from collections.abc import Collection, Sequence
from typing import Any

from serving.store import identity
from serving.store.tx import Reader, Tx

_COLUMNS = ("customer_id", "who", "page", "at")


def add(tx: Tx, who: str, customer_ids: Sequence[str], page: str, at: int) -> None:
    """Of those who were not erased: no row may name them any more."""
    tx.alone("identity")  # as an erasure is
    gone = identity.erased(tx, customer_ids)
    if rows := [(each, who, page, at) for each in customer_ids if each not in gone]:
        tx.executemany(f"INSERT INTO looks ({', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?)", rows)


def at_customers(reader: Reader, ids: Collection[str]) -> list[dict[str, Any]]:
    """Oldest first."""
    rows = reader.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM looks WHERE customer_id IN (SELECT value FROM texts(?)) ORDER BY at, who",
        (list(ids),),
    )
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
