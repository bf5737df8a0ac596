"""Written journeys in a workspace's log: each customer's passages, followed by passages.py on the kernel's layout."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features import arrange
from features.durations import micros
from features.journeys_declared.file import Written
from features.journeys_declared.passages import BESIDE, Passages, follow, room
from features.kernel.records import AT, KEY
from features.known import known
from features.sensitive import sensitive_topics
from features.stages import StageOf
from features.vocabulary import Entry, Vocabulary
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
    read = known(workspace, ["satisfaction"])
    if read is None:
        return [], None
    table, until = read
    vocabulary = Vocabulary()
    log = arrange.arrange(_of_stages(table, journeys), vocabulary, sensitive_topics(workspace.settings))
    return [follow_one(log, vocabulary.entries, journey, until) for journey in journeys], until


def follow_one(log: arrange.Log, entries: Sequence[Entry], journey: Written, known_until: int) -> Followed:
    """One journey on an arranged log whose codes mean `entries`."""
    place = _positions(journey, entries)
    at = np.ascontiguousarray(log.records[:, AT])
    stage = place[log.records[:, KEY] >> 33] if len(entries) else np.zeros(0, np.int16)
    within = np.array([micros(journey.stages[name].within or "0m") for name in journey.way], np.int64)
    asked = (log.start, log.end, at, stage, micros(journey.pause), within, known_until)
    out = room(follow(*asked, room(0, len(within))), len(within))
    follow(*asked, out)
    total, rated = np.zeros(len(within)), np.zeros(len(within), np.int64)
    if len(log.customers):
        items = log.items(0, len(log.customers))
        if len(items.satisfaction):
            told = np.flatnonzero(~np.isnan(items.satisfaction))
            where = place[items.code[told]]
            on_way = where >= 0
            np.add.at(total, where[on_way], items.satisfaction[told][on_way])
            np.add.at(rated, where[on_way], 1)
    return Followed(journey, out, log.customers, total, rated)


def _positions(journey: Written, entries: Sequence[Entry]) -> np.ndarray:
    """int16[codes]: the position on the way, BESIDE for other stages, NO_STAGE for none."""
    way, names = journey.way, list(journey.stages)
    of_stage = [way.index(name) if name in way else BESIDE for name in names] + [-1]  # the last for none, -1
    stage_of = StageOf(journey.members)
    return np.array([of_stage[stage_of(channel, type_, topic)] for channel, _, type_, topic in entries], np.int16)


def _of_stages(table: pa.Table, journeys: Sequence[Written]) -> pa.Table:
    """The rows that are of any stage: what is not need not be sorted."""
    vocabulary = Vocabulary()
    codes = vocabulary.encode(table)
    asked = [StageOf(journey.members) for journey in journeys]
    wanted = [any(of(channel, type_, topic) >= 0 for of in asked) for channel, _, type_, topic in vocabulary.entries]
    return table.filter(pa.array(np.array(wanted, bool)[codes])) if wanted else table
