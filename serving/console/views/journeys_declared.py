"""Journeys as they were written down, against what customers do."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving.console import figures
from serving.console.blocks import (
    Block,
    Chart,
    Column,
    Empty,
    Finding,
    Notes,
    Page,
    Section,
    Sentences,
    Table,
    Text,
    Tile,
    Tiles,
    Verdict,
)
from serving.console.views import Ask
from serving.console.views.journeys_parts import ratio

Found = Mapping[str, Any]

#: Of a deviation's kind: what passages did at the stage, and its chip.
KINDS = {
    "skipped": ("left it out", Verdict("skipped", "warn")),
    "backwards": ("went back to it", Verdict("went back", "info")),
    "repeated": ("came to it a second time", Verdict("repeated", "info")),
    "out_of_order": ("came to it only after a later stage", Verdict("out of order", "warn")),
    "late": ("came to it later than it should", Verdict("late", "bad")),
}


def page(artefact: Found, _ask: Ask) -> Page:
    journeys = artefact["journeys"]
    blocks: list[Block] = [_journey(one, number, artefact["headline"]) for number, one in enumerate(journeys)]
    if not journeys:
        text = "A journey says which stages customers are expected to come through on the way to a goal."
        blocks = [Empty("No journey is written down", text, "edit journeys.yaml, then: tactful journeys check")]
    return Page(
        title="Journeys as written",
        lead=artefact["headline"],
        blocks=[*blocks, *_notes(artefact)],
        kind="conformance",
        known_until=artefact["known_until"],
        created_at=artefact["created_at"],
        source=artefact["source"],
        population="every customer in the log, as one person where several ids are known to be one",
    )


def _journey(found: Found, number: int, told: str) -> Section:
    """`told` is what the page says above already."""
    finished, reached = found["finished"], found["reached"]
    name = f"{found['name']}, version {found['version']}"
    blocks: list[Block] = [Text(found["text"])] if found["text"] else []
    if found["unversioned"]:
        said = "What this journey counts has changed since the last report, but its version has not: count it up."
        blocks.append(Sentences([Finding(said, Verdict("same version", "warn"))]))
    blocks.append(
        Tiles(
            [
                Tile(
                    "Passages that ended", finished, "count", f"ways towards the goal; {found['customers']:,} customers"
                ),
                Tile("Reached the goal", ratio(reached, finished), "percent", f"the stage {found['goal']}"),
                Tile("Of these, as written", ratio(found["as_written"], reached), "percent", "without any deviation"),
                Tile("Still under way", found["open"], "count", f"the last {found['pause']} may yet bring more"),
            ]
        )
    )
    if finished:
        blocks += [_funnel(found, number), _deviations(found, number), _trend(found, number)]
    if found["earlier"]:
        blocks.append(_earlier(found, number))
    return Section(f"journey-{number}", name, blocks, found["sentence"] if found["sentence"] != told else None)


def _funnel(found: Found, number: int) -> Chart:
    stages: Sequence[Found] = found["stages"]
    rows = [
        [
            f"{stage['name']} (optional)" if stage["optional"] else stage["name"],
            stage["came"],
            stage["entered"],
            stage["stopped"],
            ratio(stage["stopped"], stage["came"]),
            stage["under_way"],
            stage["typical_seconds"],
            stage["slow_seconds"],
            stage["satisfaction"],
        ]
        for stage in stages
    ]
    table = Table(
        f"stages-{number}",
        "Stage by stage",
        [
            Column("Stage"),
            Column("Came this far", "count", "ended passages that came to this stage or a later one"),
            Column("Were in it", "count", "of these, those that were in the stage itself"),
            Column("Went no further", "count", "gave up with this as their furthest stage"),
            Column("Drop-off", "percent", "of those that came this far"),
            Column("Under way", "count", "not ended yet, and this far"),
            Column("Typical time to go on", "duration", "half were quicker"),
            Column("Slow", "duration", "nine of ten were quicker"),
            Column("Satisfaction", "percent", "of the best rating, where customers gave one in the stage"),
        ],
        rows,
    )
    series = [
        figures.Bars(
            "went further, or reached the goal", [stage["came"] - stage["stopped"] for stage in stages], "series-1"
        ),
        figures.Bars("went no further", [stage["stopped"] for stage in stages], "muted"),
    ]
    figure = figures.bars(series, [stage["name"] for stage in stages], "count", stacked=True, horizontal=True)
    lost = max(stages[:-1], key=lambda stage: stage["stopped"])
    summary = f"Of {found['finished']:,} ended passages {found['reached']:,} reached {found['goal']}"
    summary += f"; most of the others stopped at {lost['name']} ({lost['stopped']:,})." if lost["stopped"] else "."
    return Chart(f"funnel-{number}", "How far passages come", figure, table, summary)


def _deviations(found: Found, number: int) -> Table:
    rows = [
        [each["stage"], KINDS[each["kind"]][1], KINDS[each["kind"]][0], each["passages"],
         ratio(each["passages"], found["finished"])]
        for each in found["deviations"]
    ]  # fmt: skip
    return Table(
        f"deviations-{number}",
        "Where they leave the way",
        [
            Column("Stage"),
            Column("Deviation", "verdict"),
            Column("What passages did"),
            Column("Passages", "count"),
            Column("Share", "percent", "of all that ended; one passage may deviate in several ways"),
        ],
        rows,
        empty="Every passage that ended went as written, as far as it went.",
    )


def _trend(found: Found, number: int) -> Chart:
    """A month of which much is under way yet would look better than it is: who is quick ends first."""
    months = [month for month in found["months"] if month["finished"]]
    rows = [
        [month["month"], month["finished"], month["open"], ratio(month["reached"], month["finished"]),
         ratio(month["as_written"], month["reached"])]
        for month in months
    ]  # fmt: skip
    columns = [
        Column("Month"),
        Column("Ended", "count", "passages that began in the month and ended since"),
        Column("Under way", "count"),
        Column("Reached the goal", "percent"),
        Column("Of these, as written", "percent"),
    ]
    settled = [month for month in months if month["open"] <= 0.05 * (month["finished"] + month["open"])]
    days = [f"{month['month']}-01" for month in settled]
    figure = figures.lines(
        [
            figures.Line("reached the goal", days, [ratio(one["reached"], one["finished"]) for one in settled]),
            figures.Line("of these, as written", days, [ratio(one["as_written"], one["reached"]) for one in settled]),
        ],
        "percent",
    )
    note = (
        "Months of which more than one passage in twenty is under way are left out of the chart: the quick end first."
    )
    table = Table(f"months-{number}", "By month of the first step", columns, rows, note)
    summary = f"Share of passages that reached {found['goal']}, and of these that went as written, by month."
    return Chart(f"trend-{number}", "Month by month", figure, table, summary)


def _earlier(found: Found, number: int) -> Table:
    rows = [
        [f"version {one['version']}", one["created_at"], one["finished"], ratio(one["reached"], one["finished"]),
         ratio(one["as_written"], one["reached"])]
        for one in found["earlier"]
    ]  # fmt: skip
    columns = [
        Column("Version"),
        Column("Last report", "instant"),
        Column("Ended", "count"),
        Column("Reached the goal", "percent"),
        Column("Of these, as written", "percent"),
    ]
    return Table(f"versions-{number}", "Earlier versions", columns, rows)


def _notes(artefact: Found) -> list[Block]:
    if not artefact["journeys"]:
        return []
    said = [
        *artefact.get("notes", ()),
        "These are counts of everything in the log, not estimates; so they have no intervals.",
        "A passage begins with an interaction of a stage on the way. It ends with the visit in which the goal is"
        " reached (what follows within half an hour belongs to it), or is given up when the journey's pause is over.",
        "Went back and repeated are moves to a stage where the passage had been before; out of order is a stage that"
        " was passed over and came after a later one; optional stages may be left out.",
        "Rows on sensitive topics are never looked at.",
    ]
    return [Section("method", "How it is counted", [Notes(said)])]
