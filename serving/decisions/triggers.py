"""When an action's trigger goes off: a stage reached or stalled in, a case closed, something abandoned, a date near.

Pure: what the customer did and is goes in, the newest occasion comes out. An occasion begins at `at` and lapses at
`until`: a nudge about a basket of last month, because the timer stood still or the rule is new, helps nobody.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import numpy as np

from features import clock
from features.interactions import CASE_CLOSING, CASE_OPENING
from features.stages import StageOf, Stages
from features.state import State
from features.vocabulary import Entry
from serving.decisions.policy.durations import micros
from serving.decisions.policy.triggers import Trigger

#: How long after it an occasion may still be acted on.
FRESH = 3 * clock.DAY


@dataclass(frozen=True, slots=True)
class Occasion:
    """Act at `at` or later, before `until`; microseconds UTC."""

    at: int
    until: int

    def open(self, now: int) -> bool:
        return self.at <= now < self.until


class Lexicon:
    """What codes mean, and which codes are of some types or stages: worked out once for many customers."""

    def __init__(self, entries: Sequence[Entry], stages: Stages) -> None:
        """`stages` are the workspace's (features/stages.py)."""
        self.entries, self.stages = entries, list(stages)
        stage_of = StageOf(stages)
        #: int64[codes]: the position of each code's stage, -1 without one.
        self.stage = np.array([stage_of(channel, type_, topic) for channel, _, type_, topic in entries], np.int64)
        self._masks: dict[frozenset[str], np.ndarray] = {}

    def of_types(self, types: frozenset[str]) -> np.ndarray:
        """bool[codes]."""
        if types not in self._masks:
            self._masks[types] = np.array([entry[2] in types for entry in self.entries], bool)
        return self._masks[types]


@dataclass(frozen=True, eq=False)
class Seen:
    """One customer's interactions in order, without those on sensitive topics, and their attributes.

    `at` int64[n], `code` int32[n] of the lexicon, `case` uint64[n] (0: none); `zone` is where they live.
    """

    at: np.ndarray
    code: np.ndarray
    case: np.ndarray
    lexicon: Lexicon
    attributes: Mapping[str, Any] = field(default_factory=dict)
    zone: tzinfo = UTC

    @classmethod
    def of(cls, state: bytes, lexicon: Lexicon, attributes: Mapping[str, Any], zone: tzinfo, now: int) -> "Seen":
        """From a packed state: what had happened and was known by `now`, that instant included."""
        items = State.from_bytes(state).items if state else State().items
        known = items.at <= now
        if len(items.received):
            known &= items.received <= now
        case = items.case if len(items.case) else np.zeros(len(items), np.uint64)
        return cls(items.at[known], items.code[known], case[known], lexicon, attributes, zone)

    def rows(self, types: Collection[str]) -> np.ndarray:
        """Positions of the interactions of some types."""
        if not len(self.code):
            return np.zeros(0, np.int64)
        return np.flatnonzero(self.lexicon.of_types(frozenset(types))[self.code])

    def stage(self) -> tuple[str, int] | None:
        """The stage of the journey the customer is in and since when, as the feature `journey_stage` has it."""
        if not len(self.code):
            return None
        stage = self.lexicon.stage[self.code]
        told = np.flatnonzero(stage >= 0)
        if not len(told):
            return None
        present = stage[told[-1]]
        others = np.flatnonzero(stage[told] != present)
        first = told[others[-1] + 1] if len(others) else told[0]
        return self.lexicon.stages[present], int(self.at[first])

    def topic(self, row: int) -> str | None:
        return self.lexicon.entries[self.code[row]][3]


def occasion(trigger: Trigger, seen: Seen, now: int) -> Occasion | None:
    """The trigger's newest occasion, which may lie ahead of `now` or have lapsed; None without one."""
    if trigger.stage is not None:
        found = seen.stage()
        return _fresh(found[1]) if found is not None and found[0] == trigger.stage else None
    if trigger.stalled is not None:
        found = seen.stage()
        stalled = found is not None and found[0] == trigger.stalled.stage
        return _fresh(found[1] + micros(trigger.stalled.length)) if found is not None and stalled else None
    if trigger.case_closed:
        topic = trigger.case_closed if isinstance(trigger.case_closed, str) else None
        return _case_closed(seen, topic)
    if trigger.abandoned is not None:
        return _abandoned(seen, trigger.abandoned.type, trigger.abandoned.without, micros(trigger.abandoned.after))
    if trigger.date is not None:
        told = seen.attributes.get(trigger.date.attribute)
        return _date(told, micros(trigger.date.before), trigger.date.yearly, seen.zone, now)
    return None


def due(found: Occasion | None, last: int | None, again: int, now: int) -> bool:
    """Whether to act on an occasion now: once each, and at least `again` after this trigger was last acted on."""
    if found is None or not found.open(now):
        return False
    return last is None or (found.at > last and now >= last + again)


def _fresh(at: int) -> Occasion:
    return Occasion(at, at + FRESH)


def _case_closed(seen: Seen, topic: str | None) -> Occasion | None:
    """The newest closing; one that names no topic has the topic its case was opened with."""
    for row in reversed(seen.rows(CASE_CLOSING).tolist()):
        if topic is None or topic in _topics(seen, row):
            return _fresh(int(seen.at[row]))
    return None


def _topics(seen: Seen, row: int) -> set[str | None]:
    own = seen.topic(row)
    if own is not None or not seen.case[row]:
        return {own}
    opening = [i for i in seen.rows(CASE_OPENING).tolist() if seen.case[i] == seen.case[row]]
    return {seen.topic(i) for i in opening}


def _abandoned(seen: Seen, type_: str, without: Collection[str], after: int) -> Occasion | None:
    """`after` the newest of a type, unless one of `without` came then or later."""
    begun, ended = seen.rows({type_}), seen.rows(set(without))
    if not len(begun) or (len(ended) and seen.at[ended[-1]] >= seen.at[begun[-1]]):
        return None
    return _fresh(int(seen.at[begun[-1]]) + after)


def _date(told: Any, before: int, yearly: bool, zone: tzinfo, now: int) -> Occasion | None:
    """From `before` the day's beginning to the day's end, where the customer lives.

    A yearly one is the first that has not ended yet: of this year, or of the next.
    """
    day = as_day(told, yearly)
    if day is None:
        return None
    if not yearly:
        return _around(day, before, zone)
    year = datetime.fromtimestamp(now / clock.SECOND, zone).year
    for each in (year - 1, year, year + 1):
        found = _around(_in_year(day, each), before, zone) if date.min.year < each < date.max.year else None
        if found is not None and now < found.until:
            return found
    return None


def _around(day: date, before: int, zone: tzinfo) -> Occasion | None:
    if not 1970 <= day.year < date.max.year:
        return None
    return Occasion(_midnight(day, zone) - before, _midnight(day + timedelta(days=1), zone))


def _midnight(day: date, zone: tzinfo) -> int:
    """The first instant of a local day. Where daylight saving skips midnight it is the first that exists."""
    wall = datetime(day.year, day.month, day.day, tzinfo=zone)
    return clock.micros(wall.astimezone(UTC))


def _in_year(day: date, year: int) -> date:
    """Who was born on 29 February is congratulated on the 28th in other years: never a day late."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


_DAY_OF_YEAR = re.compile(r"(?:--)?(\d\d)-(\d\d)")


def as_day(told: Any, yearly: bool = False) -> date | None:
    """The day that an attribute says: `2027-05-04`, an instant on it, or for a yearly one `05-04`; else None."""
    if not isinstance(told, str):
        return None
    text = told.strip()
    if yearly and (found := _DAY_OF_YEAR.fullmatch(text)):
        text = f"2000-{found[1]}-{found[2]}"  # a leap year: 02-29 is a day
    try:
        return date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text).date()
    except ValueError:
        return None
