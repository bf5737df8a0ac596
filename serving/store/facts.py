"""Records of customer attributes in the store: each once, into the log, the customer's packed state and their profile.

Runs inside the writer's transaction. Of a record the state keeps what is about the attributes that features read, the
profile what rules and the guard may ask for (time zone, country, language, consent ...). When tactful.yaml declares
others, everything is folded once more from the log and from history, which changes nothing twice.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from features.attributes import facts_of, facts_of_record
from features.hashing import hashed
from features.online import learn
from features.state import State
from features.vocabulary import factorise
from serving.decisions.profile import Profile
from serving.store import states
from serving.store.identity import locked
from serving.store.protocol import Receipt
from serving.store.tx import Tx

Row = Mapping[str, Any]


class Statement(NamedTuple):
    """One record about a customer."""

    valid_from: int
    received_at: int
    stated: dict[str, Any]


Told = tuple[str, np.ndarray, list[Statement]]  # customer, facts for their state, statements for their profile
PIECE = 20_000  # customers in one transaction: others wait a tenth of a second


def mark(batch_id: str, names: Collection[str]) -> str:
    """What says in `absorbed` that a batch is in the profiles, and in the states as far as these attributes go."""
    kept = " ".join(["profile", *sorted(names)])
    return f"{batch_id} {hashlib.sha256(kept.encode()).hexdigest()[:16]}"


def record(tx: Tx, rows: Sequence[Row], names: Collection[str]) -> Receipt:
    """Folds records (instants in microseconds, `attributes` as JSON) that were not seen before.

    What is of an erased customer counts as seen.
    """
    gone = locked(tx, {row["customer_id"] for row in rows})
    fresh = tuple(row["customer_id"] not in gone and _is_new(tx, row) for row in rows)
    new = [row for row, is_new in zip(rows, fresh, strict=True) if is_new]
    fold_rows(tx, new, names)
    tx.executemany(
        "INSERT INTO attributes (customer_id, at, body) VALUES (?, ?, ?)",
        [(row["customer_id"], row["received_at"], orjson.dumps(dict(row))) for row in new],
    )
    return Receipt(len(rows), len(new), len(rows) - len(new), fresh)


def fold_rows(tx: Tx, rows: Sequence[Row], names: Collection[str]) -> None:
    """Into the customers' states and profiles, whether seen before or not."""
    by_customer: dict[str, list[Statement]] = {}
    for row in rows:
        statement = Statement(row["valid_from"], row["received_at"], orjson.loads(row["attributes"]))
        by_customer.setdefault(row["customer_id"], []).append(statement)
    for customer_id, statements in by_customer.items():
        parts = [facts_of_record(each.stated, each.valid_from, each.received_at, names) for each in statements]
        _fold(tx, customer_id, np.concatenate(parts), statements)


def pieces(table: pa.Table, names: Collection[str]) -> Iterator[list[Told]]:
    """What a table says of each customer, as many as go into one transaction."""
    log = facts_of(table, names)
    owner, customers = factorise(table["customer_id"])
    at, received = (table[name].cast(pa.int64()).to_numpy() for name in ("valid_from", "received_at"))
    index, texts = factorise(table["attributes"])
    stated = [orjson.loads(text or "{}") for text in texts]
    first, end = log.ranges(np.array(customers, object))
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(len(customers) + 1))
    for low in range(0, len(customers), PIECE):
        piece: list[Told] = []
        for i in range(low, min(low + PIECE, len(customers))):
            theirs = order[starts[i] : starts[i + 1]].tolist()
            statements = [Statement(int(at[row]), int(received[row]), stated[index[row]]) for row in theirs]
            piece.append((str(customers[i]), log.facts[first[i] : end[i]], statements))
        yield piece


def fold_piece(tx: Tx, piece: Sequence[Told]) -> None:
    """What is told of many customers."""
    gone = locked(tx, [customer_id for customer_id, _, _ in piece])
    for customer_id, facts, statements in piece:
        if customer_id not in gone:
            _fold(tx, customer_id, facts, statements)


def _fold(tx: Tx, customer_id: str, facts: np.ndarray, statements: Sequence[Statement]) -> None:
    packed, content = states.find(tx, customer_id)
    state = packed
    if len(facts):
        state = learn(State.from_bytes(packed) if packed else State(), facts).to_bytes()
    profile = Profile.from_bytes(content)
    for each in statements:
        profile.state(each.valid_from, each.received_at, each.stated)
    told = profile.to_bytes()
    if state == packed and told == (content or Profile().to_bytes()):
        return
    states.write(tx, customer_id, 0, told, state if state != packed else None)


def _is_new(tx: Tx, row: Row) -> bool:
    id_hash = hashed(f"attributes {row['record_id']}")
    return tx.execute("INSERT INTO seen (id) VALUES (?) ON CONFLICT DO NOTHING", (id_hash,)).rowcount == 1
