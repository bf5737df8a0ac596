"""Hours and weekdays (UTC) at which the customer comes: each clock hour with an inbound interaction counts once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.clock import DAY, HOUR
from features.definitions import Feature, Operation
from features.kernel.jit import inlined
from features.kernel.sequence import HOURS, WEEKDAYS


@dataclass(frozen=True)
class Habit(Feature):
    """Common to shares of the customer's active hours within the last 400 days."""

    unit = "share"
    needs = frozenset({"clock"})
    null = "the customer did not come in the last 400 days"

    def operation(self) -> Operation:
        return Operation()


@dataclass(frozen=True)
class HourShare(Habit):
    """Of the active hours, those from `first` o'clock up to but without `last` o'clock."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.last <= 24:
            raise ValueError(f"hours run from 0 to 24, the first before the last, not {self.first} to {self.last}")

    @property
    def name(self) -> str:
        return f"hour_share_{self.first}_to_{self.last}"

    @property
    def text(self) -> str:
        return f"share of the customer's active hours between {self.first}:00 and {self.last}:00 UTC"

    def operation(self) -> Operation:
        return Operation(number=32 * self.first + self.last)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        total = np.sum(acc.marks[WEEKDAYS : WEEKDAYS + 7])
        return np.sum(acc.marks[HOURS + (b >> 5) : HOURS + (b & 31)]) / total if total else np.nan


@dataclass(frozen=True)
class WeekendShare(Habit):
    """Of the active hours, those on Saturday and Sunday."""

    @property
    def name(self) -> str:
        return "weekend_share"

    @property
    def text(self) -> str:
        return "share of the customer's active hours on Saturday or Sunday, UTC"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        total = np.sum(acc.marks[WEEKDAYS : WEEKDAYS + 7])
        return (acc.marks[WEEKDAYS + 5] + acc.marks[WEEKDAYS + 6]) / total if total else np.nan


@dataclass(frozen=True)
class SameHour(Habit):
    """Of the active hours, those at the cutoff's hour of the day or one beside it: is this the customer's time?"""

    @property
    def name(self) -> str:
        return "same_hour_share"

    @property
    def text(self) -> str:
        return "share of the customer's active hours within an hour of the present hour of the day, UTC"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        total, now = np.sum(acc.marks[WEEKDAYS : WEEKDAYS + 7]), t // HOUR
        near = acc.marks[HOURS + (now + 23) % 24] + acc.marks[HOURS + now % 24] + acc.marks[HOURS + (now + 1) % 24]
        return near / total if total else np.nan


@dataclass(frozen=True)
class SameWeekday(Habit):
    """Of the active hours, those on the cutoff's weekday: is this the customer's day?"""

    @property
    def name(self) -> str:
        return "same_weekday_share"

    @property
    def text(self) -> str:
        return "share of the customer's active hours on the present weekday, UTC"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        total = np.sum(acc.marks[WEEKDAYS : WEEKDAYS + 7])
        return acc.marks[WEEKDAYS + (t // DAY + 3) % 7] / total if total else np.nan
