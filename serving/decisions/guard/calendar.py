"""A customer's own clock and calendar: local days, weeks and months, exact across every change of the clocks.

A local day is what the customer's calendar shows: a day of 23 or 25 hours, and where the clocks go back over midnight
(Newfoundland did) a day that is interrupted. Nothing here assumes that a local time exists, or exists only once.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from features import clock

Period = Callable[[int], int]
_MINUTES = 24 * 60


@lru_cache(maxsize=1024)
def zone(name: object) -> ZoneInfo | None:
    """The zone of that name, e.g. Europe/Berlin; None where there is none."""
    if not isinstance(name, str) or not name:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # KeyError: ZoneInfoNotFoundError; OSError: the name of a folder
        return None


class Calendar:
    """One zone. Instants in microseconds UTC."""

    __slots__ = ("_walls", "zone")

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._walls: dict[int, datetime] = {}  # one customer's caps and quiet hours ask about the same few instants

    def wall(self, t: int) -> datetime:
        """What the customer's clock shows, to the second."""
        second = t // clock.SECOND
        found = self._walls.get(second)
        if found is None:
            found = self._walls[second] = datetime.fromtimestamp(second, self.zone)
        return found

    def day(self, t: int) -> int:
        """The local day, counted from 0001-01-01, which is 1."""
        return self.wall(t).toordinal()

    def steady_until(self, t: int, end: int) -> int:
        """The first change of the clocks in (t, end], else `end`. At most a day apart: no zone changes twice in one."""
        before = self.wall(t).utcoffset()
        if self.wall(end).utcoffset() == before:
            return end
        low, high = t // clock.SECOND, end // clock.SECOND  # changes are on whole seconds
        while high - low > 1:
            middle = (low + high) // 2
            if datetime.fromtimestamp(middle, self.zone).utcoffset() == before:
                low = middle
            else:
                high = middle
        return high * clock.SECOND

    def day_ends(self, t: int) -> int:
        """The first instant after `t` that may show another date: midnight, or a change of the clocks before it."""
        wall = self.wall(t)
        passed = (wall.hour * 3600 + wall.minute * 60 + wall.second) * clock.SECOND + t % clock.SECOND
        return self.steady_until(t, t + clock.DAY - passed)

    def leaves(self, t: int, period: Period) -> int:
        """The first instant after `t` whose day is of another period."""
        of = period(self.day(t))
        while True:
            t = self.day_ends(t)
            if period(self.day(t)) != of:
                return t


def week(day: int) -> int:
    """Of a day: the ISO week, Monday to Sunday, whatever the year."""
    return (day - 1) // 7


def month(day: int) -> int:
    """Of a day: the month, counted from year 0."""
    shown = date.fromordinal(day)
    return shown.year * 12 + shown.month


def same(day: int) -> int:
    """Of a day: itself."""
    return day


PERIODS: dict[str, Period] = {"day": same, "week": week, "month": month}


@lru_cache(maxsize=4096)
def holidays_of(country: str, subdivision: str | None, year: int) -> frozenset[int] | None:
    """Public holidays as days; None for a country that is not known. A subdivision not known has the country's."""
    import holidays  # takes 60 ms: only for those who rest on holidays

    for part in (subdivision, None):
        try:
            return frozenset(each.toordinal() for each in holidays.country_holidays(country, subdiv=part, years=year))
        except NotImplementedError:
            continue
    return None
