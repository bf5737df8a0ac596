"""The interaction contract, checked row by row: what breaks it is told why."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import clock
from features.interactions import DIRECTIONS, PROVENANCES, SCHEMA
from features.sources.complaints import Complaints
from features.workspace import Settings

REQUIRED = tuple(field.name for field in SCHEMA if not field.nullable)

#: How far past the workspace's clock an interaction may lie before it counts as one from the future.
FUTURE_SLACK = clock.DAY


def check(table: pa.Table, settings: Settings, now: int, complaints: Complaints) -> None:
    """Adds a complaint for every row of `table` (the contract's columns and types, nulls allowed) that breaks it."""
    for column in REQUIRED:
        missing = _mask(pc.is_null(table[column]))
        if column not in ("interaction_id", "received_at") and missing.any():
            complaints.add(missing, column, lambda _row: "is missing")
    _listed(table, "channel", settings.channels, "tactful.yaml lists", complaints)
    _listed(table, "direction", DIRECTIONS, "it may be", complaints)
    _listed(table, "provenance", PROVENANCES, "it may be", complaints)
    for column in ("occurred_at", "received_at"):
        _within_time(table, column, now, complaints)
    _finite(table, complaints)


def _listed(table: pa.Table, column: str, allowed: list[str] | tuple[str, ...], says: str, into: Complaints) -> None:
    values = table[column]
    unknown = _mask(pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, pa.array(list(allowed))))))
    into.add(unknown, column, lambda row: f"{values[row].as_py()!r} is not known; {says} {', '.join(allowed)}")


def _within_time(table: pa.Table, column: str, now: int, into: Complaints) -> None:
    instants = _micros(table[column])
    fresh = np.ones(len(instants), bool)
    if column == "received_at":  # by default a copy of occurred_at, which has been told already
        fresh = instants != _micros(table["occurred_at"])
    into.add(
        fresh & (instants > now + FUTURE_SLACK),
        column,
        lambda row: (
            f"{_shown(instants[row])} is in the future; this workspace's clock says {clock.isoformat(now)[:10]}"
        ),
    )
    into.add(
        fresh & (instants <= 0),
        column,
        lambda row: (
            f"{_shown(instants[row])} is impossible: not after 1970-01-01, which often stands for a missing date"
        ),
    )


def _micros(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.int64()).fill_null(1).to_numpy()


def _finite(table: pa.Table, into: Complaints) -> None:
    value = _floats(table["value"])
    into.add(np.isinf(value), "value", lambda _row: "is infinite")
    satisfaction = _floats(table["satisfaction"])
    outside = (satisfaction < 0) | (satisfaction > 1)
    into.add(
        outside,
        "satisfaction",
        lambda row: f"{satisfaction[row]:g} is outside 0 to 1; scale it with an expression, e.g. (Rating - 1) / 4",
    )


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.float64()).fill_null(0.0).to_numpy()


def _mask(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy()


def _shown(us: int) -> str:
    try:
        return clock.isoformat(us)
    except OverflowError:
        return "the date"
