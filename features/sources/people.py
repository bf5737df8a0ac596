"""What a chunk of rows tells of who is who, and of what customers are like: links and profiles."""

import pyarrow as pa
import pyarrow.compute as pc

from features.identity.links import LINKS, conform
from features.interactions import INSTANT

#: Attributes of a customer as a JSON object, true from an instant on.
PROFILES = pa.schema(
    [
        pa.field("customer_id", pa.string()),
        pa.field("valid_from", INSTANT),
        pa.field("attributes", pa.string()),
        pa.field("received_at", INSTANT),
    ]
)
_PAIR = ("identifier", "kind", "customer_id")
_INSTANTS = ("valid_from", "received_at")
_NO_LINKS = pa.schema([(name, LINKS.field(name).type) for name in (*_PAIR, *_INSTANTS)]).empty_table()


def links(identifiers: list[tuple[pa.Array, str]], customers: pa.Array, at: pa.Array, received: pa.Array) -> pa.Table:
    """Links as in features/identity/links.py: each pair of an identifier and a customer once, from when it was first.

    `identifiers` are (values, kind); null where a row names none. Who is called by an identifier is not linked to it.
    """
    pieces = [_NO_LINKS]
    for found, kind in identifiers:
        table = pa.table([found, pa.repeat(kind, len(found)), customers, at, received], names=_NO_LINKS.column_names)
        known = pc.and_(pc.is_valid(customers), pc.is_valid(at))
        table = table.filter(pc.and_(known, pc.not_equal(found, customers)).fill_null(False))
        first = table.group_by(_PAIR).aggregate([(name, "min") for name in _INSTANTS])
        pieces.append(first.rename_columns([name.removesuffix("_min") for name in first.column_names]))
    return conform(pa.concat_tables([piece.select(_NO_LINKS.column_names) for piece in pieces]))


def profiles(found: pa.Array, customers: pa.Array, at: pa.Array, received: pa.Array) -> pa.Table:
    """One row for each JSON object with something in it."""
    table = pa.table([customers, at, found, received], schema=PROFILES)
    told = pc.and_(pc.starts_with(pc.utf8_ltrim_whitespace(found), "{"), pc.not_equal(found, "{}")).fill_null(False)
    return table.filter(pc.and_(told, pc.and_(pc.is_valid(customers), pc.is_valid(at))))
