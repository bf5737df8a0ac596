"""Who looked at which customer, and when: kept as long as the customer is."""

from collections.abc import Collection
from typing import Any

from serving.store import identity
from serving.store.tx import Reader, Tx


def add(tx: Tx, who: str, customer_id: str, at: int) -> None:
    """Nothing where the id was erased: no row may name it any more."""
    tx.alone("identity")  # as an erasure is
    if identity.erased(tx, [customer_id]):
        return
    tx.execute("INSERT INTO looks (at, who, customer_id) VALUES (?, ?, ?)", (at, who, customer_id))


def at_customers(reader: Reader, ids: Collection[str]) -> list[dict[str, Any]]:
    """Oldest first."""
    rows = reader.execute(
        "SELECT customer_id, who, at FROM looks WHERE customer_id IN (SELECT value FROM texts(?)) ORDER BY at, who",
        (list(ids),),
    )
    return [dict(zip(("customer_id", "who", "at"), row, strict=True)) for row in rows]
