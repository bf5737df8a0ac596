"""Journeys: what customers do one after the other, from data; see features/journeys for what a journey is."""

from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from features import clock
from features.journeys import asking, build, sentences, summary
from features.journeys.figures import Figures
from features.journeys.layout import Layout
from features.settings_file import Section
from features.workspace import Workspace
from serving.decisions import policy
from training.reports import keep


class Choices(Section):
    """What a reader may narrow journeys by: days, "segment=label", channels; see features/journeys/asking.py."""

    since: str | None
    until: str | None
    segments: list[str]
    channels: list[str]


class Rules(Section):
    """What a journey is here: types that are its goal, and the days without the customer after which it is over."""

    goal: list[str]
    pause_days: int
    zone: str = Field(description="the clock of customers of whom no time zone is known")


class JourneysReport(keep.Artefact):
    """`headline`, `findings` and `next_week` are of all journeys; whoever narrows them asks sentences.py anew."""

    kind: Literal["journeys"] = "journeys"
    rules: Rules
    choices: Choices
    figures: Figures
    findings: list[str]
    next_week: str | None = Field(description="the one thing to change, where the figures name one")


def report(workspace: Workspace) -> keep.Report:
    """Of everyone in history. Raises WorkspaceError where it is empty."""
    settings, zone = workspace.settings, policy.load(workspace).policy.zone
    layout = build.up_to_date(workspace, zone)
    found = summary.figures(layout)
    goal = sentences.goal(settings.goal)
    artefact = JourneysReport(
        title=f"Journeys: {settings.name}",
        headline=sentences.headline(found, goal),
        created_at=keep.now(),
        known_until=keep.until(layout.known_until),
        source=f"the history of {settings.name}",
        rules=Rules(goal=settings.goal, pause_days=settings.churn.horizon_days, zone=zone),
        choices=choices(layout),
        figures=found,
        findings=sentences.findings(found, goal),
        next_week=sentences.next_week(found),
    )
    return keep.Report(artefact, {"links": _links(found)})


def choices(layout: Layout) -> Choices:
    started = layout.started
    days = [clock.isoformat(int(at))[:10] for at in (started.min(), started.max())] if len(started) else [None, None]
    listed = [
        asking.label(segment, k)
        for row, segment in enumerate(layout.segments)
        for k in np.flatnonzero(np.bincount(layout.segment[row] + 1)[1:]).tolist()
    ]
    return Choices(since=days[0], until=days[1], segments=listed, channels=asking.channels(layout))


def _links(found: Figures) -> pa.Table:
    """Every flow's links in one table, for whoever reads Parquet."""
    flows = {"first": found.first_steps, "goal": found.before_goal, "leaving": found.before_leaving}
    rows = [{"flow": name} | link.model_dump() for name, flow in flows.items() for link in flow.links]
    words, numbers = ("flow", "source", "source_key", "target", "target_key"), ("layer", "journeys", "customers")
    schema = pa.schema([*((name, pa.string()) for name in words), *((name, pa.int64()) for name in numbers)])
    return pa.Table.from_pylist(rows, schema)
