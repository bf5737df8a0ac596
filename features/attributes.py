"""Customer attributes: what a CRM says of a customer, from when on, and when we learned of it.

A record is a JSON object that is true of a customer from `valid_from` until a later record says otherwise, key by key:
a key that a record does not mention keeps its value, and null takes it back. Features read the attributes that
tactful.yaml declares as of the cutoff: of what was received by then, the newest that is valid by then. Of each key the
16 newest statements are remembered, in history and online alike; they do not age out.

Inside, a statement is a *fact*: a line of int64 (name, valid_from, number, label, received_at), the number as the bits
of a float64 (NaN where the value is none), name and label as hashes (0 without a label).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features import clock
from features.declared import label_text
from features.fingerprints import fingerprints, hexadecimal
from features.hashing import hashed
from features.interactions import INSTANT
from features.kernel.facts import KEPT, NO_FACTS
from features.vocabulary import factorise

#: `record_id` is the idempotency key, made of the content where none is given.
ATTRIBUTES = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("valid_from", INSTANT, nullable=False),
        pa.field("received_at", INSTANT, nullable=False),
        pa.field("attributes", pa.string(), nullable=False),
    ]
)
#: What a record may weigh as JSON.
LARGEST = 16_384
#: What may be valid: a contract that begins in years, but no date of a broken clock.
EARLIEST, AHEAD = clock.parse_instant("1900-01-01"), 3653 * clock.DAY
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


@dataclass(frozen=True)
class FactLog:
    """Customer i (`customers`, sorted by id) owns rows start[i]:start[i + 1] of `facts`."""

    customers: np.ndarray
    start: np.ndarray
    facts: np.ndarray

    def ranges(self, wanted: Sequence[str] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(first, end) of each wanted customer's rows; empty for one who has none."""
        import pandas as pd

        place = pd.Index(self.customers).get_indexer(pd.Index(np.asarray(wanted, object)))
        found = place >= 0
        return np.where(found, self.start[place], 0), np.where(found, self.start[place + 1], 0)


def document(value: Any) -> str:
    """An object, or its JSON, in the one form in which equal objects are equal text. ValueError says what is wrong."""
    if isinstance(value, str | bytes):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError('is not an object; write {"key": value, ...}')  # noqa: TRY004  the caller quotes it
    if not value:
        raise ValueError("is empty: a record states at least one key")
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"cannot be kept: {error}") from None
    if len(text) > LARGEST:
        raise ValueError(f"is {len(text):,} bytes of JSON, at most {LARGEST:,}")
    return text.decode()


def conform(table: pa.Table) -> pa.Table:
    """The table with exactly the columns of ATTRIBUTES; what was received when is `valid_from` where it is not said.

    Raises ValueError where a column is absent, or a record is no JSON object: checking rows is the reader's business.
    """
    missing = [name for name in ("customer_id", "valid_from", "attributes") if name not in table.column_names]
    if missing:
        raise ValueError(f"attributes need the column(s) {', '.join(missing)}")
    valid = table["valid_from"].cast(INSTANT)
    received = pc.coalesce(table["received_at"].cast(INSTANT), valid) if "received_at" in table.column_names else valid
    index, texts = factorise(table["attributes"])
    documents = pa.array([document(text or "") for text in texts], pa.string()).take(pa.array(index))
    customers = table["customer_id"].cast(pa.string())
    content = pa.table({"customer_id": customers, "valid_from": valid.cast(pa.int64()), "attributes": documents})
    ids = pa.chunked_array([hexadecimal(fingerprints(content))], pa.string())
    if "record_id" in table.column_names:
        ids = pc.coalesce(table["record_id"].cast(pa.string()), ids)
    return pa.table([ids, customers, valid, received, documents], schema=ATTRIBUTES)


def records(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """A table of records from rows with instants in microseconds and an object each; received_at and record_id may be
    left out."""
    listed = list(rows)

    def column(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([row.get(name) for row in listed], kind)

    return conform(
        pa.table(
            {
                "record_id": column("record_id", pa.string()),
                "customer_id": column("customer_id", pa.string()),
                "valid_from": column("valid_from", pa.int64()).cast(INSTANT),
                "received_at": column("received_at", pa.int64()).cast(INSTANT),
                "attributes": pa.array([document(row["attributes"]) for row in listed], pa.string()),
            }
        )
    )


def from_rows(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """A table of records from rows with instants in microseconds, as the live store keeps them."""
    listed = list(rows)
    columns = []
    for field in ATTRIBUTES:
        instant = pa.types.is_timestamp(field.type)
        column = pa.array([row[field.name] for row in listed], pa.int64() if instant else field.type)
        columns.append(column.cast(field.type) if instant else column)
    return pa.table(columns, schema=ATTRIBUTES)


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The opposite of `from_rows`."""
    for name in ("valid_from", "received_at"):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.int64()))
    return table.to_pylist()


def facts_of(table: pa.Table | None, names: Collection[str]) -> FactLog:
    """The facts of all customers about the attributes named, each customer's together and in order."""
    if table is None or not table.num_rows or not names:
        return FactLog(np.zeros(0, object), np.zeros(1, np.int64), NO_FACTS)
    at = table["valid_from"].cast(INSTANT).cast(pa.int64()).to_numpy()
    received = table["received_at"].cast(INSTANT).cast(pa.int64()).to_numpy() if _has(table, "received_at") else at
    index, texts = factorise(table["attributes"])
    stated = [orjson.loads(text or "{}") for text in texts]
    pieces, whose = [], []
    for name in names:
        present = np.array([name in each for each in stated], bool)[index]
        values = np.array([_value(each.get(name)) for each in stated], np.int64).reshape(len(stated), 2)
        rows = np.flatnonzero(present)
        number, label = values[index[rows]].T
        pieces.append(np.column_stack([np.full(len(rows), hashed(name)), at[rows], number, label, received[rows]]))
        whose.append(rows)
    owner, customers = factorise(table["customer_id"])
    ids, rank = np.unique(np.array(customers, object), return_inverse=True)
    facts, customer = np.concatenate(pieces), rank[owner[np.concatenate(whose)]]
    customer, facts = _distinct(customer, facts)
    return FactLog(ids, np.searchsorted(customer, np.arange(len(ids) + 1)), facts)


def facts_of_record(stated: dict[str, Any], valid_from: int, received_at: int, names: Collection[str]) -> np.ndarray:
    """int64[n, 5]: what one record says of the attributes named."""
    lines = [(hashed(name), valid_from, *_value(stated[name]), received_at) for name in names if name in stated]
    return np.array(lines, np.int64).reshape(len(lines), NO_FACTS.shape[1])


def fold(facts: np.ndarray, more: np.ndarray) -> np.ndarray:
    """One customer's facts with others added: the 16 newest of each name, in order.

    Neither the order of arrival nor repeats change the result; a fact received twice counts from the first time.
    """
    both = np.concatenate([facts, more])
    _, both = _distinct(np.zeros(len(both), np.int64), both)
    name = both[:, 0]
    newer = np.searchsorted(name, name, side="right") - 1 - np.arange(len(name))  # how many of the name come after
    return np.ascontiguousarray(both[newer < KEPT])


def _distinct(customer: np.ndarray, facts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In order of (customer, name, valid_from, number, label); of equal facts the one received first."""
    order = np.lexsort((*facts.T[::-1], customer))
    customer, facts = customer[order], facts[order]
    same = (facts[1:, :4] == facts[:-1, :4]).all(axis=1) & (customer[1:] == customer[:-1])
    first = np.concatenate([np.ones(min(1, len(facts)), bool), ~same])
    return customer[first], np.ascontiguousarray(facts[first])


def _value(value: Any) -> tuple[int, int]:
    """(bits of the number, hash of the label); what is no plain value is neither."""
    label = label_text(value)
    written = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
    number = float(value) if written or isinstance(value, int | float) else float("nan")
    return int(np.float64(number).view(np.int64)), 0 if label is None else hashed(label)


def _has(table: pa.Table, name: str) -> bool:
    return name in table.column_names
