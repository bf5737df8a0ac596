"""What the actions report says, as blocks: shared by the page of all actions and the page of one."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving.console import figures
from serving.console.blocks import Cell, Chart, Column, Estimate, Link, Table, Verdict, href
from serving.console.policy_words import counted, human
from serving.decisions import phrases

Row = Mapping[str, Any]
TOO_FEW = Verdict("too few to tell")
LEARNED: Mapping[str, Verdict] = {
    "works": Verdict("works", "good"),
    "differs by customer": Verdict("works for some", "good"),
    "harms": Verdict("harms", "bad"),
    "cannot be told": Verdict("no effect shown", "muted"),
}


def estimate(found: Row | None) -> Estimate | None:
    """An interval of an artefact."""
    return None if found is None else Estimate(found["value"], found["low"], found["high"])


def maturity(action: Row, mature: int | None) -> Verdict:
    """Whether enough responses taught the models of an action; without ramping up all are."""
    taught = action["positives"]
    if mature is None:
        return Verdict("offered at once")
    if taught is None:
        return Verdict("not known")
    if taught >= mature:
        return Verdict("mature", "good")
    return Verdict(f"new: {taught:,} of {counted(mature, 'response')}", "info")


def learned(action: Row, unit: str | None) -> tuple[Cell, Cell]:
    """(the verdict, the effect) that the champion of uplift has of an action; None where it knows nothing."""
    found = action["learned"]
    if found is None:
        return None, None
    return LEARNED.get(found["verdict"], Verdict(found["verdict"])), estimate(found["effect"]) if unit else None


def answers(rows: Sequence[Row], titles: Mapping[str, str] | None = None, least: str = "") -> Table:
    """Each treatment: what went out and what came back; without titles those of one action, which is not named."""
    columns: tuple[Column, ...] = (
        Column("Action"),
        Column("Channel"),
        Column("Contacts", "count"),
        Column("Customers", "count"),
        Column("Answered", "percent", "with the interval that the truth likely lies in"),
        Column("Opt-outs", "count"),
        Column("Complaints", "count"),
        Column("Withheld", "count", "drawn and not made, to measure"),
        Column("Last", "day"),
    )
    shown: list[tuple[Cell, ...]] = [
        (
            Link((titles or {}).get(row["action"], human(row["action"])), href("actions", row["action"])),
            human(row["channel"]),
            row["contacts"],
            row["customers"],
            estimate(row["rate"]) or TOO_FEW,
            row["opt_outs"],
            row["complaints"],
            row["withheld"],
            row["last"] and row["last"][:10],
        )
        for row in rows
    ]
    note = f"{least} Answers are not effects: who answers might have come anyway. What was caused stands under Uplift."
    if titles is None:
        columns, shown = columns[1:], [row[1:] for row in shown]
    return Table("treatments", "What went out, and what came back", columns, shown, note, "Nothing went out yet.")


def rates(rows: Sequence[Row], titles: Mapping[str, str]) -> Chart | None:
    """Response rates with their intervals, the highest first; None where none can be told."""
    known = sorted((row for row in rows if row["rate"] is not None), key=lambda row: -row["rate"]["value"])[:20]
    if not known:
        return None
    called = [titles.get(row["action"], human(row["action"])) for row in known]
    names = [f"{title} · {human(row['channel'])}" for title, row in zip(called, known, strict=True)]
    said = [phrases.made(title, row["channel"]) for title, row in zip(called, known, strict=True)]
    of = [row["rate"] for row in known]
    series = figures.Bars(
        "Answered", [r["value"] for r in of], low=[r["low"] for r in of], high=[r["high"] for r in of]
    )
    table = Table(
        "rates",
        "Share of contacts that were answered",
        (Column("Action and channel"), Column("Answered", "percent")),
        [(name, estimate(r)) for name, r in zip(names, of, strict=True)],
    )
    best = f"{said[0]} is answered most"
    summary = f"{best}, {said[-1]} least of those that can be told." if len(names) > 1 else f"{best}."
    figure = figures.bars([series], names, "percent", horizontal=True, title="Share of contacts that were answered")
    return Chart("rates", "Share of contacts that were answered", figure, table, summary)


def months(rows: Sequence[Row]) -> Chart | None:
    """Contacts of one action by month, a colour a channel; None where nothing went out."""
    listed = sorted({month["month"] for row in rows for month in row["months"]})
    if not listed:
        return None
    series, shown = [], []
    for row in rows:
        by_month = {month["month"]: month for month in row["months"]}
        series.append(
            figures.Bars(human(row["channel"]), [by_month.get(month, {}).get("contacts", 0) for month in listed])
        )
        shown += [(month, human(row["channel"]), by_month[month]["contacts"], by_month[month]["responses"])
                  for month in listed if month in by_month]  # fmt: skip
    columns = (Column("Month"), Column("Channel"), Column("Contacts", "count"), Column("Answered", "count"))
    table = Table("months", "Contacts by month", columns, sorted(shown))
    total = sum(row["contacts"] for row in rows)
    summary = f"{counted(total, 'contact')} from {listed[0]} to {listed[-1]}."
    figure = figures.bars(series, listed, "count", stacked=True, title="Contacts")
    return Chart("months", "Contacts by month", figure, table, summary)
