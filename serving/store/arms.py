"""When people were decided about first, as history tells a store made anew: that id keeps them in their arms."""

from collections.abc import Sequence

from serving.store import identity
from serving.store.tx import Tx

_FIRST = (
    "INSERT INTO customers (customer_id, version, seen_to, assigned_at) VALUES (?, 0, 0, ?) ON CONFLICT (customer_id) "
    "DO UPDATE SET assigned_at = least(coalesce(customers.assigned_at, excluded.assigned_at), excluded.assigned_at)"
)
PIECE = 20_000  # ids in one transaction: others wait a tenth of a second


def assign(tx: Tx, first: Sequence[tuple[str, int]]) -> None:
    """(arm_id, instant), each id once. Nobody who was erased comes back."""
    gone = identity.locked(tx, [arm_id for arm_id, _ in first])
    tx.executemany(_FIRST, [each for each in first if each[0] not in gone])
