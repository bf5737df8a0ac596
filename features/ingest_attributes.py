"""Ingest of customer attributes: tables of what a CRM says, all or nothing, with every row accounted for.

A row has `customer_id`, `valid_from`, perhaps `received_at` and `record_id`. What it says is a JSON object in the
column `attributes`, or every other column under its own name: there an empty cell says nothing, while a null in the
object takes back what was said before.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from features import clock
from features.attributes import AHEAD, EARLIEST, conform, document
from features.history import History
from features.ingest import Ingested, Tick
from features.ingest_log import Kind, ingest, instants
from features.sources import values
from features.sources.chunks import Chunk
from features.sources.complaints import Complaints
from features.workspace import Workspace

NEEDED = ("customer_id", "valid_from")
_OWN = (*NEEDED, "received_at", "record_id")
_OBJECT = "attributes"


def ingest_attributes(workspace: Workspace, paths: Sequence[Path], tick: Tick | None = None) -> Ingested:
    """Reads files of records into history as one batch; see `features.ingest_log.ingest`."""
    need = "Attributes need customer_id and valid_from (since when it is true)"
    kind = Kind("a record", NEEDED, need, records_of, conform, whole=_OBJECT)
    return ingest(workspace, History(workspace).records, kind, paths, tick)


def records_of(chunk: Chunk, columns: Sequence[str], now: int) -> tuple[pa.Table, Complaints]:
    """The records of a chunk, and what is wrong with which row; `columns` are the file's."""
    complaints = Complaints(chunk.rows)
    customer, broken = values.text(chunk.column("customer_id"))
    complaints.add(broken, "customer_id", lambda _row: "holds bytes that are not in the file's encoding")
    complaints.add(_null(customer), "customer_id", lambda _row: "is missing")
    found = {"customer_id": customer, "valid_from": instants(chunk, "valid_from", complaints)}
    complaints.add(_null(found["valid_from"]), "valid_from", lambda _row: "is missing: since when is this true?")
    if "received_at" in columns:
        found["received_at"] = instants(chunk, "received_at", complaints)
    if "record_id" in columns:
        found["record_id"] = values.text(chunk.column("record_id"))[0]
    _within_time(found, now, complaints)
    documents, wrong = _documents(chunk, columns)
    complaints.add(np.array([text is None for text in documents], bool), _OBJECT, wrong.__getitem__)
    return pa.table(found | {"attributes": pa.array(documents, pa.string())}), complaints


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
