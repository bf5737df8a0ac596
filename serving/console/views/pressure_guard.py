"""What the guard held back and why, and what that cost and saved."""

from collections.abc import Sequence

from serving.console import figures
from serving.console.blocks import Block, Cell, Chart, Column, Details, Link, Section, Table, Text
from serving.console.figures import Bars, Line
from serving.console.views.pressure_words import Found, capital, known, ratio, said


def section(guard: Found | None, causal: Found | None, days: int) -> Section:
    title = "What the guard held back"
    if guard is None or not guard["decisions"]:
        nothing = "No outbound decision is in the history yet; `tactful sync` brings those of the live store there."
        return Section("guard", title, [Text(guard["sentence"] if guard else nothing)])
    blocks: list[Block] = [_rules(guard, days)]
    if len(guard["weeks"]) > 1:
        blocks.append(_held(guard["weeks"]))
    blocks.append(_worth(guard["worth"], causal))
    blocks.append(
        Details(
            "By channel and action",
            [
                _refused("guard-by-channel", "Channel", guard["channels"]),
                _refused("guard-by-action", "Action", guard["actions"]),
            ],
        )
    )
    return Section("guard", title, blocks)


def _rules(guard: Found, days: int) -> Block:
    if not guard["rules"]:
        return Text(guard["sentence"])
    rules = guard["rules"]
    table = Table(
        "guard-rules",
        f"Why candidates were refused, last {days} days",
        [
            Column("Reason"),
            Column("Who wants it"),
            Column("Candidates refused", "count", help="an action on a channel; several rules may refuse one"),
            Column("Decisions", "count"),
            Column("Before", "count", help="candidates in as many days before"),
            Column("Rule", help="as answers of the service name it"),
        ],
        [
            [
                capital(one["words"]),
                "the customer or the law" if one["asked"] else "our policy",
                one["refused"],
                one["decisions"],
                one["before"],
                one["rule"],
            ]
            for one in rules
        ],
    )
    top = rules[:10]
    whose = (
        Bars("Our policy", [None if one["asked"] else one["refused"] for one in top], "accent"),
        Bars("The customer or the law", [one["refused"] if one["asked"] else None for one in top], "muted"),
    )
    return Chart(
        "guard-rules-chart",
        "Why candidates were refused",
        figures.bars(
            [bars for bars in whose if any(value is not None for value in bars.values)],
            [capital(one["words"]) for one in top],
            "count",
            stacked=True,
            horizontal=True,
        ),
        table,
        f"The most frequent reason was: {top[0]['words']}, {top[0]['refused']:,} candidates.",
    )


def _held(weeks: Sequence[Found]) -> Chart:
    shares = [ratio(week["nothing_left"], week["decisions"]) for week in weeks]
    columns = [
        Column("Week from", "day"),
        Column("Outbound decisions", "count"),
        Column("Nothing left to send", "count"),
        Column("Share", "percent"),
        Column("Candidates", "count"),
        Column("Refused by the guard", "count"),
    ]
    rows = [
        [week["first"], week["decisions"], week["nothing_left"], share, week["judged"], week["refused"]]
        for week, share in zip(weeks, shares, strict=True)
    ]
    return Chart(
        "guard-by-week-chart",
        "Outbound decisions in which nothing was left to send",
        figures.lines([Line("Nothing left to send", [week["first"] for week in weeks], shares)], "percent"),
        Table("guard-by-week", "The guard by week", columns, rows),
        "Share of outbound decisions, by week, in which the guard left nothing to send.",
    )


def _worth(worth: Found | None, causal: Found | None) -> Section:
    """By the factors that decisions logged, and by what customers under other caps really did."""
    unvalued = (
        "Decisions in the history do not say what contacts are worth, so nobody can tell from them what refused ones "
        "would have brought."
    )
    blocks: list[Block] = [Text(worth["sentence"] if worth else unvalued)]
    if causal is not None and len(causal["levels"]) > 1:
        blocks.append(
            Text([f"By what customers did whose caps chance drew: {causal['sentence']} ", Link("More", "#caps")])
        )
    if worth is not None and worth["contacts"]:
        named = (
            ("Not earned", "brought", "what they would have brought, less the cost of contacting"),
            ("Harm avoided", "harm", "opt-outs and complaints, as decisions priced them"),
            ("All in all", "net", "what the rules cost, by these figures"),
        )
        rows: list[list[Cell]] = [[name, known(worth[key]), what] for name, key, what in named]
        columns = [Column("What"), Column("Money", "money"), Column("What it is")]
        blocks.append(Table("guard-worth", "What our own rules held back", columns, rows))
    return Section("worth", "What that cost and saved", blocks)


def _refused(name: str, what: str, rows: Sequence[Found]) -> Table:
    columns = [Column(what), Column("Candidates", "count"), Column("Refused by the guard", "count")]
    return Table(
        name,
        f"Candidates by {what.lower()}",
        [*columns, Column("Share", "percent")],
        [[said(one["name"]), one["judged"], one["refused"], ratio(one["refused"], one["judged"])] for one in rows],
    )
