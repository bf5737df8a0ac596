"""All that is kept of a person, as plain rows that can be handed out."""

from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.daylog import DayLog
from features.history import History
from features.workspace import Workspace
from serving.store.protocol import Store


def export(workspace: Workspace, store: Store, customer_id: str) -> dict[str, Any]:
    """Under every id of the person: what the store keeps by table, and history by log. Instants as ISO 8601."""
    ids = store.ids_of([customer_id])
    return {
        "customer_id": customer_id,
        "ids": ids,
        "store": store.export_customer(ids),
        "history": {kind: _rows(kind, log, ids) for kind, log in History(workspace).logs.items()},
    }


def _rows(kind: str, log: DayLog, ids: list[str]) -> list[dict[str, Any]]:
    named = pa.array(ids, pa.string())
    where = pc.field("customer_id").isin(named)
    if kind == "identifiers":
        where = where | pc.field("identifier").isin(named)
    if log.schema is None and not log.batches():
        return []
    rows = log.read(where=where).to_pylist()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return {name: _plain(each) for name, each in value.items()} if isinstance(value, dict) else value
