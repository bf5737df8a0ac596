"""Contacts and the answers to them, day by day (daily.py): what several reports read of the log."""

from collections.abc import Sequence

import pyarrow as pa

from features.interactions import OPTED_OUT
from training.fatigue.log import COMPLAINED
from training.reports.daily import Partial, Rows

#: Of either, also where the log is empty.
COLUMNS = pa.schema(
    [
        ("day", pa.int32()),
        ("customer_id", pa.string()),
        ("at", pa.int64()),
        ("channel", pa.string()),
        ("decision_id", pa.string()),
        ("action", pa.string()),
        ("type", pa.string()),
    ]
)


def contacts(no_contact: Sequence[str]) -> Partial:
    """Outbound interactions that are contacts, whoever made them; `no_contact` are types that are none."""

    def compute(rows: Rows) -> pa.Table:
        return rows.sql(
            """SELECT day, customer_id, epoch_us(occurred_at) AS at, channel, decision_id, action FROM log
                WHERE direction = 'outbound' AND NOT list_contains($no, type)""",
            no=list(no_contact),
        )

    return Partial("contacts", "1 " + " ".join(sorted(no_contact)), "interactions", compute)


def answers(responses: Sequence[str]) -> Partial:
    """Interactions that answer a contact: of these types, opt-outs and complaints."""
    wanted = sorted({*responses, OPTED_OUT, COMPLAINED})

    def compute(rows: Rows) -> pa.Table:
        return rows.sql(
            """SELECT day, customer_id, epoch_us(occurred_at) AS at, channel, decision_id, action, type FROM log
               WHERE list_contains($wanted, type)""",
            wanted=wanted,
        )

    return Partial("answers", "1 " + " ".join(wanted), "interactions", compute)


def whole(table: pa.Table) -> pa.Table:
    """With all columns, also where the log is empty."""
    return table if table.num_columns else COLUMNS.empty_table()
