"""The state of journeys and how it changes: the ways that are taken, months, steps, channels."""

from collections.abc import Mapping
from typing import Any

from features.journeys.sentences import named
from serving.console import figures
from serving.console.blocks import Block, Chart, Column, Section, Table, Verdict
from serving.console.figures import Bars, Line
from serving.console.views.journeys_parts import few, rated, ratio

Found = Mapping[str, Any]
ENDINGS = {
    "goal": Verdict("goal reached", "good"),
    "quiet": Verdict("went quiet", "bad"),
    "open": Verdict("still open", "muted"),
}
#: Ways that the chart over months shows.
_DRAWN = 5


def paths(found: Found) -> Section:
    """How many customers go down each way, how satisfied they are there, and how both change."""
    whole, ways = found["totals"]["journeys"], found["paths"]
    names = [" → ".join([*path["steps"], *(["…"] if path["more"] else [])]) for path in ways]
    table = Table(
        "paths",
        "Ways that journeys take",
        [
            Column("Way", help="its first four steps"),
            Column("Ended", "verdict"),
            Column("Journeys", "count"),
            Column("Share", "percent"),
            Column("Customers", "count"),
            Column("Lately", "percent", "journeys a month, compared with the months before"),
            Column("Satisfaction", "percent", "mean rating there, of the best one, with its likely range"),
        ],
        [
            [
                name, ENDINGS[path["ending"]], path["journeys"], path["journeys"] / whole, path["customers"],
                few(path["change"]), rated(path["satisfaction"]),
            ]
            for name, path in zip(names, ways, strict=True)
        ],
        note=f"{found['other_paths']:,} journeys ({100 * found['other_paths'] / whole:.0f}%) took any other way.",
        empty="No journey yet.",
    )  # fmt: skip
    blocks: list[Block] = [table]
    months = [month["month"] for month in found["months"]]
    if len(months) > 1 and ways:
        blocks.append(_by_month("paths-months", "Journeys begun by month, the ways taken most", months, names, ways))
        told = [each for each in zip(names, ways, strict=True) if each[1]["satisfaction"]["value"] is not None]
        if told:
            blocks.append(_ratings(months, told[:_DRAWN]))
    lead = "Each way is the first steps of a journey and how it ended."
    return Section("paths-section", "Which ways customers go", blocks, lead)


def _by_month(name: str, title: str, months: list[str], names: list[str], ways: list[Found]) -> Chart:
    days = [f"{month}-01" for month in months]
    shown = list(zip(names, ways, strict=True))[:_DRAWN]
    series = [Line(f"{way}: {ENDINGS[path['ending']].words}", days, path["months"]) for way, path in shown]
    table = Table(
        name,
        title,
        [Column("Month"), *(Column(line.name, "count") for line in series)],
        [[month, *(path["months"][k] for _, path in shown)] for k, month in enumerate(months)],
    )
    most = shown[0]
    said = f"The way taken most, {series[0].name}: {most[1]['months'][0]:,} journeys began in {named(months[0])}, "
    said += f"{most[1]['months'][-1]:,} in {named(months[-1])}."
    return Chart(f"chart-{name}", title, figures.lines(series, "count"), table, said)


def _ratings(months: list[str], told: list[tuple[str, Found]]) -> Chart:
    """Of ways with enough ratings to speak of a mean at all."""
    series = [
        Line(f"{way}: {ENDINGS[path['ending']].words}", [f"{month}-01" for month in months], path["ratings"])
        for way, path in told
    ]
    table = Table(
        "paths-ratings",
        "Satisfaction by month, by way",
        [Column("Month"), *(Column(line.name, "percent") for line in series)],
        [[month, *(path["ratings"][k] for _, path in told)] for k, month in enumerate(months)],
        note="Means of a month rest on few ratings and swing; the table of ways has the likely range of each.",
    )
    way, best = max(told, key=lambda each: each[1]["satisfaction"]["value"])
    said = f"Of the ways shown, customers are most satisfied on {way}: {100 * best['satisfaction']['value']:.0f}%."
    return Chart("chart-paths-ratings", "Satisfaction by month, by way", figures.lines(series, "percent"), table, said)


def months(found: Found) -> Section:
    """Journeys, goals, satisfaction and channels by the month in which journeys began."""
    rows = found["months"]
    days = [f"{row['month']}-01" for row in rows]
    table = Table(
        "months",
        "Journeys by the month in which they began",
        [
            Column("Month"),
            Column("Whole", help="whether the log covers all of the month"),
            Column("Journeys", "count"),
            Column("Customers", "count"),
            Column("Goal reached", "percent", "of those that ended"),
            Column("Still open", "count"),
            Column("Steps a journey", "number"),
            Column("Channels a journey", "number"),
            Column("Satisfaction", "percent", "mean rating, of the best one"),
            Column("Ratings", "count"),
        ],
        [
            [
                row["month"], row["whole"], row["journeys"], row["customers"], ratio(row["reached"], row["over"]),
                row["journeys"] - row["over"], ratio(row["steps"], row["journeys"]),
                ratio(row["channels"], row["journeys"]), row["rating"], row["ratings"],
            ]
            for row in rows
        ],
    )  # fmt: skip
    series = [
        Bars("goal reached", [row["reached"] for row in rows], role="good"),
        Bars("went quiet", [row["over"] - row["reached"] for row in rows], role="bad"),
        Bars("still open", [row["journeys"] - row["over"] for row in rows], role="muted"),
    ]
    figure = figures.bars(series, days, "count", stacked=True, title="Journeys", category_kind="day")
    most = max(rows, key=lambda row: row["journeys"])
    said = f"Most journeys began in {named(most['month'])}: {most['journeys']:,}; {most['reached']:,} reached a goal."
    blocks: list[Block] = [Chart("chart-months", "Journeys by the month in which they began", figure, table, said)]
    return Section("months-section", "How journeys change", blocks, "Months in which journeys began, in UTC.")


def steps_and_channels(found: Found) -> Section:
    """What is popular, and how many channels a journey touches: the state of the customer journey."""
    rows = found["channels"]
    names = [row["channel"].replace("_", " ") for row in rows]
    table = Table(
        "channels",
        "Channels of journeys",
        [
            Column("Channel"),
            Column("Journeys", "count", "with a step on it"),
            Column("Share", "percent", "of all journeys"),
            Column("Lately", "points", "change of the share, in points, compared with the months before"),
        ],
        [[name, row["journeys"], row["share"], few(row["change"])] for name, row in zip(names, rows, strict=True)],
    )
    figure = figures.bars([Bars("share", [row["share"] for row in rows])], names, "percent", horizontal=True)
    most = rows[0]
    said = f"{names[0]} is touched by {100 * most['share']:.0f}% of journeys, more than any other channel."
    return Section(
        "channels-section",
        "Steps and channels",
        [Chart("chart-channels", "Share of journeys with a step on a channel", figure, table, said),
         _breadth(found), _steps(found)],
        "How many channels a journey touches, and what is done most.",
    )  # fmt: skip


def _breadth(found: Found) -> Chart:
    counted = found["breadth"]
    last = max((k for k, n in enumerate(counted) if n), default=1)
    shown, whole = list(range(1, last + 1)), sum(counted)
    table = Table(
        "breadth",
        "Channels a journey",
        [Column("Channels", "count"), Column("Journeys", "count"), Column("Share", "percent")],
        [[k, counted[k], ratio(counted[k], whole)] for k in shown],
    )
    figure = figures.bars([Bars("journeys", [counted[k] for k in shown])], [str(k) for k in shown], "count",
                          category_title="Channels")  # fmt: skip
    mean = sum(k * n for k, n in enumerate(counted)) / max(1, whole)
    several = 100 * sum(counted[2:]) / max(1, whole)
    said = f"A journey touches {mean:.1f} channels on average; {several:.0f}% touch more than one."
    return Chart("chart-breadth", "How many channels a journey touches", figure, table, said)


def _steps(found: Found) -> Table:
    return Table(
        "steps",
        "Steps taken most",
        [
            Column("Step"),
            Column("Times taken", "count"),
            Column("Journeys", "count"),
            Column("Customers", "count"),
            Column("Lately", "points", "change of the share of journeys with it, in points"),
            Column("Satisfaction", "percent", "mean rating at this step, of the best one"),
        ],
        [
            [row["step"], row["steps"], row["journeys"], row["customers"], few(row["change"]),
             rated(row["satisfaction"])]
            for row in found["steps"]
        ],
    )  # fmt: skip
