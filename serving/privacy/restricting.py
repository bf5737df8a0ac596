"""Leaving a customer alone: nothing is sent or sold while processing is restricted.

The store is told first, for it is what binds; then history, so that a store that is lost and made anew knows, too.
"""

import secrets

import pyarrow as pa
import pyarrow.compute as pc

from features.daylog import DayLog
from features.history import History
from features.interactions import INSTANT
from features.workspace import Workspace
from serving.store.protocol import Store

RESTRICTIONS = pa.schema(
    [
        ("restriction_id", pa.string()),
        ("changed_at", INSTANT),
        ("customer_id", pa.string()),
        ("restricted", pa.bool_()),
    ]
)


def restrict(workspace: Workspace, store: Store, customer_id: str, on: bool, now: int) -> None:
    """For the person that an id belongs to, from the next decision and the next claim on."""
    store.restrict(customer_id, on, now).result()
    if store.erased([customer_id]):
        return
    row = {"restriction_id": secrets.token_hex(12), "changed_at": now, "customer_id": customer_id, "restricted": on}
    with _log(History(workspace)).writer("store", live=True) as batch:
        batch.add(pa.Table.from_pylist([row], RESTRICTIONS))
    store.bulk_load(_mark(batch.id), [])


def absorb(history: History, store: Store) -> None:
    """What a store has not been told, and all that was asked for later: the last word about each id, in that order."""
    log, seen = _log(history), store.absorbed()
    fresh = [batch.id for batch in log.batches() if _mark(batch.id) not in seen]
    if not fresh:
        return
    since = pc.min(log.read(["changed_at"], batches=fresh)["changed_at"].cast(pa.int64())).as_py()
    last: dict[str, bool] = {}
    for row in log.read(since=since).sort_by("changed_at").to_pylist():
        last.pop(row["customer_id"], None)
        last[row["customer_id"]] = row["restricted"]
    for customer_id, on in last.items():
        store.restrict(customer_id, on, 0).result()
    for batch_id in fresh:
        store.bulk_load(_mark(batch_id), [])


def _log(history: History) -> DayLog:
    return history.logs["restrictions"]


def _mark(batch_id: str) -> str:
    return f"restrictions {batch_id}"
