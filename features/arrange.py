"""From a table of interactions to records, each customer's together and in order of (occurred_at, hash of id)."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import physical
from features.hashing import hash_strings
from features.interactions import INSTANT
from features.kernel import records
from features.kernel.grouping import Names
from features.kernel.records import EXTRAS, ID, unpacked
from features.sensitive import is_sensitive
from features.state import Items
from features.vocabulary import Vocabulary

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
    """Customer i (`names`, sorted) owns records start[i]:end[i]; see features/kernel/records.py.

    `present` bool[4] says which columns of the extras any row has.
    """

    names: pa.Array
    start: np.ndarray
    end: np.ndarray
    records: np.ndarray
    extras: np.ndarray
    present: np.ndarray

    @cached_property
    def customers(self) -> np.ndarray:
        """object[customers]: the names."""
        return np.asarray(self.names.to_numpy(zero_copy_only=False), object)

    def items(self, first: int, last: int) -> Items:
        """What customers first..last did, one after the other."""
        lo, hi = (self.start[first], self.end[last - 1]) if last > first else (0, 0)
        rows = self.records[lo:hi]
        if last - first > 1:
            owner = np.repeat(np.arange(first, last), self.end[first:last] - self.start[first:last])
            inside = self.end[first:last] - self.start[first:last]
            rows = self.records[np.repeat(self.start[first:last] - (np.cumsum(inside) - inside), inside)
                                + np.arange(len(owner))]  # fmt: skip
        at, received, key, value, satisfaction, case, discount = unpacked(rows, self.extras, self.present)
        return Items(at, received, rows[:, ID].copy().view(np.uint64), key, value, satisfaction, case, discount)


def arrange(table: pa.Table, vocabulary: Vocabulary, sensitive: Collection[str] = ()) -> Log:
    """The whole table; rows on sensitive topics (lower case) are left out, a repeated row counts once.

    Raises ValueError naming the columns that are missing.
    """
    have = set(table.column_names)
    have |= {column for stand_in, column in physical.STANDS_FOR.items() if stand_in in have}
    missing = [name for name in COLUMNS if name not in have and name not in _OPTIONAL]
    if missing:
        raise ValueError(f"interactions lack the column(s) {', '.join(missing)}; see features/interactions.py")
    rows = table.num_rows
    key, wanted = _keys(table, vocabulary, sensitive)
    names, customer = _customers(table.column("customer_id"), wanted)
    order = pc.sort_indices(names).to_numpy()
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    counts = np.zeros(len(names), np.int64)
    records.count(customer, counts)
    start = np.zeros(len(names) + 1, np.int64)
    np.cumsum(counts[order], out=start[1:])
    place = start[:-1][rank]
    found = np.empty((start[-1], 4), np.int64)
    extras, used, present = np.empty((rows + 1, EXTRAS), np.int64), 1, np.zeros(EXTRAS, bool)
    extras[0] = 0
    done = 0
    for piece in _columns(table).to_batches():
        here = slice(done, done + piece.num_rows)
        done = here.stop
        at, id, value, received, satisfaction, case, discount = piece.columns
        used = records.scatter(
            _words(at, np.int64), _words(id, np.uint64), key[here], customer[here],
            _words(value, np.float64), records.bits(value), _words(received, np.int64),
            _words(satisfaction, np.float64), records.bits(satisfaction), _words(case, np.uint64),
            _words(discount, np.float64), np.array([value.offset, satisfaction.offset]),
            place, found, extras, used, present,
        )  # fmt: skip
    start, end = start[:-1], place[order]
    records.put_in_order(found, start, end)
    return Log(names.take(pa.array(order)), start, end, found, extras[:used], present)


def _keys(table: pa.Table, vocabulary: Vocabulary, sensitive: Collection[str]) -> tuple[np.ndarray, np.ndarray]:
    """int32[n] keys, and bool[n] which rows are not hidden."""
    combination, codes = vocabulary.combine(table)
    key_of = np.where(codes >= 0, codes * 2, -1).astype(np.int32)
    if sensitive:
        hidden = np.array([is_sensitive(topic, sensitive) for *_, topic in vocabulary.entries], bool)
        if hidden.any():
            key_of[(codes >= 0) & hidden[codes]] = -1
    keys, wanted = np.empty(table.num_rows, np.int32), np.empty(table.num_rows, bool)
    own = physical.own(table)
    records.find_keys(combination, key_of, own if own.any() else own[:0], keys, wanted)
    return keys, wanted


def _customers(column: pa.ChunkedArray, wanted: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    """Distinct customers as they appear, and int32[n], each row's position among them, -1 where not wanted."""
    if column.null_count:
        raise ValueError(f"{column.null_count} interactions have no customer_id; quarantine them before")
    names, customer, done = Names(), np.empty(len(column), np.int32), 0
    for chunk in column.chunks:
        here = slice(done, done + len(chunk))
        customer[here] = names.positions(chunk, wanted[here])
        done = here.stop
    return names.to_arrow(), customer


def _columns(table: pa.Table) -> pa.Table:
    """What is scattered, one type each; what nobody has is null all through."""
    rows, names = table.num_rows, set(table.column_names)
    nothing = pa.nulls(rows)  # of no type, so that it takes no memory
    at, received = (table.column(name) for name in ("occurred_at", "received_at"))
    at, late = at.cast(INSTANT).cast(pa.int64()), received.null_count < rows
    received = received.cast(INSTANT).cast(pa.int64()) if late else received
    case, saved = table.column("case_id"), physical.discounts(table) if names & {"_discount", "attributes"} else None
    return pa.table(
        {
            "at": at,
            "id": table.column("_id") if "_id" in names else pa.array(physical.ids(table), pa.uint64()),
            "value": table.column("value").cast(pa.float64()),
            "received": received if late and not received.equals(at) else nothing,
            "satisfaction": table.column("satisfaction").cast(pa.float64()),
            "case": nothing if case.null_count == rows else pa.array(hash_strings(case)),
            "discount": nothing if saved is None or np.isnan(saved).all() else pa.array(saved),
        }
    )


def _words(array: pa.Array, kind: type) -> np.ndarray:
    """Of length 0 where all are null, but for the value, which is never left out."""
    if array.null_count == len(array):
        array = array[:0]
    return records.view(array.buffers()[1] if len(array) else None, kind, array.offset, len(array))
