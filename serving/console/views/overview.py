"""This month against the holdout, what worked, and what to change next week."""

from collections.abc import Mapping
from typing import Any

from serving.console import effects
from serving.console.blocks import (
    Alarm,
    Block,
    Cell,
    Chart,
    Column,
    Details,
    Finding,
    Grid,
    Kind,
    Notes,
    Page,
    Section,
    Sentences,
    Table,
    Text,
    Tile,
    Tiles,
    Tone,
    Verdict,
)
from serving.console.effects import Found
from serving.console.views import Ask

#: So many of each are said in a sentence; the table has them all.
SAID = 3
MORE_OPT_OUTS = Verdict("more opt-outs", "bad")
_PAGES = {"overview": "#worked", "uplift": "/uplift#targeting", "pressure": "/pressure", "touchpoints": "/touchpoints"}


def page(artefact: Mapping[str, Any], ask: Ask) -> Page:  # noqa: ARG001
    """Everything that the overview's report found, its sentence first."""
    parts: list[Block | None] = [
        Tiles([_tile(one) for one in artefact["totals"]]) if artefact["totals"] else None,
        _next_week(artefact.get("next_week")),
        _worked(artefact),
        _month(artefact),
        _months(artefact["months"], artefact["totals"]),
        _assignment(artefact.get("assignment")),
        Section("notes", "What else to know", [Notes(artefact["notes"])]) if artefact["notes"] else None,
        Details("How this was computed", [Text(one) for one in artefact["method"]]) if artefact["method"] else None,
    ]
    alarm = Alarm("Do not rely on these figures yet", artefact["alarms"]) if artefact["alarm"] else None
    return Page(
        title=artefact["title"],
        lead="" if alarm else artefact["headline"],
        blocks=[part for part in parts if part is not None],
        alarm=alarm,
        kind="overview",
        known_until=artefact.get("known_until"),
        created_at=artefact["created_at"],
        population=artefact["population"],
        currency=next((one["unit"] for one in artefact["totals"] if one.get("unit")), None),
        source=artefact["source"],
    )


def _tile(total: Found) -> Tile:
    """A total of the month, or that it cannot be told."""
    kind = _kind(total)
    found = total["found"]
    value: Cell = "too few to tell" if total["total"] is None else effects.estimate(total["total"])
    tones: dict[str, Tone] = {"good": "good", "bad": "bad"}
    tone = tones.get(effects.verdict(found["verdict"], total["better"]).tone)
    return Tile(total["title"], value, kind, _says(total), tone, total.get("unit"), "#month")


def _kind(total: Found) -> Kind:
    return "money" if total.get("unit") else "count"


def _says(total: Found) -> str:
    """What the tile's figure is worth, in words and not in its colour alone."""
    verdict = total["found"]["verdict"]
    if verdict in ("raised", "lowered"):
        return f"shown: {'more' if verdict == 'raised' else 'fewer' if not total.get('unit') else 'less'} than held out"
    return "no effect is shown" if verdict == "undecided" else "the groups are too small"


def _next_week(found: Found | None) -> Block | None:
    if not found:
        return None
    steps = [Finding(one["why"], href=_PAGES[one["page"]]) for one in found["steps"]]
    return Section("next-week", "What to change next week", [Sentences(steps)] if steps else [], lead=found["sentence"])


def _worked(artefact: Found) -> Block | None:
    """Actions on channels: shown to earn, to lose, to drive customers away, still open."""
    best, worst, harmful, undecided = (artefact[name] for name in ("best", "worst", "harmful", "undecided"))
    told = [*best, *worst, *undecided]
    if not told and not harmful:
        return None
    said = [
        *(_finding(one) for one in (*best[:SAID], *worst[:SAID])),
        *(Finding(one["sentence"], MORE_OPT_OUTS, href=effects.action_page(one)) for one in harmful[:SAID]),
        *(_finding(one) for one in undecided[:SAID]),
    ]
    columns = [
        Column("Contacts of"),
        Column("Verdict", "verdict"),
        Column("Contacts", "count"),
        Column("Extra sales", "signed_money"),
    ]
    rows: list[list[Cell]] = [
        [one["name"], effects.verdict(one["verdict"]), one["contacts"], effects.estimate(one["extra"])] for one in told
    ]
    if any(one["weeks"] is not None for one in told):
        columns.append(Column("Weeks until known", "count", effects.PACE))
        rows = [[*row, effects.weeks(one["weeks"])] for row, one in zip(rows, told, strict=True)]
    table = Table("standings", "Contacts by what they earned", columns, rows)
    title = "What worked, what did harm, and what is still open" if harmful or worst else (
        "What worked, and what is still open"
    )  # fmt: skip
    return Section("worked", title, [Sentences(said), table])


def _finding(one: Found) -> Finding:
    return Finding(one["sentence"], effects.verdict(one["verdict"]), href=effects.action_page(one))


def _month(artefact: Found) -> Block | None:
    """The month's comparison, for each customer and in all."""
    if not artefact["totals"]:
        return None
    said = [Finding(one["sentence"], _verdict(one)) for one in artefact["totals"]]
    charts = [_chart(one) for one in artefact["totals"]]
    name = artefact["month_name"] or "This month"
    title = name if artefact["complete"] else f"{name}, so far"
    return Section("month", f"{title}, against the holdout", [Sentences(said), Grid(charts)])


def _verdict(total: Found) -> Any:
    return effects.verdict(total["found"]["verdict"], total["better"])


def _chart(total: Found) -> Chart:
    """One measure for each customer: contacted as assigned, less held out."""
    found = total["found"]
    few = found["effect"] is None
    table = Table(
        f"month-{total['what'].replace('_', '-')}",
        total["title"],
        [
            Column("For each customer"),
            effects.column("With contacts", found, change=False),
            effects.column("Held out", found, change=False),
            effects.column("Difference", found),
            effects.column("Valid at every look", found),
            Column("Verdict", "verdict"),
        ],
        [
            [
                found["name"], None if few else found["treated"]["mean"], None if few else found["control"]["mean"],
                effects.change(found["effect"]), effects.always(found["effect"]), _verdict(total),
            ]
        ],
    )  # fmt: skip
    span = effects.span(found["name"], {**found, "better": total["better"]})
    return effects.chart(table.id, total["title"], [span], found, table, total["sentence"], "the holdout")


def _months(months: list[Found], totals: list[Found]) -> Block | None:
    """Totals of each month; the running one is marked as such."""
    if len(months) < 2:
        return None
    unit = next((one["unit"] for one in totals if one.get("unit")), None)
    charts: list[Block] = []
    for name, title, kind in (("orders", "Extra orders", "number"), ("money", "Extra money", "money")):
        points = [(one[name]["value"], *effects.ends(one[name])) if one[name] else (None,) * 3 for one in months]
        rows: list[list[Cell]] = [
            [_named(one), one["customers"], one["held_out"], effects.estimate(one[name])] for one in months
        ]
        shown: Kind = "money" if kind == "money" and unit else "number"
        columns = [
            Column("Month"),
            Column("Customers", "count"),
            Column("Held out", "count"),
            Column(title, shown, unit=unit if shown == "money" else None),
        ]
        table = Table(f"months-{name}", f"{title}, month by month", columns, rows)
        charts.append(
            effects.months(
                table.id, table.title, [_named(one) for one in months], points, shown, "", table, _trend(months, name)
            )
        )
    return Section("months", "Month by month", [Grid(charts)])


def _trend(months: list[Found], name: str) -> str:
    """How many months show a gain, a loss, nothing."""
    told = [one[name] for one in months if one[name]]
    ends = [effects.ends(one) for one in told]
    gained, lost = sum(low > 0 for low, _ in ends), sum(high < 0 for _, high in ends)
    return (
        f"Of {len(months)} months, {gained} show a gain and {lost} a loss; in the others chance could make what was "
        "seen, or there is too little to tell. The band is the likely range of each month."
    )


def _named(month: Found) -> str:
    return str(month["month"]) + ("" if month["complete"] else " so far")


def _assignment(found: Found | None) -> Block | None:
    if not found or found["alarm"]:
        return None
    return Section("assignment", "Were the groups formed as planned?", [Text(found["sentence"])])
