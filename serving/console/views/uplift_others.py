"""Contacts that other tools made and nobody assigned by chance: described, never called an effect."""

from serving.console import figures
from serving.console.blocks import Block, Cell, Chart, Column, Finding, Section, Sentences, Table, Verdict
from serving.console.effects import Found
from serving.console.figures import Bars

CHIPS = {
    "targeted": Verdict("targeted", "warn"),
    "alike": Verdict("alike before"),
    "too_few": Verdict("too few to tell"),
}


def section(others: Found | None) -> Block | None:
    if not others:
        return None
    said = [Finding(one["sentence"], CHIPS[one["verdict"]]) for one in others["campaigns"]]
    blocks: list[Block] = [Sentences(said)]
    if others["campaigns"]:
        blocks += [_before_and_after(others), _balance(others)]
    return Section("others", "Contacts made by other tools", blocks, lead=others["sentence"])


def _before_and_after(others: Found) -> Chart:
    """Money a customer, before and after, of the contacted and all others."""
    names = [f"{one['action']}, {one['channel']}" for one in others["campaigns"]]
    bars, columns, values = [], [Column("Campaign")], []
    kind, unit = ("money" if others["unit"] else "number"), others["unit"]
    for when in ("before", "after"):
        for k, who in enumerate(("contacted", "others")):
            found = [one[when][k] for one in others["campaigns"]]
            bars.append(Bars(f"{who}, {others['days']} days {when}", found, role=None))
            columns.append(Column(f"{who}, {when}", kind, unit=unit))  # type: ignore[arg-type]
            values.append(found)
    rows: list[list[Cell]] = [[name, *row] for name, row in zip(names, zip(*values, strict=True), strict=True)]
    title = "Money a customer before and after, contacted and others"
    table = Table("others", title, columns, rows)
    return Chart("others", title, figures.bars(bars, names, kind, horizontal=True), table, others["sentence"])


def _balance(others: Found) -> Table:
    rows: list[list[Cell]] = [
        [f"{one['action']}, {one['channel']}", row["measure"], row["contacted"]["mean"], row["others"]["mean"],
         row["difference"]]
        for one in others["campaigns"]
        for row in one["balance"]
    ]  # fmt: skip
    columns = [
        Column("Campaign"),
        Column("Before the contact"),
        Column("Contacted", "number"),
        Column("Others", "number"),
        Column("Difference", "number", "in standard deviations; beyond 0.1 two groups are usually called different"),
    ]
    return Table("who-was-contacted", "Who was contacted", columns, rows)
