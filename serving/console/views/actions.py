"""The catalogue of actions as it went: volumes, maturity, response, and what is learned of each."""

from collections.abc import Mapping
from typing import Any

from serving.console.action_blocks import answers, learned, maturity, rates
from serving.console.blocks import Block, Column, Link, Notes, Page, Section, Table, Tile, Tiles, Verdict, href
from serving.console.policy_words import human
from serving.console.views import Ask


def page(artefact: Mapping[str, Any], ask: Ask) -> Page:  # noqa: ARG001
    """Everything that the actions report found, its sentence first."""
    titles = {each["action"]: each["title"] for each in artefact["actions"]}
    treatments = artefact["treatments"]
    chart = rates(treatments, titles)
    least = (
        f"Fewer than {artefact['least_contacts']} contacts, or {artefact['least_responses']} answers, are too few to "
        "tell a rate."
    )
    blocks: list[Block] = [
        _tiles(treatments),
        Section("catalogue", "The catalogue", [_catalogue(artefact)]),
        Section("answered", "What was answered", [*([chart] if chart else []), answers(treatments, titles, least)]),
        Notes([
            "A contact counts as answered where the same customer responded to the same action within its response "
            "window, before the next contact with it.",
            "Intervals are 95%, added up by customer: who is contacted often answers alike.",
        ]),
    ]  # fmt: skip
    return Page(
        title="Actions",
        lead=artefact["headline"],
        blocks=blocks,
        kind="actions",
        known_until=artefact["known_until"],
        created_at=artefact["created_at"],
        source=artefact["source"],
    )


def _tiles(treatments: list[Mapping[str, Any]]) -> Tiles:
    contacts, minded = (
        sum(row["contacts"] for row in treatments),
        sum(row["opt_outs"] + row["complaints"] for row in treatments),
    )
    return Tiles(
        [
            Tile("Contacts", contacts, "count"),
            Tile("Answered", sum(row["responses"] for row in treatments), "count"),
            Tile("Withheld to measure", sum(row["withheld"] for row in treatments), "count"),
            Tile("Opt-outs and complaints", minded, "count", "after a contact", tone="bad" if minded else None),
        ]
    )


def _catalogue(artefact: Mapping[str, Any]) -> Table:
    unit = artefact["unit"]
    columns = (
        Column("Action"),
        Column("Goal"),
        Column("Group"),
        Column("Channels"),
        Column("Worth, if accepted", "money"),
        Column("Maturity", "verdict"),
        Column("What it causes", "verdict", "learned from decisions by chance"),
        Column(
            "More " + ("money a decision" if unit == "money" else "responses"),
            "signed_money" if unit == "money" else "points",
        ),
    )
    rows = []
    for each in artefact["actions"]:
        verdict, effect = learned(each, unit)
        rows.append((
            Link(each["title"], href("actions", each["action"])),
            human(each["issue"] or ""),
            human(each["group"] or ""),
            ", ".join(human(name) for name in each["channels"]),
            each["value"],
            maturity(each, artefact["maturity"]) if each["listed"] else Verdict("not in actions.yaml any more", "warn"),
            verdict or Verdict("not learned yet"),
            effect,
        ))  # fmt: skip
    return Table("catalogue", "Every action", columns, rows, empty="actions.yaml lists no action yet.")
