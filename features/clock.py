"""Instants as integers: microseconds since 1970-01-01 UTC, and a workspace's clock.

Inside, every instant is an ``int`` of microseconds; `datetime` appears only at the edges.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC = _EPOCH.replace(tzinfo=None)  # a decision writes a dozen instants: without a zone to name they cost half


def micros(moment: datetime) -> int:
    """Microseconds since the epoch; a moment without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def instant(us: int) -> datetime:
    """The zone-aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=int(us))


def isoformat(us: int) -> str:
    """ISO 8601 in UTC, with a trailing Z."""
    return (_UTC + timedelta(0, 0, int(us))).isoformat() + "Z"


def parse_instant(text: str) -> int:
    """Microseconds of an ISO 8601 date or date-time; without a zone it is UTC.

    >>> isoformat(parse_instant("2017-12-04"))
    '2017-12-04T00:00:00Z'
    """
    try:
        return micros(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a date: write it as 2017-12-04 or 2017-12-04T18:30:00Z") from None


@dataclass(frozen=True)
class Clock:
    """What a workspace calls now: the system's time, or a start instant that then runs on.

    `start` and `anchor` are microseconds: at system time `anchor` this clock showed `start`.
    Both None means the system's own time.
    """

    start: int | None = None
    anchor: int | None = None

    def now(self) -> int:
        """Microseconds since the epoch on this clock."""
        system = time.time_ns() // 1_000
        if self.start is None or self.anchor is None:
            return system
        return self.start + max(0, system - self.anchor)
