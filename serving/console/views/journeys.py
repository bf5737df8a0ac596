"""Journeys: how they begin, what comes before a goal and before leaving, where they stall, and what changes."""

from collections.abc import Mapping
from typing import Any

from features.journeys import layout, sentences, summary
from features.journeys.asking import Question
from serving.console.blocks import (
    Block,
    Details,
    Empty,
    Field,
    Finding,
    Link,
    Notes,
    Page,
    Section,
    Sentences,
    Text,
    Tile,
    Tiles,
)
from serving.console.views import Ask, journeys_changes, journeys_flows, journeys_stalls
from serving.console.views.journeys_parts import clock_of, rated

Found = Mapping[str, Any]
#: What the form asks, as a question's parts are called.
ASKED = ("since", "until", "segment", "channel")


def page(artefact: Found, ask: Ask) -> Page:
    """Everybody's journeys, or those that the query narrows them to, counted anew from what the report kept."""
    question = asked(ask)
    found, lead, findings = artefact["figures"], artefact["headline"], artefact["findings"]
    refused = None
    if not question.everything:
        kept = None if ask.tables is None else layout.read(ask.tables)
        if kept is None:
            refused = Empty(
                "Nothing to narrow down from",
                "The journeys that filters count anew are not kept here; below is everybody.",
                "tactful report journeys",
            )
        else:
            try:
                narrowed = summary.figures(kept, question)
                goal = sentences.goal(artefact["rules"]["goal"])
                found, lead = narrowed.model_dump(), sentences.headline(narrowed, goal)
                findings = sentences.findings(narrowed, goal)
            except ValueError as error:
                refused = Empty("This cannot be asked", f"{error}; below is everybody.")
    if refused is not None:
        question = Question()
    blocks: list[Block] = [] if refused is None else [refused]
    return Page(
        title=artefact["title"],
        lead=lead,
        blocks=[*blocks, *_blocks(artefact, found, findings, question, ask)],
        kind="journeys",
        known_until=artefact["known_until"],
        created_at=artefact["created_at"],
        source=artefact["source"],
        population=_population(found, question),
        filters=_filters(artefact["choices"], ask),
    )


def asked(ask: Ask) -> Question:
    """What the query narrows journeys by."""
    return Question(**{name: ask.query.get(name) or None for name in ASKED})


def _blocks(artefact: Found, found: Found, findings: list[str], question: Question, ask: Ask) -> list[Block]:
    rules = artefact["rules"]
    if not found["totals"]["journeys"]:
        return [Empty("No journey is like that", "Nobody went a way that fits what is asked; ask for less.")]
    narrowed = {name: getattr(question, name) for name in ASKED}
    return [
        _tiles(found, sentences.goal(rules["goal"])),
        Section("answers", "In short", [Sentences([Finding(sentence) for sentence in findings])]),
        *journeys_flows.sections(found, narrowed),
        journeys_changes.paths(found),
        journeys_stalls.section(found),
        journeys_changes.months(found),
        journeys_changes.steps_and_channels(found),
        clock_of(found["clock"], ask.query.get("clock", "local"), rules["zone"]),
        Section("written", "Journeys as you wish them", [Text(_WRITTEN)]),
        Details("What a journey is here, and how it was counted", [Notes(_method(rules))]),
    ]


_WRITTEN = (
    "What stands here is what customers do. A journey can be written down in `journeys.yaml` and held against it: ",
    Link("journeys as written", "/journeys/written"),
    ".",
)


def _tiles(found: Found, goal: str) -> Tiles:
    whole = found["totals"]
    share = whole["reached"] / whole["over"] if whole["over"] else None
    seconds = whole["seconds_to_goal"]
    still = whole["journeys"] - whole["over"]
    said = f"{whole['customers']:,} customers; {still:,} still open"
    return Tiles(
        [
            Tile("Journeys", whole["journeys"], "count", said),
            Tile(f"Reached {sentences.a(goal)}", share, "percent", f"of {whole['over']:,} that ended"),
            Tile("Time to get there", seconds, "duration", "half of those that did were faster"),
            Tile("Steps a journey", whole["steps"] / whole["journeys"], "number", "repeats in a row count once"),
            Tile(
                "Satisfaction", rated(whole["satisfaction"]), "percent", "of the best rating, where customers gave one"
            ),
        ]
    )


def _population(found: Found, question: Question) -> str:
    whole = found["totals"]
    said = f"{whole['journeys']:,} journeys of {whole['customers']:,} customers"
    parts = [
        f"that began on {question.since} or later" if question.since else None,
        f"that began on {question.until} or before" if question.until else None,
        f"of {question.segment.replace('=', ': ')}" if question.segment else None,
        f"with a step on {question.channel.replace('_', ' ')}" if question.channel else None,
    ]
    return ", ".join([said, *(part for part in parts if part)])


def _filters(choices: Found, ask: Ask) -> list[Field]:
    def options(values: list[str], everything: str) -> list[tuple[str, str]]:
        return [("", everything), *((value, value.replace("_", " ").replace("=", ": ")) for value in values)]

    query = ask.query
    return [
        Field("since", "Began from", "date", query.get("since", "")),
        Field("until", "Began up to", "date", query.get("until", "")),
        Field("segment", "Segment", "select", query.get("segment", ""), options(choices["segments"], "everybody")),
        Field("channel", "Channel", "select", query.get("channel", ""), options(choices["channels"], "any channel")),
        Field(
            "clock", "Hours", "select", query.get("clock", "local"),
            [("local", "where customers live"), ("utc", "UTC")],
        ),
    ]  # fmt: skip


def _method(rules: Found) -> list[str]:
    days = rules["pause_days"]
    return [
        "A step is one kind of interaction on one channel; the same again in a row is the same step, so that ten pages "
        "or the lines of one basket are one thing that a customer did. A survey is no step: its rating is of the step "
        "before it.",
        f"A journey begins with a customer's first step, and anew after a goal or after {days} days in which they did "
        f"nothing (what we send them does not count). It ends with the visit in which it reaches a goal "
        f"({sentences.goal(rules['goal'])}), or quietly when {days} days have passed; else it is still open.",
        f"Customers left when {days} days passed without any sign of life (`churn` in tactful.yaml), or when they said "
        "so. What led there is what they and we did until the last thing that they did themselves.",
        "All figures are counts of what happened, not estimates; times are exact to 3% of a time. Mean satisfaction is "
        "an estimate: its likely range (95%) counts each customer once, and of fewer than 10 customers none is shown.",
        "Lately means up to three months in which 19 of 20 journeys have ended, against as many before: journeys "
        "that only just began have had no time to go anywhere.",
        "Nothing here says what caused what: journeys are described as they were, not as they would have been.",
    ]
