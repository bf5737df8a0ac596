"""A year of a busy company, as long as asked for: the same numbers give the same rows, in bounded memory.

Eight channels, a dozen types, topics, money, discounts, satisfaction, service cases, contacts of ours and of other
tools. A few customers do much and most do little (log-normal). Rows are in order of time, as in a history that was
filled day by day.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.clock import DAY, parse_instant
from features.interactions import CHANNELS, INSTANT
from features.physical import with_physical

BY_CUSTOMER = 53  # interactions of one customer in a year, on average
START = parse_instant("2023-01-01")
DAYS = 365
TOPICS = ("billing", "delivery", "returns", "garden", "grocery", "household", "electronics", "loyalty")
#: type: direction, share of all rows, shares of the channels in the order of CHANNELS
#: (web, store, social, phone, mobile_app, email, chat, advertising)
TYPES = {
    "page_view": ("inbound", 0.34, (60, 0, 2, 0, 38, 0, 0, 0)),
    "purchase": ("inbound", 0.22, (30, 50, 0, 2, 18, 0, 0, 0)),
    "login": ("inbound", 0.10, (45, 0, 0, 0, 55, 0, 0, 0)),
    "search": ("inbound", 0.06, (60, 0, 0, 0, 40, 0, 0, 0)),
    "call": ("inbound", 0.04, (0, 0, 0, 80, 0, 0, 20, 0)),
    "complaint": ("inbound", 0.01, (10, 10, 15, 40, 5, 10, 10, 0)),
    "case_closed": ("inbound", 0.01, (0, 0, 0, 70, 0, 20, 10, 0)),
    "survey": ("inbound", 0.01, (30, 0, 0, 10, 20, 40, 0, 0)),
    "contact": ("outbound", 0.12, (0, 0, 5, 5, 25, 50, 0, 15)),
    "impression": ("outbound", 0.04, (40, 0, 10, 0, 20, 0, 0, 30)),
    "clicked": ("inbound", 0.03, (10, 0, 5, 0, 20, 60, 0, 5)),
    "accepted": ("inbound", 0.02, (30, 10, 0, 10, 20, 30, 0, 0)),
}
_NAMES = tuple(TYPES)
_SHARE = np.array([share for _, share, _ in TYPES.values()])


def tables(rows: int, seed: int = 0, chunk: int = 1_000_000) -> Iterator[pa.Table]:
    """The log in the contract's columns, `chunk` rows at a time."""
    customers = max(1, rows // BY_CUSTOMER)
    names = pa.array([f"customer-{number:07d}" for number in range(customers)])
    weight = np.random.default_rng([seed, 1]).lognormal(0, 1, customers).cumsum()
    edges = np.linspace(START, START + DAYS * DAY, -(-rows // chunk) + 1).astype(np.int64)
    for number, first in enumerate(range(0, rows, chunk)):
        rng = np.random.default_rng([seed, 2, number])
        n = min(chunk, rows - first)
        at = np.sort(rng.integers(edges[number], edges[number + 1], n))
        who = np.searchsorted(weight, rng.random(n) * weight[-1])
        yield _table(rng, names, at, who.astype(np.int32), first)


def _table(rng: np.random.Generator, names: pa.Array, at: np.ndarray, who: np.ndarray, first: int) -> pa.Table:
    n = len(at)
    kind = np.searchsorted(np.cumsum(_SHARE / _SHARE.sum()), rng.random(n)).astype(np.int32)
    channel = np.zeros(n, np.int32)
    for code, (_, _, shares) in enumerate(TYPES.values()):
        rows = np.flatnonzero(kind == code)
        channel[rows] = rng.choice(len(CHANNELS), len(rows), p=np.array(shares) / sum(shares))

    def of(*types: str) -> np.ndarray:
        return np.isin(kind, [_NAMES.index(name) for name in types])

    outbound = np.isin(kind, [code for code, (way, *_) in enumerate(TYPES.values()) if way == "outbound"])
    bought, case, rated = of("purchase"), of("complaint", "case_closed"), of("call", "survey", "complaint")
    ours = of("contact", "clicked", "accepted", "impression") & (rng.random(n) < 0.6)
    saved = bought & (rng.random(n) < 0.3)
    number = pa.array(np.arange(first, first + n)).cast(pa.string())
    cents = pa.array(np.round(rng.gamma(2, 150, n)).astype(np.int64)).cast(pa.string())
    instant = pa.array(at).cast(INSTANT)
    return pa.table(
        {
            "interaction_id": pc.binary_join_element_wise("interaction", number, "-"),
            "customer_id": pa.DictionaryArray.from_arrays(pa.array(who), names),
            "occurred_at": instant,
            "channel": _words(channel, CHANNELS),
            "direction": _words(outbound.astype(np.int32), ("inbound", "outbound")),
            "type": _words(kind, _NAMES),
            "value": pa.array(np.round(rng.gamma(2, 10, n), 2), mask=~bought),
            "topic": _words(rng.integers(0, len(TOPICS), n).astype(np.int32), TOPICS, of("login", "search")),
            "case_id": _only(case, pc.binary_join_element_wise("case", pa.array(who // 3).cast(pa.string()), "-")),
            "decision_id": _only(ours, pc.binary_join_element_wise("decision", number, "-")),
            "action": pa.nulls(n, pa.string()),
            "satisfaction": pa.array(np.round(rng.beta(4, 2, n), 2), mask=~(rated & (rng.random(n) < 0.5))),
            "identified": pa.array(np.ones(n, bool)),
            "provenance": _words(np.zeros(n, np.int32), ("observed",)),
            "received_at": instant,
            "attributes": _only(saved, pc.binary_join_element_wise('{"discount": ', cents, "e-2}", "")),
        }
    )


def _words(codes: np.ndarray, labels: tuple[str, ...], absent: np.ndarray | None = None) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=absent), pa.array(labels))


def _only(here: np.ndarray, values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(here), values, pa.scalar(None, pa.string()))


def write(rows: int, path: Path, physical: bool = True, seed: int = 0) -> Path:
    """One Parquet file with or without the physical columns that history stores beside the contract's."""
    writer = None
    for table in tables(rows, seed):
        made = with_physical(table) if physical else table
        if writer is None:
            writer = pq.ParquetWriter(path, made.schema, compression="zstd")
        writer.write_table(made)
    if writer is not None:
        writer.close()
    return path
