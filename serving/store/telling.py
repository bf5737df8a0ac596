"""What of an interaction a profile learns, before the store is asked: which types, consent's scope, marks."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features import clock
from features.hashing import hash_string, hash_strings
from features.interactions import (
    AS_USUAL,
    CASE_CLOSING,
    CASE_OPENING,
    CONSENT_GIVEN,
    LESS_OFTEN,
    OPTED_OUT,
    PAUSED,
    REACTIONS,
)
from features.sensitive import on_sensitive
from serving.decisions.marks import DECLARED, INFERRED, UNIDENTIFIED, Mark, bits
from serving.decisions.profile import EVERYWHERE

Row = Mapping[str, Any]
#: Types that a profile learns from, whatever their direction.
TELLING = frozenset((CONSENT_GIVEN, OPTED_OUT, LESS_OFTEN, AS_USUAL, PAUSED, *REACTIONS, *CASE_OPENING, *CASE_CLOSING))
_ABOUT_CONSENT = (CONSENT_GIVEN, OPTED_OUT, "complained")


def scope(row: Row) -> tuple[str, ...] | None:
    """What a consent row is about: its attributes {"channels": ["email"] or "all", "purposes": ["marketing"] or "all"}.

    Empty is the row's own channel. None where a yes cannot be read: what it is about is not guessed; a no that cannot
    be read is about the whole channel.
    """
    if row["type"] not in _ABOUT_CONSENT or not row.get("attributes"):
        return ()
    attributes = _object(row["attributes"])
    channels, purposes = _names(attributes.get("channels")), _names(attributes.get("purposes"))
    if row["type"] == CONSENT_GIVEN and (channels is None or purposes is None):
        return None
    channels = [EVERYWHERE if channel == "all" else channel for channel in channels or ()]
    if not purposes or "all" in purposes:
        return tuple(sorted(set(channels)))
    return tuple(sorted({f"{channel}/{purpose}" for channel in channels or [row["channel"]] for purpose in purposes}))


def until(row: Row) -> int | None:
    """The end of a pause: attribute `until`, an ISO date or instant. One that cannot be read lasts for ever."""
    if row["type"] != PAUSED:
        return None
    try:
        return clock.parse_instant(_object(row.get("attributes")).get("until", ""))
    except (ValueError, AttributeError):
        return FOR_EVER


def marks(rows: Iterable[tuple[Row, bool]]) -> list[Mark]:
    """Those inbound rows that were not identified, inferred or declared; `hidden` ones can be evidence of nothing."""
    found = []
    for row, hidden in rows:
        unusual = bits(row.get("identified", True), row.get("provenance") or "observed")
        if unusual and not hidden and row["direction"] == "inbound":
            found.append((row["occurred_at"], hash_string(row["interaction_id"]), unusual))
    return found


def marks_of(rows: pa.Table, sensitive: Collection[str]) -> Iterator[tuple[str, list[Mark]]]:
    """The same of a table, by customer."""
    provenance, unusual = rows.column("provenance"), np.zeros(rows.num_rows, np.uint8)
    unusual += UNIDENTIFIED * _bools(pc.equal(rows.column("identified"), False))
    unusual += INFERRED * _bools(pc.equal(provenance, "inferred"))
    unusual += DECLARED * _bools(pc.equal(provenance, "declared"))
    hidden = on_sensitive(rows.column("topic"), sensitive)
    kept = np.flatnonzero((unusual > 0) & ~hidden & (_bools(pc.equal(rows.column("direction"), "inbound")) > 0))
    if not len(kept):
        return
    some = rows.take(kept)
    at = some.column("occurred_at").cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
    orders, by_customer = hash_strings(some.column("interaction_id")).tolist(), dict[str, list[Mark]]()
    for customer, *mark in zip(some.column("customer_id").to_pylist(), at, orders, unusual[kept].tolist(), strict=True):
        by_customer.setdefault(customer, []).append((mark[0], mark[1], mark[2]))
    yield from by_customer.items()


#: Farther than any clock: 9999-01-01.
FOR_EVER = clock.parse_instant("9999-01-01")


def _bools(array: Any) -> np.ndarray:
    return pc.fill_null(array, False).to_numpy(zero_copy_only=False).astype(np.uint8)


def _object(attributes: Any) -> Mapping[str, Any]:
    if isinstance(attributes, str | bytes):
        try:
            attributes = orjson.loads(attributes)
        except orjson.JSONDecodeError:
            return {}
    return attributes if isinstance(attributes, dict) else {}


def _names(listed: Any) -> list[str] | None:
    """One name or several; empty where none is given, None where it is something else."""
    if listed is None:
        return []
    if isinstance(listed, str):
        return [listed]
    if isinstance(listed, list) and listed and all(isinstance(name, str) for name in listed):
        return listed
    return None
