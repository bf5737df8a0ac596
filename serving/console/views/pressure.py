"""How hard customers are pressed by contacts, what the guard held back, and whom to leave alone this week."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving.console import figures
from serving.console.blocks import (
    Block,
    Chart,
    Column,
    Details,
    Finding,
    Grid,
    Notes,
    Page,
    Section,
    Sentences,
    Table,
    Text,
    Tile,
    Tiles,
)
from serving.console.figures import Bars, Line
from serving.console.views import Ask, pressure_effects, pressure_guard
from serving.console.views.pressure_words import Found, ratio, said


def page(artefact: Mapping[str, Any], ask: Ask) -> Page:  # noqa: ARG001 - every page is asked alike
    """Whom to leave alone first, then how often, what was refused, and what pressure does."""
    parts: list[Block | None] = [
        _tiles(artefact),
        _answers(artefact),
        _often(artefact),
        pressure_guard.section(artefact["guard"], artefact["causal"], artefact["days"]),
        pressure_effects.response(artefact["response"]),
        pressure_effects.chance(artefact),
        pressure_effects.standing(artefact["causal"]),
        Section("notes", "What to know about these figures", [Notes(artefact["notes"])]) if artefact["notes"] else None,
        Details("How this was worked out", [Notes(artefact["method"])]),
    ]
    return Page(
        title=artefact["title"],
        lead=artefact["headline"],
        blocks=[part for part in parts if part is not None],
        kind="pressure",
        known_until=artefact["known_until"],
        created_at=artefact["created_at"],
        population=f"{artefact['customers']:,} active customers; the last {artefact['days']} days.",
        currency=artefact["currency"],
        source=artefact["source"],
    )


def _tiles(artefact: Found) -> Tiles:
    alone, contacts, guard = artefact["alone"], artefact["contacts"], artefact["guard"]
    tiles = [
        Tile(
            "Leave alone this week",
            alone["customers"],
            "count",
            f"of {alone['of']:,} who may be contacted",
            href="/pressure/customers" if alone["customers"] else None,
        ),
        Tile("Contacts a customer and week", contacts["a_week"], "number", _against(contacts)),
        Tile("Made by other tools", ratio(contacts["others"], contacts["total"]), "percent", "of all contacts"),
    ]
    if guard is not None:
        held = ratio(guard["nothing_left"], guard["decisions"])
        tiles.append(
            Tile("Nothing left to send", held, "percent", "of outbound decisions, because of the guard", href="#guard")
        )
    return Tiles(tiles)


def _against(contacts: Found) -> str:
    before = contacts["before"]
    if not before:
        return "nothing to compare with yet" if before is None else "none in the weeks before"
    change = contacts["a_week"] / before - 1
    if abs(change) < 0.005:
        return "as many as in the four weeks before"
    return f"{abs(change) * 100:.0f}% {'more' if change > 0 else 'fewer'} than in the four weeks before"


def _answers(artefact: Found) -> Section:
    """The page's other questions, each answered in a sentence."""
    guard, causal = artefact["guard"], artefact["causal"]
    items = [Finding(artefact["contacts"]["sentence"], href="#often")]
    if guard is not None:
        items.append(Finding(guard["sentence"], href="#guard"))
    items.append(Finding(artefact["response"]["sentence"], href="#response"))
    if causal is not None:
        items.append(Finding(causal["sentence"], href="#caps"))
    return Section("answers", "In short", [Sentences(items)])


def _often(artefact: Found) -> Section:
    contacts, days = artefact["contacts"], artefact["days"]
    if not contacts["total"]:
        return Section("often", "How often customers are contacted", [Text(contacts["sentence"])])
    blocks: list[Block] = [Grid([_shares(contacts["shares"], days), _trend(contacts["weeks"])]), _channels(contacts)]
    return Section("often", "How often customers are contacted", blocks)


def _shares(shares: Sequence[Found], days: int) -> Chart:
    names = [_number(one) for one in shares]
    numbers = [one["customers"] for one in shares]
    table = Table(
        "contacts-per-customer",
        f"Customers by number of contacts, last {days} days",
        [Column("Contacts"), Column("Customers", "count"), Column("Share", "percent")],
        [[name, n, ratio(n, sum(numbers))] for name, n in zip(names, numbers, strict=True)],
    )
    return Chart(
        "contacts-per-customer-chart",
        f"Contacts a customer, last {days} days",
        figures.bars([Bars("Customers", numbers)], names, "count", title="Customers", category_title="Contacts"),
        table,
        f"In {days} days {numbers[0]:,} customers got no contact; most got {names[numbers.index(max(numbers))]}.",
    )


def _number(one: Found) -> str:
    low, high = one["contacts"], one["up_to"]
    return f"{low} or more" if high is None else str(low) if low == high else f"{low} to {high}"


def _trend(weeks: Sequence[Found]) -> Chart:
    channels = sorted(
        {name for week in weeks for name in week["contacts"]},
        key=lambda name: -sum(week["contacts"].get(name, 0) for week in weeks),
    )
    days = [week["first"] for week in weeks]
    rows = [
        [week["first"], *(week["contacts"].get(name, 0) for name in channels), week["ours"], week["others"]]
        for week in weeks
    ]
    columns = [Column("Week from", "day"), *(Column(said(name), "count") for name in channels)]
    table = Table(
        "contacts-by-week",
        "Contacts by week",
        [*columns, Column("Ours", "count"), Column("By other tools", "count")],
        rows,
    )
    lines = [Line(said(name), days, [week["contacts"].get(name, 0) for week in weeks]) for name in channels]
    first, last = (sum(weeks[k]["contacts"].values()) if weeks else 0 for k in (0, -1))
    return Chart(
        "contacts-by-week-chart",
        "Contacts by week and channel",
        figures.lines(lines, "count", title="Contacts"),
        table,
        f"Contacts a week by channel, over {len(weeks)} weeks: {first:,} in the first one, {last:,} in the last.",
    )


def _channels(contacts: Found) -> Table:
    rows = [
        [
            said(one["channel"]),
            one["ours"],
            one["others"],
            one["customers"],
            one["a_week"],
            one["before"] if contacts["before"] is not None else None,
            one["most"],
        ]
        for one in contacts["channels"]
    ]
    columns = [
        Column("Channel"),
        Column("Ours", "count"),
        Column("By other tools", "count"),
        Column("Customers reached", "count"),
        Column("A customer and week", "number"),
        Column("Before", "number", help="the same in as many days before, per customer active then"),
        Column("Most to one customer", "count"),
    ]
    return Table("contacts-by-channel", "Contacts by channel", columns, rows)
