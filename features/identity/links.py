"""The log of links: which identifier belonged to which customer, from when, and when we learned of it.

`link` says that an identifier is this customer's, `unlink` takes it back, `erase` removes an identifier for good. The
log only grows; who is who as of an instant is worked out from it (features/identity/resolution.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.fingerprints import fingerprints, hexadecimal
from features.interactions import INSTANT
from features.workspace import CUSTOMER, Settings

OPS = ("link", "unlink", "erase")
LINK, UNLINK, ERASE = OPS

#: `customer_id` is null only where an identifier is erased; `link_id` is the idempotency key.
LINKS = pa.schema(
    [
        pa.field("link_id", pa.string(), nullable=False),
        pa.field("identifier", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("customer_id", pa.string()),
        pa.field("valid_from", INSTANT, nullable=False),
        pa.field("op", pa.string(), nullable=False),
        pa.field("received_at", INSTANT, nullable=False),
    ]
)
_INSTANTS = ("valid_from", "received_at")
#: What makes two rows the same link.
_CONTENT = ("identifier", "kind", "customer_id", "valid_from", "op")
#: What sources write where they know no identifier: linking by these would merge strangers.
PLACEHOLDERS = frozenset(
    {
        *("", "-", "-1", "0", "none", "null", "nil", "nan", "n/a", "na", "unknown", "undefined", "anonymous", "guest"),
        *("(not set)", "[object object]", "00000000-0000-0000-0000-000000000000"),
    }
)


def placeholder(identifier: str | None) -> bool:
    """Whether a text stands for the absence of an identifier."""
    return identifier is not None and identifier.strip().lower() in PLACEHOLDERS


def conform(table: pa.Table) -> pa.Table:
    """The table with exactly the columns of LINKS; `op` is link, `received_at` is `valid_from` where it is not said.

    An id that is not given is made of the content, so that the same link read twice is one. Raises ValueError where
    a required column is absent: checking rows is `complaints`' business.
    """
    rows = table.num_rows
    found = dict(zip(table.column_names, table.columns, strict=True))
    for name in ("identifier", "kind", "valid_from"):
        if name not in found:
            raise ValueError(f"identifiers need the column {name}")
    found.setdefault("customer_id", pa.chunked_array([pa.nulls(rows, pa.string())]))
    op = found.get("op", pa.chunked_array([pa.nulls(rows, pa.string())])).cast(pa.string())
    found["op"] = pc.fill_null(op, LINK)
    valid = found["valid_from"].cast(INSTANT)
    received = found.get("received_at", valid)
    found["received_at"] = pc.coalesce(received.cast(INSTANT), valid)
    columns = {name: found[name].cast(LINKS.field(name).type) for name in _CONTENT}
    ids = found.get("link_id", pa.chunked_array([pa.nulls(rows, pa.string())])).cast(pa.string())
    if ids.null_count:
        content = pa.table(columns | {"valid_from": columns["valid_from"].cast(pa.int64())})
        ids = pc.coalesce(ids, pa.chunked_array([hexadecimal(fingerprints(content))]))
    columns |= {"link_id": ids, "received_at": found["received_at"]}
    return pa.table([columns[field.name] for field in LINKS], schema=LINKS)


def links_from(
    identifiers: list[str],
    kinds: list[str],
    customers: list[str | None],
    valid_from: list[int],
    ops: list[str] | None = None,
    received_at: list[int] | None = None,
) -> pa.Table:
    """A table of links from plain lists, instants in microseconds: what a source's `identify` calls become."""
    ops = ops or [LINK] * len(identifiers)
    rows = zip(identifiers, kinds, customers, valid_from, ops, received_at or valid_from, strict=True)
    names = ("identifier", "kind", "customer_id", "valid_from", "op", "received_at")
    return from_content([dict(zip(names, row, strict=True)) for row in rows])


def from_content(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows with or without an id of their own, instants in microseconds: conformed."""
    columns = {
        name: pa.array([row.get(name) for row in rows], pa.int64() if name in _INSTANTS else pa.string())
        for name in LINKS.names
    }
    return conform(_retyped(pa.table(columns), INSTANT))


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of LINKS with instants in microseconds, as the live store takes them."""
    return _retyped(table, pa.int64()).to_pylist()


def from_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The other way: rows of the live store's log, whatever else they hold."""
    columns = [
        pa.array([row[field.name] for row in rows], pa.int64() if field.name in _INSTANTS else field.type)
        for field in LINKS
    ]
    return _retyped(pa.table(columns, names=LINKS.names), INSTANT).cast(LINKS)


def _retyped(table: pa.Table, kind: pa.DataType) -> pa.Table:
    for name in _INSTANTS:
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    return table


def erased(links: pa.Table | None) -> frozenset[str]:
    """Identifiers and customer ids that were erased: as if nobody had ever known them, as of any instant."""
    if links is None or not links.num_rows:
        return frozenset()
    gone = links.filter(pc.equal(links.column("op"), ERASE))
    return frozenset(gone.column("identifier").to_pylist())


def without_erased(table: pa.Table, gone: frozenset[str]) -> pa.Table:
    """The rows of a table whose `customer_id` was not erased."""
    if not gone or not table.num_rows:
        return table
    ids = table.column("customer_id")
    if pa.types.is_dictionary(ids.type):
        ids = ids.cast(ids.type.value_type)
    hidden = np.asarray(pc.is_in(ids, pa.array(sorted(gone), ids.type)))
    return table.filter(pa.array(~hidden)) if hidden.any() else table


def misfit(
    identifier: str | None, kind: str | None, customer_id: str | None, op: str, settings: Settings
) -> str | None:
    """What is wrong with one link, and what to do; None where it fits."""
    kinds = (CUSTOMER, *settings.identity.kinds)
    if not identifier:
        return "identifier: is missing"
    if op not in OPS:
        return f"op: {op!r} is not known; it may be {', '.join(OPS)}"
    if op == ERASE:
        return None
    if kind not in kinds:
        return f"kind: {kind!r} is not known; `identity.kinds` in tactful.yaml lists {', '.join(kinds)}"
    if not customer_id:
        return "customer_id: is missing"
    for name, text in (("identifier", identifier), ("customer_id", customer_id)):
        if placeholder(text):
            return f"{name}: {text!r} stands for an unknown one; linking by it would merge strangers"
    return None
