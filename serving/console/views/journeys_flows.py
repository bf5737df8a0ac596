"""Flows from step to step: how journeys begin, what comes before a goal, what comes before a customer leaves."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving.console import figures
from serving.console.blocks import Chart, Column, Link, Section, Table, href
from serving.console.figures import Flow, Node

Found = Mapping[str, Any]
#: Links that a chart draws; its table has all of them.
DRAWN = 70
#: Kind of flow, its place among the figures, its title, what is counted, what leads a reader in.
FLOWS = (
    ("first", "first_steps", "How journeys begin", "journeys", "The first five steps, from left to right."),
    ("goal", "before_goal", "What comes before a goal", "journeys", "The last five steps of those that reached it."),
    (
        "leaving",
        "before_leaving",
        "What comes before leaving",
        "departures",
        "The last five steps up to the last thing that customers did before they had left.",
    ),
)
_ENDINGS = {"goal": "good", "quiet": "bad", "left": "bad", "open": "muted", "other": "muted"}


def sections(found: Found, narrowed: Mapping[str, str | None]) -> list[Section]:
    return [_section(found[field], kind, title, unit, lead, narrowed) for kind, field, title, unit, lead in FLOWS]


def _section(flow: Found, kind: str, title: str, unit: str, lead: str, narrowed: Mapping[str, str | None]) -> Section:
    said = f"{flow['sequences']:,} {unit} of {flow['customers']:,} customers. {lead}"
    links: Sequence[Found] = flow["links"]
    to = [_who(kind, link, narrowed) for link in links]
    table = Table(
        f"flow-{kind}",
        f"{title}: every move",
        [
            Column("Step", "count"),
            Column("From"),
            Column("To"),
            Column(unit.capitalize(), "count"),
            Column("Customers", "count"),
            Column("Who they are"),
        ],
        [
            [
                link["layer"] + 1,
                link["source"],
                link["target"],
                link["journeys"],
                link["customers"],
                Link("list", there),
            ]
            for link, there in zip(links, to, strict=True)
        ],
        empty="No journey took two steps.",
    )
    if not links:
        return Section(f"{kind}-section", title, [table], said)
    drawn = _connected(links, forward=kind == "first")
    figure = _drawn([links[k] for k in drawn], [to[k] for k in drawn], forward=kind == "first")
    rest = len(links) - len(drawn)
    if rest:
        said += f" The chart leaves out the {rest} smallest moves, the table does not."
    return Section(
        f"{kind}-section", title, [Chart(f"chart-{kind}", title, figure, table, _summary(links, unit))], said
    )


def _connected(links: Sequence[Found], forward: bool) -> list[int]:
    """The largest links that lead on from the first step or, looking back, on to the last: none hangs in the air."""
    kept = sorted(range(len(links)), key=lambda k: -links[k]["journeys"])[:DRAWN]
    while True:
        into = {(links[k]["layer"] + 1, links[k]["target_key"]) for k in kept}
        out = {(links[k]["layer"], links[k]["source_key"]) for k in kept}
        if forward:
            fast = [k for k in kept if not links[k]["layer"] or (links[k]["layer"], links[k]["source_key"]) in into]
        else:
            end = max(link["layer"] for link in links)
            fast = [
                k for k in kept
                if links[k]["layer"] == end or (links[k]["layer"] + 1, links[k]["target_key"]) in out
            ]  # fmt: skip
        if len(fast) == len(kept):
            return kept
        kept = fast


def _drawn(links: Sequence[Found], to: Sequence[str], forward: bool) -> figures.Figure:
    places: dict[tuple[int, str], int] = {}
    nodes: list[Node] = []

    def place(layer: int, key: str, name: str) -> int:
        if (layer, key) not in places:
            places[layer, key] = len(nodes)
            ours = key.endswith("|outbound")
            nodes.append(Node(name, layer, _ENDINGS.get(key, "series-4" if ours else "series-1")))
        return places[layer, key]

    flows = [
        Flow(
            place(link["layer"], link["source_key"], link["source"]),
            place(link["layer"] + 1, link["target_key"], link["target"]),
            link["journeys"],
            role=_ENDINGS.get(link["target_key"], "muted"),
            href=there,
        )
        for link, there in zip(links, to, strict=True)
    ]
    figure = figures.sankey(nodes, flows)
    figure["data"][0]["node"]["align"] = "left" if forward else "right"  # steps below each other are of one layer
    return figure


def _who(kind: str, link: Found, narrowed: Mapping[str, str | None]) -> str:
    """The page that lists the customers of a link."""
    asked = {"flow": kind, "layer": link["layer"], "from": link["source_key"], "to": link["target_key"]}
    return href("journeys", "customers", **asked, **narrowed)


def _summary(links: Sequence[Found], unit: str) -> str:
    """The three largest moves, in words."""
    largest = sorted(links, key=lambda link: -link["journeys"])[:3]
    told = [f"from “{link['source']}” to “{link['target']}” ({link['journeys']:,} {unit})" for link in largest]
    return "The largest moves are " + "; ".join(told) + "."
