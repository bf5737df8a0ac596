"""Quiet hours, days of rest and public holidays, on the customer's own clock."""

from datetime import datetime
from functools import lru_cache
from typing import Literal

from features import clock
from serving.decisions.fate import Trip
from serving.decisions.guard.calendar import Calendar, holidays_of
from serving.decisions.guard.gates import HORIZON
from serving.decisions.policy import Quiet

_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY = 24 * 60


class QuietTime:
    """Shut while the customer's clock shows a quiet hour, or their calendar a day of rest."""

    __slots__ = ("calendar", "country", "days", "quiet", "span", "subdivision")

    def __init__(self, quiet: Quiet, calendar: Calendar, country: str | None, subdivision: str | None) -> None:
        self.quiet, self.calendar, self.country, self.subdivision = quiet, calendar, country, subdivision
        self.span, self.days = quiet.span, quiet.days

    def trip(self, now: int) -> Trip | None:
        why = self._why(wall := self.calendar.wall(now))
        if why is None:
            return None
        if why == "hours":
            text = f"it is {wall:%H:%M} in {self.calendar.zone.key}, quiet hours are {self.quiet.hours}"
            return Trip("quiet hours", text, self.after(now))
        text = f"{_NAMES[wall.weekday()]} is a day of rest"
        if why == "holiday":
            text = f"{wall.date().isoformat()} is a public holiday in {self.country}"
        return Trip("quiet day", text, self.after(now))

    def _why(self, wall: datetime) -> Literal["weekday", "holiday", "hours"] | None:
        """What makes it quiet when the customer's clock shows this."""
        if self.days and wall.weekday() in self.days:
            return "weekday"
        if self._holiday(wall):
            return "holiday"
        if self.span is not None and _within(self.span, wall.hour * 60 + wall.minute):
            return "hours"
        return None

    def after(self, t: int) -> int | None:
        if len(self.days) == 7 or self.span == (0, _DAY):
            return None
        end = t + HORIZON
        while self._why(self.calendar.wall(t)) is not None:
            t = self._next(t)
            if t > end:
                return None
        return t

    def _next(self, t: int) -> int:
        """The first instant after `t` at which anything may change: a boundary on the clock, or the clock itself."""
        wall = self.calendar.wall(t)
        passed = (wall.hour * 3600 + wall.minute * 60 + wall.second) * clock.SECOND + t % clock.SECOND
        marks = [_DAY, *(self.span or ())]
        ahead = min(mark * clock.MINUTE for mark in marks if mark * clock.MINUTE > passed)
        return self.calendar.steady_until(t, t + ahead - passed)

    def _holiday(self, wall: datetime) -> bool:
        if not self.quiet.holidays or self.country is None:
            return False
        return wall.toordinal() in (holidays_of(self.country, self.subdivision, wall.year) or ())


@lru_cache(maxsize=256)
def known_country(code: object) -> str | None:
    """A country whose holidays are known, else None."""
    if not isinstance(code, str) or not code:
        return None
    return code.upper() if holidays_of(code.upper(), None, 2024) is not None else None


def _within(span: tuple[int, int], minute: int) -> bool:
    start, end = span
    return start <= minute < end if start < end else minute >= start or minute < end
