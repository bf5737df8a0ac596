"""The log as it is known by now, for what looks at whole histories: as persons, up to the workspace's clock."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from features.engine.source import HistoryTable
from features.history import History
from features.identity.resolution import resolved
from features.interactions import INSTANT
from features.workspace import Workspace

#: What `arrange` asks for, as nothing where it was not read: received when it occurred, no money, no case.
_WORDS = ("customer_id", "occurred_at", "channel", "direction", "type", "topic")


def known(workspace: Workspace, columns: Sequence[str]) -> tuple[pa.Table, int] | None:
    """Interactions that `arrange` can take, with `columns` beside the words; and until when the log is known.

    That is until the newest interaction, or now where that lies ahead. None where history is empty.
    """
    history, now = History(workspace), workspace.clock().now()
    source = HistoryTable(history)
    hashed = "_id" if "_id" in source.columns else "interaction_id"
    batches = list(source.batches([*_WORDS, hashed, *columns], None, None))
    if not sum(batch.num_rows for batch in batches):
        return None
    table = pa.Table.from_batches(batches)
    newest = pc.max(table["occurred_at"]).cast(pa.int64()).as_py()
    until = min(now, newest + 1)
    if newest >= until:
        table = table.filter(pc.less(table["occurred_at"], pa.scalar(until, INSTANT)))
    table = resolved(table, history.links(), now, workspace.settings)
    nothing = {
        "received_at": table["occurred_at"],
        "value": pa.nulls(table.num_rows, pa.float64()),
        "satisfaction": pa.nulls(table.num_rows, pa.float64()),
        "case_id": pa.nulls(table.num_rows, pa.string()),
    }
    for name, column in nothing.items():
        if name not in table.column_names:
            table = table.append_column(name, column)
    return table, until
