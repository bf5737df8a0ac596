"""Records of customer attributes in the store: each once, into the log and the customer's packed state.

Runs inside the writer's transaction. Of a record the state keeps what is about the attributes that features read; when
tactful.yaml declares others, everything is folded once more from the log and from history, which changes nothing twice.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from features.attributes import facts_of, facts_of_record
from features.hashing import hashed
from features.online import learn
from features.state import State
from serving.store.identity import erased
from serving.store.protocol import Receipt
from serving.store.tx import Tx

Row = Mapping[str, Any]
PIECE = 20_000  # customers in one transaction: others wait a tenth of a second


def mark(batch_id: str, names: Collection[str]) -> str:
    """What says in `absorbed` that a batch is in the states as far as these attributes go."""
    return f"{batch_id} {hashlib.sha256(' '.join(sorted(names)).encode()).hexdigest()[:16]}"


def record(tx: Tx, rows: Sequence[Row], names: Collection[str]) -> Receipt:
    """Folds records (instants in microseconds, `attributes` as JSON) that were not seen before.

    What is of an erased customer counts as seen.
    """
    tx.lock({row["customer_id"] for row in rows})
    gone = erased(tx, {row["customer_id"] for row in rows})
    fresh = tuple(row["customer_id"] not in gone and _is_new(tx, row) for row in rows)
    new = [row for row, is_new in zip(rows, fresh, strict=True) if is_new]
    fold_rows(tx, new, names)
    tx.executemany(
        "INSERT INTO attributes (customer_id, at, body) VALUES (?, ?, ?)",
        [(row["customer_id"], row["received_at"], orjson.dumps(dict(row))) for row in new],
    )
    return Receipt(len(rows), len(new), len(rows) - len(new), fresh)


def fold_rows(tx: Tx, rows: Sequence[Row], names: Collection[str]) -> None:
    """Into the customers' states, whether seen before or not."""
    told: dict[str, list[np.ndarray]] = {}
    for row in rows:
        facts = facts_of_record(orjson.loads(row["attributes"]), row["valid_from"], row["received_at"], names)
        if len(facts):
            told.setdefault(row["customer_id"], []).append(facts)
    for customer_id, parts in told.items():
        _fold(tx, customer_id, np.concatenate(parts))


def pieces(table: pa.Table, names: Collection[str]) -> Iterator[list[tuple[str, np.ndarray]]]:
    """A table's facts by customer, as much as goes into one transaction."""
    log = facts_of(table, names)
    for start in range(0, len(log.customers), PIECE):
        end = min(start + PIECE, len(log.customers))
        yield [(str(log.customers[i]), log.facts[log.start[i] : log.start[i + 1]]) for i in range(start, end)]


def fold_piece(tx: Tx, piece: Sequence[tuple[str, np.ndarray]]) -> None:
    """Facts of many customers."""
    tx.lock([customer_id for customer_id, _ in piece])
    gone = erased(tx, [customer_id for customer_id, _ in piece])
    for customer_id, facts in piece:
        if len(facts) and customer_id not in gone:
            _fold(tx, customer_id, facts)


def _fold(tx: Tx, customer_id: str, facts: np.ndarray) -> None:
    found = tx.execute("SELECT state FROM customers WHERE customer_id = ?", (customer_id,)).fetchone()
    packed = found[0] if found is not None else None
    state = learn(State.from_bytes(packed) if packed else State(), facts).to_bytes()
    if state == packed:
        return
    tx.execute(
        "INSERT INTO customers (customer_id, version, seen_to, profile, state) VALUES (?, 1, 0, NULL, ?) "
        "ON CONFLICT (customer_id) DO UPDATE SET version = customers.version + 1, state = excluded.state",
        (customer_id, state),
    )


def _is_new(tx: Tx, row: Row) -> bool:
    id_hash = hashed(f"attributes {row['record_id']}")
    return tx.execute("INSERT INTO seen (id) VALUES (?) ON CONFLICT DO NOTHING", (id_hash,)).rowcount == 1
