"""Ingest of identifiers: tables of who is who, a row a link (features/identity/links.py).

A row has `identifier`, `kind`, `customer_id`, `valid_from`, and perhaps `op`, `received_at` and `link_id`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import clock
from features.history import History
from features.identity import links
from features.ingest import Ingested, Tick
from features.ingest_log import Kind, ingest, instants, words
from features.sources.chunks import Chunk
from features.sources.complaints import Complaints
from features.workspace import CUSTOMER, Settings, Workspace

NEEDED = ("identifier", "kind", "customer_id", "valid_from")
_WORDS = ("identifier", "kind", "customer_id", "op", "link_id")
_INSTANTS = ("valid_from", "received_at")


def ingest_identifiers(workspace: Workspace, paths: Sequence[Path], tick: Tick | None = None) -> Ingested:
    """Reads files of links into history as one batch; see `features.ingest_log.ingest`."""

    def read(chunk: Chunk, columns: Sequence[str], now: int) -> tuple[pa.Table, Complaints]:
        return links_of(chunk, columns, now, workspace.settings)

    kind = Kind("a link", NEEDED, f"Links need {', '.join(NEEDED)} (since when it is true)", read, links.conform)
    return ingest(workspace, History(workspace).identifiers, kind, paths, tick)


def links_of(chunk: Chunk, columns: Sequence[str], now: int, settings: Settings) -> tuple[pa.Table, Complaints]:
    """The links of a chunk, and what is wrong with which row; `columns` are the file's."""
    complaints = Complaints(chunk.rows)
    found = {name: words(chunk, name, complaints) for name in _WORDS if name in columns}
    found |= {name: instants(chunk, name, complaints) for name in _INSTANTS if name in columns}
    found["op"] = pc.fill_null(found.get("op", pa.nulls(chunk.rows, pa.string())), links.LINK)
    erasing = pc.equal(found["op"], links.ERASE)
    found["kind"] = pc.if_else(pc.and_(erasing, pc.is_null(found["kind"])), CUSTOMER, found["kind"])
    missing = np.asarray(pc.is_null(found["valid_from"]))
    complaints.add(missing, "valid_from", lambda _row: "is missing: since when is this true?")
    for name in _INSTANTS:
        if name in found:
            _within_time(found[name], name, now, complaints)
    rows = zip(*(found[name].to_pylist() for name in ("identifier", "kind", "customer_id", "op")), strict=True)
    wrong: dict[str, dict[int, str]] = {}
    for row, (identifier, kind, customer, op) in enumerate(rows):
        if (said := links.misfit(identifier, kind, customer, op, settings)) is not None:
            name, _, reason = said.partition(": ")
            wrong.setdefault(name, {})[row] = reason
    for name, reasons in wrong.items():
        complaints.add(np.isin(np.arange(chunk.rows), list(reasons)), name, reasons.__getitem__)
    return pa.table(found), complaints


def _within_time(column: pa.Array, name: str, now: int, complaints: Complaints) -> None:
    found = column.cast(pa.int64()).fill_null(1).to_numpy()
    future = f"lies in the future; this workspace's clock says {clock.isoformat(now)[:10]}"
    complaints.add(found > now + clock.DAY, name, lambda _row: future)
    complaints.add(found <= 0, name, lambda _row: "is not after 1970-01-01, which often stands for a missing date")
