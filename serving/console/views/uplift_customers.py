"""The customers in one group of targeting, one by one; for those who may look at customers."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serving.console.blocks import Block, Cell, Column, Empty, Link, Page, Table, Text, href
from serving.console.effects import Found, column
from serving.console.policy_words import counted
from serving.console.views import Ask

#: Customers that are listed by name.
MOST = 500
#: Group -> who they are, after "N customers".
WHO = {
    "persuadable": "expected to gain more by {contact} than it costs",
    "not_worth_it": "expected to gain by {contact}, but less than it costs",
    "sleeping_dog": "expected to be better off without {contact}",
}
#: Of the last kind those expected to lose most come first, of the others those expected to gain most.
WORST_FIRST = "sleeping_dog"
_TABLE = "targeting.parquet"


def kept(ask: Ask) -> bool:
    """Whether the report keeps its customers here; that of a campaign table has none of ours."""
    return ask.tables is not None and (ask.tables / _TABLE).is_file()


def page(artefact: Mapping[str, Any], ask: Ask) -> Page:
    """Those of one contact and one group, which the page of uplift links."""
    contact, group = ask.query.get("contact", ""), ask.query.get("group", "")
    targeting = artefact.get("targeting") or {}
    known = group in WHO and any(one["name"] == contact for one in targeting.get("rankings", ()))
    rows = _rows(ask, contact, group) if known else None
    lead, blocks, shown = "This group cannot be shown.", list[Block](), list[dict[str, Any]]()
    if not known:
        blocks.append(Empty("No such group", "Open it from the page of uplift."))
    elif rows is None:
        why = "It was written somewhere else, or its tables are gone."
        blocks.append(Empty("The report keeps no customers here", why, "tactful report uplift"))
    else:
        shown = rows[:MOST]
        lead = f"{counted(len(rows), 'customer')} {WHO[group].format(contact=contact)}."
        if len(rows) > MOST:
            lead = f"{lead} The first {MOST} are listed."
        blocks += [_table(shown, targeting), Text(targeting["leave_alone"], quiet=True)]
    return Page(
        title="Customers of a group",
        lead=lead,
        blocks=[*blocks, Text([Link("Back to uplift", href("uplift") + "#targeting")])],
        kind="uplift",
        known_until=artefact.get("known_until"),
        created_at=artefact["created_at"],
        source=artefact["source"],
        names=[row["customer_id"] for row in shown],
    )


def _rows(ask: Ask, contact: str, group: str) -> list[dict[str, Any]] | None:
    """None where the table is not there or cannot be read."""
    if not kept(ask) or ask.tables is None:
        return None
    try:
        table = pq.read_table(ask.tables / _TABLE, filters=[("contact", "==", contact), ("kind", "==", group)])
    except (OSError, pa.ArrowInvalid):
        return None
    order = "ascending" if group == WORST_FIRST else "descending"
    rows = table.sort_by([("predicted", order), ("customer_id", "ascending")]).to_pylist()
    return [row for row in rows if row["customer_id"] not in ask.hidden]


def _table(rows: Sequence[Mapping[str, Any]], targeting: Found) -> Table:
    like = {"kind": targeting["outcome_kind"], "unit": targeting["unit"]}
    cells: list[list[Cell]] = [
        [Link(row["customer_id"], href("customers", row["customer_id"])), row["predicted"], row["tenth"]]
        for row in rows
    ]
    columns = [
        Column("Customer"),
        column("Expected", like, help=f"change of {targeting['outcome']} by a contact"),
        Column("Tenth", "count", help="1 is expected to gain most; who is expected to gain alike stands together"),
    ]
    note = (
        "What the model expects of each as they were last known to it, no promise: whether such a group is moved or "
        "harmed is what the page of uplift measures."
    )
    return Table("customers", "Who they are", columns, cells, note=note, empty="None of them is known any more.")
