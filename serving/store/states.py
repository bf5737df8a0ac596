"""A customer's two rows: what every reservation changes, and apart from it the packed state, thirty times as long.

Runs inside the writer's transaction, on a customer that is locked.
"""

from serving.store.tx import Tx

_FIND = (
    "SELECT states.state, profile FROM customers LEFT JOIN states ON states.customer_id = customers.customer_id "
    "WHERE customers.customer_id = ?"
)
_CUSTOMER = (
    "INSERT INTO customers (customer_id, version, seen_to, profile) VALUES (?, 1, ?, ?) "
    "ON CONFLICT (customer_id) DO UPDATE SET version = customers.version + 1, "
    "seen_to = greatest(customers.seen_to, excluded.seen_to), profile = excluded.profile"
)
_STATE = (
    "INSERT INTO states (customer_id, state) VALUES (?, ?) "
    "ON CONFLICT (customer_id) DO UPDATE SET state = excluded.state"
)


def find(tx: Tx, customer_id: str) -> tuple[bytes | None, bytes | None]:
    """State and profile; None of what there is not."""
    found: tuple[bytes | None, bytes | None] | None = tx.execute(_FIND, (customer_id,)).fetchone()
    return (None, None) if found is None else found


def write(tx: Tx, customer_id: str, seen_to: int, profile: bytes | None, state: bytes | None) -> None:
    """The next version, not before `seen_to`. A `state` of None stays as it is."""
    tx.execute(_CUSTOMER, (customer_id, seen_to, profile))
    if state is not None:
        tx.execute(_STATE, (customer_id, state))
