"""Which journeys are looked at: those that began within some days, of one segment, with a step on one channel."""

from dataclasses import dataclass

import numpy as np

from features import clock
from features.clock import DAY
from features.journeys.counts import touched
from features.journeys.layout import Layout, Segment


@dataclass(frozen=True)
class Question:
    """Days are ISO dates (UTC), `until` included; a segment is "name=label". None leaves a question open."""

    since: str | None = None
    until: str | None = None
    segment: str | None = None
    channel: str | None = None

    @property
    def everything(self) -> bool:
        return self == Question()


def day(text: str) -> int:
    """Microseconds at the begin of an ISO date; ValueError says what is wrong."""
    if len(text) != 10:
        raise ValueError(f"{text!r} is no day; write e.g. 2024-05-31")
    return clock.parse_instant(text)


def channels(layout: Layout) -> list[str]:
    """By name, the position being the bit in `masks`; what comes after 63 of them is one."""
    found = sorted({step.channel for step in layout.steps})
    return found if len(found) <= 64 else [*found[:63], "other"]


def masks(layout: Layout) -> np.ndarray:
    """int64[journeys]: bit k says that a step was on channels(layout)[k]."""
    listed = channels(layout)
    place = {name: k for k, name in enumerate(listed)}
    of_step = np.array([place.get(step.channel, 63) for step in layout.steps], np.int64)
    found = np.empty(layout.journeys, np.int64)
    touched(layout.traced.first, layout.traced.code, of_step, found)
    return found


def label(segment: Segment, position: int) -> str:
    """How a segment's label is asked for."""
    return f"{segment.name}={segment.labels[position]}"


def chosen(layout: Layout, question: Question, mask: np.ndarray) -> np.ndarray:
    """bool[journeys]; `mask` as from `masks`. ValueError says what in the question is not known."""
    found = np.ones(layout.journeys, np.bool_)
    if question.since:
        found &= layout.started >= day(question.since)
    if question.until:
        found &= layout.started < day(question.until) + DAY
    if question.segment:
        options = {
            label(segment, k): (row, k)
            for row, segment in enumerate(layout.segments)
            for k in range(len(segment.labels))
        }
        if question.segment not in options:
            raise ValueError(f"there is no segment {question.segment!r}")
        row, position = options[question.segment]
        found &= layout.segment[row] == position
    if question.channel:
        listed = channels(layout)
        if question.channel not in listed:
            raise ValueError(f"no journey has a step on a channel {question.channel!r}")
        found &= (mask >> listed.index(question.channel)) & 1 == 1
    return found
