"""Caps: at most so many contacts in any rolling window, or in any local day, week, month.

Rolling, the window is [t - W, t], exact at both ends. A reservation may be claimed at any moment until it expires, so
it stands in every window until then; what is claimed stands at the instant of its claim, and on the local day that was
stamped on it. So no window, rolling or calendar, ever holds more claims than its cap allows.
"""

from collections.abc import Sequence
from datetime import date

from serving.decisions.fate import Trip
from serving.decisions.guard.calendar import PERIODS, Calendar
from serving.decisions.guard.standing import Standing
from serving.decisions.policy import Cap


def scaled(most: int, factor: float) -> int:
    """A cap times a factor, rounded down; what allowed one contact still does."""
    return most if factor == 1.0 else max(int(most * factor + 1e-9), min(most, 1))


def rolling(cap: Cap, value: str | None, most: int, inside: Sequence[Standing]) -> Trip:
    """Refuses while as many contacts as it allows stand in [t - W, t]. `inside`: those that do now, too many."""
    leaves = sorted([each.at + cap.length + 1 if each.held is None else each.held for each in inside])
    opens = leaves[len(leaves) - most] if most else None  # once that one has left, there is room
    text = f"{_counted(len(leaves))}{_of(cap, value)} within {cap.window}, at most {most}"
    return Trip(cap.label, text, opens)


class CalendarCap:
    """Shut while as many contacts as it allows stand in the customer's local day, week or month."""

    __slots__ = ("calendar", "cap", "held", "made", "most", "period", "value")

    def __init__(self, cap: Cap, value: str | None, most: int, counted: Sequence[Standing], calendar: Calendar) -> None:
        self.cap, self.value, self.most, self.calendar = cap, value, most, calendar
        self.period = PERIODS[str(cap.per)]
        self.held = [each.held for each in counted if each.held is not None]
        self.made = [self.period(local_day(each, calendar)) for each in counted if each.held is None]

    def number(self, t: int) -> int:
        """How many stand in the period around `t`."""
        of = self.period(self.calendar.day(t))
        return self.made.count(of) + sum(held > t for held in self.held)

    def after(self, t: int) -> int | None:
        if self.most == 0:
            return None
        while self.number(t) >= self.most:
            t = min([self.calendar.leaves(t, self.period), *(held for held in self.held if held > t)])
        return t

    def trip(self, now: int) -> Trip | None:
        if (number := self.number(now)) < self.most:
            return None
        text = f"{_counted(number)}{_of(self.cap, self.value)} this local {self.cap.per}, at most {self.most}"
        return Trip(self.cap.label, text, self.after(now))


def local_day(contact: Standing, calendar: Calendar) -> int:
    """As stamped at the claim, whatever the zone was then; else as the customer's zone is now."""
    if contact.local_day is not None:
        return date.fromisoformat(contact.local_day).toordinal()
    return calendar.day(contact.at)


def _counted(number: int) -> str:
    return "1 contact" if number == 1 else f"{number} contacts"


def _of(cap: Cap, value: str | None) -> str:
    return "" if cap.scope == "total" else f" on {value}" if cap.scope == "channel" else f" of {cap.scope} {value}"
