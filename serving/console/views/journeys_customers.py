"""The customers in one flow of the journeys page; whoever may look at customers may open them."""

from collections.abc import Mapping
from typing import Any

from features.journeys import asking, flows, layout
from features.step_words import step_name
from serving.console.blocks import Block, Cell, Column, Empty, Link, Page, Table, Text, href
from serving.console.policy_words import counted
from serving.console.views import Ask
from serving.console.views.journeys import ASKED, asked

#: Customers that are listed by name.
MOST = 500
_ENDINGS = {
    "goal": "the goal",
    "quiet": "silence",
    "open": "where they still are",
    "left": "leaving",
    "other": "other steps",
}
_BEFORE = {
    "first": "of the first {} of a journey",
    "goal": "of the last {} before a goal",
    "leaving": "of the last {} before they left",
}


def page(artefact: Mapping[str, Any], ask: Ask) -> Page:
    """Counted from what the report kept, under the filters of the page that led here."""
    blocks: list[Block] = []
    names: list[str] = []
    try:
        lead, names = _listed(ask)
        blocks.append(_table(names))
    except ValueError as error:
        lead = "This flow cannot be shown."
        blocks.append(Empty("No such flow", f"{error}."))
    back = href("journeys", **{name: ask.query.get(name) for name in ASKED})
    return Page(
        title="Customers in a flow",
        lead=lead,
        blocks=[*blocks, Text([Link("Back to journeys", back)])],
        kind="journeys",
        known_until=artefact["known_until"],
        created_at=artefact["created_at"],
        source=artefact["source"],
        names=names,
    )


def _listed(ask: Ask) -> tuple[str, list[str]]:
    query = ask.query
    kept, names = (None, None) if ask.tables is None else (layout.read(ask.tables), layout.names(ask.tables))
    if kept is None or names is None:
        raise ValueError("the report keeps no customers here; `tactful report journeys` writes them")
    kind, layer = query.get("flow", ""), query.get("layer", "")
    if kind not in flows.FLOWS or not layer.isdecimal():
        raise ValueError("open it from the page of journeys")
    chosen = asking.chosen(kept, asked(ask), asking.masks(kept))
    source, target = query.get("from", ""), query.get("to", "")
    who = flows.members(kept, chosen, kind, int(layer), source, target)
    known = sorted(name for name in names[who].tolist() if name is not None and name not in ask.hidden)
    lead = (
        f"{counted(len(who), 'customer')} went from {_called(source)} to {_called(target)} after step {int(layer) + 1} "
        f"{_BEFORE[kind].format(flows.STEPS)}."
    )
    if len(known) > MOST:
        lead = f"{lead} The first {MOST} by name are listed."
    return lead, known[:MOST]


def _table(names: list[str]) -> Table:
    rows: list[list[Cell]] = [[Link(name, href("customers", name))] for name in names]
    empty = "None of them is known any more."
    return Table("customers", "Who they are", [Column("Customer")], rows, empty=empty)


def _called(key: str) -> str:
    """A step's key as words."""
    kind, _, rest = key.partition("|")
    channel = rest.partition("|")[0]
    return step_name(kind, channel) if channel else _ENDINGS.get(key, key)
