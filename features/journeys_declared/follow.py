"""Written journeys in a workspace's log: each customer's passages, followed by passages.py on the sorted trail."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.durations import micros
from features.journeys_declared.file import Written
from features.journeys_declared.passages import BESIDE, Passages, follow, room
from features.stages import StageOf
from features.trail.kept import Trail, up_to_date
from features.trail.rows import fixed
from features.vocabulary import Entry
from features.workspace import Workspace


@dataclass(frozen=True)
class Followed:
    """One journey in the log. `names` object[customers]; `satisfaction` and `rated`: sums and counts by stage."""

    journey: Written
    passages: Passages
    names: np.ndarray
    satisfaction: np.ndarray
    rated: np.ndarray


def follow_all(workspace: Workspace, journeys: Sequence[Written]) -> tuple[list[Followed], int | None]:
    """Each journey, and the instant up to which the log is known (None where it is empty)."""
    trail = up_to_date(workspace)
    if trail is None:
        return [], None
    return [follow_one(trail, journey) for journey in journeys], trail.known_until


def follow_one(trail: Trail, journey: Written) -> Followed:
    """One journey through the log."""
    rows, place = trail.rows, _positions(journey, trail.entries)
    stage = place[rows.code]
    within = np.array([micros(journey.stages[name].within or "0m") for name in journey.way], np.int64)
    start = fixed(np.asarray(rows.start))
    asked = (start[:-1], start[1:], fixed(rows.at), stage, micros(journey.pause), within, trail.known_until)
    out = room(follow(*asked, room(0, len(within))), len(within))
    follow(*asked, out)
    total, rated = np.zeros(len(within)), np.zeros(len(within), np.int64)
    told = np.flatnonzero(~np.isnan(rows.satisfaction))
    where = stage[rows.noted[told]]
    on_way = where >= 0
    np.add.at(total, where[on_way], rows.satisfaction[told][on_way])
    np.add.at(rated, where[on_way], 1)
    return Followed(journey, out, trail.names, total, rated)


def _positions(journey: Written, entries: Sequence[Entry]) -> np.ndarray:
    """int16[codes]: the position on the way, BESIDE for other stages, NO_STAGE for none."""
    way, names = journey.way, list(journey.stages)
    of_stage = [way.index(name) if name in way else BESIDE for name in names] + [-1]  # the last for none, -1
    stage_of = StageOf(journey.members)
    found = [of_stage[stage_of(channel, type_, topic)] for channel, _, type_, topic in entries]
    return np.array(found, np.int16)
