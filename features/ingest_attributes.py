"""Ingest of customer attributes: tables of what a CRM says, all or nothing, with every row accounted for.

A row has `customer_id`, `valid_from`, perhaps `received_at` and `record_id`. What it says is a JSON object in the
column `attributes`, or every other column under its own name: there an empty cell says nothing, while a null in the
object takes back what was said before.
"""

import heapq
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from features import clock
from features.attributes import AHEAD, EARLIEST, conform, document
from features.daylog import Writer
from features.history import History, Receipt
from features.ingest import Ingested, SourceReceipt, Tick
from features.sources import streams, values
from features.sources.chunks import Chunk
from features.sources.complaints import Complaints
from features.sources.files import ENOUGH_TO_JUDGE, open_reader
from features.sources.mapping import Format, listed
from features.sources.quarantine import Quarantine, digest
from features.workspace import Workspace, WorkspaceError

NEEDED = ("customer_id", "valid_from")
_OWN = (*NEEDED, "received_at", "record_id")
_OBJECT = "attributes"


def ingest_attributes(workspace: Workspace, paths: Sequence[Path], tick: Tick | None = None) -> Ingested:
    """Reads files of records into history as one batch: all of them, or none where one cannot be read.

    `tick(path, rows)` is told of progress. Raises WorkspaceError in one line that says which file, why, what to do.
    """
    for path in paths:
        streams.head(path)
    with ExitStack() as stack:
        batch = stack.enter_context(History(workspace).records.writer(", ".join(path.name for path in paths)))
        done, refusals = [], []
        for path in paths:
            refused = Quarantine(workspace.quarantine, path.name, digest(path))
            stack.callback(refused.discard)
            done.append(_read(path, batch, refused, workspace.clock().now(), tick))
            refusals.append(refused)
        for refused in refusals:  # before the batch: a kill between the two leaves a file too many, no row too few
            refused.commit()
        batch.notes = {"sources": [{"source": each.source, **asdict(each.receipt)} for each in done]}
    return Ingested(tuple(done))


def records_of(chunk: Chunk, columns: Sequence[str], now: int) -> tuple[pa.Table, Complaints]:
    """The records of a chunk, and what is wrong with which row; `columns` are the file's."""
    complaints = Complaints(chunk.rows)
    customer, broken = values.text(chunk.column("customer_id"))
    complaints.add(broken, "customer_id", lambda _row: "holds bytes that are not in the file's encoding")
    complaints.add(_null(customer), "customer_id", lambda _row: "is missing")
    found = {"customer_id": customer, "valid_from": _instants(chunk, "valid_from", complaints)}
    complaints.add(_null(found["valid_from"]), "valid_from", lambda _row: "is missing: since when is this true?")
    if "received_at" in columns:
        found["received_at"] = _instants(chunk, "received_at", complaints)
    if "record_id" in columns:
        found["record_id"] = values.text(chunk.column("record_id"))[0]
    _within_time(found, now, complaints)
    documents, wrong = _documents(chunk, columns)
    complaints.add(np.array([text is None for text in documents], bool), _OBJECT, wrong.__getitem__)
    return pa.table(found | {"attributes": pa.array(documents, pa.string())}), complaints


def _read(path: Path, batch: Writer, refused: Quarantine, now: int, tick: Tick | None) -> SourceReceipt:
    reader = open_reader(path, Format())
    missing = [name for name in NEEDED if name not in reader.columns]
    if missing:
        raise WorkspaceError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has {listed(reader.columns)}."
            " Attributes need customer_id and valid_from (since when it is true); rename or add them"
        )
    nested = any(name.startswith(f"{_OBJECT}.") for name in reader.columns)
    wanted = [*reader.columns, *([_OBJECT] if nested else [])]
    total, first = Receipt(), True
    for chunk in reader.chunks(wanted):
        table, complaints = records_of(chunk, reader.columns, now)
        if first:
            _judge(path, chunk, complaints)
        first = False
        _refuse(chunk, complaints, refused)
        good = conform(table.filter(pa.array(~complaints.bad)))
        fresh, bad = int(batch.add(good).sum()), table.num_rows - good.num_rows
        received = table.num_rows + len(chunk.damaged)
        total += Receipt(received, fresh, good.num_rows - fresh, bad + len(chunk.damaged))
        if tick is not None:
            tick(str(path), received)
    if first:
        raise WorkspaceError(f"{path} has no rows")
    reasons = tuple(sorted(refused.summary.values(), key=lambda kind: -kind.rows))
    return SourceReceipt(str(path), total, refused.path if refused.rows else None, reasons)


def _judge(path: Path, chunk: Chunk, complaints: Complaints) -> None:
    """Where no row of many fits, it is the file that does not."""
    wrong = complaints.everywhere()
    if wrong is not None and chunk.rows >= ENOUGH_TO_JUDGE:
        raise WorkspaceError(f"{path}: no row of the first {chunk.rows:,} is a record; {wrong[0]}: {wrong[1]}")


def _refuse(chunk: Chunk, complaints: Complaints, refused: Quarantine) -> None:
    told = [(int(chunk.positions[row]), complaints.of(int(row)), row) for row in np.flatnonzero(complaints.bad)]
    for position, reason, found in heapq.merge(told, chunk.damaged, key=lambda bad: bad[0]):
        refused.add(position, reason, chunk.raw(int(found)) if isinstance(found, np.integer) else found)


def _instants(chunk: Chunk, name: str, complaints: Complaints) -> pa.Array:
    found, (bad, reason) = values.instants(chunk.column(name), (), "UTC", values.NULLS)
    complaints.add(bad, name, lambda row: reason(row).partition("; in the map")[0].partition("; name its")[0])
    return found


def _within_time(found: dict[str, pa.Array], now: int, complaints: Complaints) -> None:
    valid = found["valid_from"].cast(pa.int64()).fill_null(0).to_numpy()
    complaints.add(valid < EARLIEST, "valid_from", lambda _row: "lies before 1900")
    complaints.add(valid > now + AHEAD, "valid_from", lambda _row: "lies more than ten years ahead")
    if "received_at" in found:
        received = found["received_at"].cast(pa.int64()).fill_null(0).to_numpy()
        late = f"lies in the future; this workspace's clock says {clock.isoformat(now)[:10]}"
        complaints.add(received > now + clock.DAY, "received_at", lambda _row: late)
        complaints.add(received < 0, "received_at", lambda _row: "lies before 1970")


def _documents(chunk: Chunk, columns: Sequence[str]) -> tuple[list[str | None], dict[int, str]]:
    """Each row's object as JSON, None where there is none; and why."""
    prefix = f"{_OBJECT}."
    given = values.text(chunk.column(_OBJECT), ())[0].to_pylist() if _OBJECT in chunk.columns else [""] * chunk.rows
    # what a struct or a nested object holds comes as columns of its own where the object itself does not
    spread = [name for name in columns if name.startswith(prefix)] if not any(given) else []
    plain = [name for name in columns if name not in (*_OWN, _OBJECT) and not name.startswith(prefix)]
    cells = {name.removeprefix(prefix): _cells(chunk.column(name)) for name in [*spread, *plain]}
    documents: list[str | None] = []
    wrong: dict[int, str] = {}
    for row in range(chunk.rows):
        stated = {name: column[row] for name, column in cells.items() if column[row] is not None}
        try:
            documents.append(document(_joined(given[row], stated)))
        except ValueError as error:
            documents.append(None)
            wrong[row] = str(error)
    return documents, wrong


def _joined(text: str | None, stated: dict[str, Any]) -> Any:
    if not text:
        return stated
    if not stated:
        return text
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text  # told by whoever reads it
    return {**stated, **found} if isinstance(found, dict) else text


def _cells(column: pa.Array) -> list[Any]:
    """Plain values; text as it stands, without what means nothing."""
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type) or pa.types.is_string(column.type):
        return list(values.text(column)[0].to_pylist())
    return [_json(value) for value in column.to_pylist()]


def _json(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and value != value:
        return None
    return value


def _null(column: pa.Array) -> np.ndarray:
    return np.asarray(column.is_null())
