"""From the live store into history: interactions, decisions and contacts, each row once.

Rows are copied in the order of the store's logs and told apart by their ids, so that a sync that was killed is simply
run again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from features import attributes, clock, decision_log
from features.decision_log import DECISIONS
from features.history import LOGS, History, Receipt, conform
from features.identity import links
from features.interactions import INSTANT, SCHEMA
from features.tombstones import alone
from features.workspace import Workspace
from serving import silence
from serving.store.protocol import Log, Store

PIECE, PIECE_BYTES = 50_000, 128 << 20
#: As Python has it a decision with forty candidates is a hundred kilobytes, and as columns a tenth of that.
DECISIONS_AT_ONCE = 1_000
#: So long an entry of the outbox can be looked up after it was done: acknowledged, delivered or given up.
OUTBOX_KEPT = 30 * clock.DAY
_ORDER: tuple[Log, ...] = ("decisions", "contacts", "identifiers", "attributes", "interactions")

CONTACTS = pa.schema(
    [
        ("contact_id", pa.string()),
        ("status", pa.string()),
        ("changed_at", INSTANT),
        ("decision_id", pa.string()),
        ("customer_id", pa.string()),
        ("action", pa.string()),
        ("issue", pa.string()),
        ("group", pa.string()),
        ("channel", pa.string()),
        ("counts", pa.bool_()),
        ("reserved_at", INSTANT),
        ("expires_at", INSTANT),
        ("breach", pa.bool_()),
    ]
)


def sync(workspace: Workspace, store: Store, progress: Callable[[int], None] | None = None) -> dict[str, Receipt]:
    """What was copied, by log. `progress(rows)` is told after every piece. Nobody is erased meanwhile.

    What nobody answered in time is an outcome by then (silence.py). What the outbox was rid of OUTBOX_KEPT ago goes.
    """
    with alone(workspace):
        now = workspace.clock().now()
        silence.settle(store, now)
        store.outbox_expire(now - OUTBOX_KEPT).result()
        return _sync(workspace, store, progress)


def _sync(workspace: Workspace, store: Store, progress: Callable[[int], None] | None) -> dict[str, Receipt]:
    history = History(workspace)
    done: dict[str, Receipt] = {}
    for log in _ORDER:
        total = Receipt()
        for table, position in _pieces(store, log):
            total += _append(history, store, log, table)
            store.mark_synced(log, position).result()
            if progress is not None:
                progress(table.num_rows)
        done[log] = total
    return done


def _pieces(store: Store, log: Log) -> Iterator[tuple[pa.Table, int]]:
    """What is not in history yet, and the position reached, in bounded memory."""
    position, held = store.synced(log), list[pa.Table]()
    while rows := store.export(log, position, DECISIONS_AT_ONCE if log == "decisions" else PIECE):
        position = rows[-1]["position"]
        held.append(_columns(log, rows))
        if sum(each.num_rows for each in held) >= PIECE or sum(each.nbytes for each in held) >= PIECE_BYTES:
            yield pa.concat_tables(held), position
            held.clear()
    if held:
        yield pa.concat_tables(held), position


def _columns(log: Log, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    if log == "attributes":
        return attributes.from_rows(rows)
    if log == "identifiers":
        return links.from_rows(rows)
    if log == "interactions":
        return conform(_table([_plain(row) for row in rows], SCHEMA))
    return _table([_decision(row) if log == "decisions" else _contact(row) for row in rows], _SCHEMAS[log])


def _append(history: History, store: Store, log: Log, table: pa.Table) -> Receipt:
    if log == "attributes":
        return history.append_attributes(table, "live store", live=True)
    if log == "identifiers":
        return history.append_links(table, "live store", live=True)
    if log == "interactions":
        return _interactions(history, store, table)
    return history.append_log(log, table)


def _interactions(history: History, store: Store, table: pa.Table) -> Receipt:
    """The batch counts as absorbed: the store has its rows already. Killed in between, it loads them as duplicates."""
    with history.writer("live store", live=True) as batch:
        fresh = int(batch.add(table).sum())
    if fresh:
        store.bulk_load(batch.id, [])
    return Receipt(table.num_rows, fresh, table.num_rows - fresh)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in SCHEMA.names}


def _decision(row: Mapping[str, Any]) -> dict[str, Any]:
    document = {key: value for key, value in row.items() if key != "position"}
    return decision_log.row(row) | {"document": orjson.dumps(document).decode()}


def _contact(row: Mapping[str, Any]) -> dict[str, Any]:
    moment = {"reserved": "reserved_at", "ghost": "reserved_at", "claimed": "touched_at"}.get(row["state"], "closed_at")
    found = {name: row.get(name) for name in CONTACTS.names}
    return found | {"status": row["state"], "changed_at": row[moment]}


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = []
    for field in schema:
        values = [row[field.name] for row in rows]
        instant = pa.types.is_timestamp(field.type)
        column = pa.array(values, pa.int64() if instant else field.type)
        columns.append(column.cast(field.type) if instant else column)
    return pa.table(columns, schema=schema)


_SCHEMAS = {"decisions": DECISIONS, "contacts": CONTACTS}
assert all({*LOGS[log][0], LOGS[log][1]} <= set(schema.names) for log, schema in _SCHEMAS.items())
