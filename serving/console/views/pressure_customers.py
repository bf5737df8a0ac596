"""Who is to be left alone this week, one by one; for those who may look at customers."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serving.console.blocks import Block, Cell, Column, Empty, Link, Page, Table, Text, href
from serving.console.views import Ask
from serving.console.views.pressure_words import capital

#: Customers that are listed by name.
MOST = 500


def page(artefact: Mapping[str, Any], ask: Ask) -> Page:
    """Those under most pressure first, as the report kept them."""
    rows = _rows(ask)
    blocks: list[Block] = []
    if rows is None:
        title = "The report keeps no customers here"
        blocks.append(Empty(title, "It was written somewhere else, or its tables are gone.", "tactful report pressure"))
    else:
        blocks.append(_table(rows, artefact["currency"]))
    return Page(
        title="Whom to leave alone this week",
        lead=artefact["headline"],
        blocks=[*blocks, Text([Link("Back to contact pressure", href("pressure"))])],
        kind="pressure",
        known_until=artefact["known_until"],
        created_at=artefact["created_at"],
        currency=artefact["currency"],
        source=artefact["source"],
        names=[row["customer_id"] for row in rows or ()],
    )


def _rows(ask: Ask) -> list[dict[str, Any]] | None:
    if ask.tables is None:
        return None
    try:
        table = pq.read_table(ask.tables / "alone.parquet")
    except (OSError, pa.ArrowInvalid):
        return None
    shown: list[dict[str, Any]] = table.slice(0, MOST + len(ask.hidden)).to_pylist()
    return [row for row in shown if row["customer_id"] not in ask.hidden][:MOST]


def _table(rows: list[dict[str, Any]], currency: str) -> Table:
    cells: list[list[Cell]] = [
        [
            Link(row["customer_id"], href("customers", row["customer_id"])),
            row["pressure"],
            row["contacts_7_days"],
            row["contacts_28_days"],
            row["worth_of_one_more"],
            capital(row["reason"]),
        ]
        for row in rows
    ]
    return Table(
        "customers",
        "Customers under most pressure first",
        [
            Column("Customer"),
            Column("Pressure", "percent", help="of what the contact policy tolerates"),
            Column("Contacts, 7 days", "count"),
            Column("Contacts, 28 days", "count"),
            Column("One more earns", "signed_money", help="on the best channel, where chance tells", unit=currency),
            Column("Why"),
        ],
        cells,
        note=f"The first {MOST} are listed." if len(rows) == MOST else None,
        empty="Nobody needs to be left alone this week.",
    )
