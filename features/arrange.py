"""From a table of interactions to columns, each customer's together and in order of (occurred_at, hash of id)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.hashing import hash_strings
from features.interactions import INSTANT
from features.kernel.compiled import is_sensitive
from features.kernel.sorting import order_by_customer
from features.physical import STANDS_FOR, discounts, ids, own
from features.state import Items, keys
from features.vocabulary import Vocabulary, factorise

#: The columns of the contract that features read.
COLUMNS = (
    "customer_id",
    "interaction_id",
    "occurred_at",
    "received_at",
    "channel",
    "direction",
    "type",
    "topic",
    "value",
    "satisfaction",
    "case_id",
    "decision_id",
    "attributes",
)
#: What a table may go without: no row carries a decision of ours, nothing was saved on any.
_OPTIONAL = ("decision_id", "attributes")


@dataclass(frozen=True)
class Log:
    """Customer i (`customers`, sorted by id) owns rows start[i]:start[i + 1] of `items`."""

    customers: np.ndarray
    start: np.ndarray
    items: Items


def arrange(table: pa.Table, vocabulary: Vocabulary, sensitive: Collection[str] = ()) -> Log:
    """The whole table; rows on sensitive topics (lower case) are left out, a repeated row counts once.

    Raises ValueError naming the columns that are missing.
    """
    have = set(table.column_names)
    have |= {column for physical, column in STANDS_FOR.items() if physical in have}
    missing = [name for name in COLUMNS if name not in have and name not in _OPTIONAL]
    if missing:
        raise ValueError(f"interactions lack the column(s) {', '.join(missing)}; see features/interactions.py")
    table = table.select([name for name in (*COLUMNS, *STANDS_FOR) if name in table.column_names])
    code = vocabulary.encode(table)
    if sensitive:
        hidden = np.array([is_sensitive(topic, sensitive) for *_, topic in vocabulary.entries])
        if len(code) and hidden[code].any():
            kept = np.flatnonzero(~hidden[code])
            table, code = table.take(kept), code[kept]
    customers, customer = _ranks(table.column("customer_id"))
    at, id = _micros(table.column("occurred_at")), ids(table)
    start, order = np.zeros(len(customers) + 1, np.int64), np.zeros(len(at), np.int64)
    order_by_customer(customer, at, id, start, order)
    received = _micros(table.column("received_at"))
    saved = discounts(table)
    items = Items(
        at[order],
        received[order] if (received != at).any() else received[:0],
        id[order],
        keys(code, own(table))[order],
        _floats(table.column("value"))[order],
        _optional(table.column("satisfaction"), _floats, order),
        _optional(table.column("case_id"), hash_strings, order),
        saved[order] if not np.isnan(saved).all() else saved[:0],
    )
    return _without_repeats(Log(customers, start, items))


def _without_repeats(log: Log) -> Log:
    items = log.items
    repeated = np.zeros(len(items), bool)
    repeated[1:] = (items.id[1:] == items.id[:-1]) & (items.at[1:] == items.at[:-1])
    inner = log.start[:-1]
    repeated[inner[inner < len(items)]] = False  # another customer's row repeats nothing
    if not repeated.any():
        return log
    before = np.concatenate([[0], np.cumsum(~repeated)])
    return Log(log.customers, before[log.start], items.take(np.flatnonzero(~repeated)))


def _ranks(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct customers in order of their id, and each row's position among them."""
    if not len(column):
        return np.zeros(0, object), np.zeros(0, np.int64)
    if column.null_count:
        raise ValueError(f"{column.null_count} interactions have no customer_id; quarantine them before")
    index, labels = factorise(column)
    # a dictionary that came with the table may name customers who have no row in it, or one customer twice
    used = np.flatnonzero(np.bincount(index, minlength=len(labels)))
    names, position = np.unique(np.array(labels, object)[used], return_inverse=True)
    rank = np.zeros(len(labels), np.int64)
    rank[used] = position
    return names, rank[index]


def _micros(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(INSTANT).cast(pa.int64()).to_numpy()


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy()


def _optional(
    column: pa.ChunkedArray, convert: Callable[[pa.ChunkedArray], np.ndarray], order: np.ndarray
) -> np.ndarray:
    """Converted and in order; of length 0 where nothing but nulls."""
    if column.null_count == len(column):
        return convert(column[:0])
    return convert(column)[order]
