"""What clocks show where customers live: offsets from UTC, and when they change."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from features.clock import DAY, MINUTE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def offsets(zones: Sequence[str], since: int, until: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Zone z has the offset out[2][i] (microseconds) from out[1][i] on, i in out[0][z]:out[0][z + 1].

    The first of a zone holds from `since` on. Changes are found to the minute, which is where they are.
    """
    edges, changes, found = [0], [], []
    for name in zones:
        zone = ZoneInfo(name)
        at, now = since, _offset(zone, since)
        changes.append(since)
        found.append(now)
        while at < until:
            after = min(at + DAY, until)
            if (then := _offset(zone, after)) != now:
                changes.append(_change(zone, at, after))
                found.append(then)
                now = then
            at = after
        edges.append(len(changes))
    return np.array(edges, np.int64), np.array(changes, np.int64), np.array(found, np.int64)


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """The first whole minute with the offset of `high`."""
    wanted = _offset(zone, high)
    low, high = low // MINUTE, -(-high // MINUTE)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle * MINUTE) == wanted:
            high = middle
        else:
            low = middle
    return high * MINUTE


def _offset(zone: ZoneInfo, micros: int) -> int:
    there = (_EPOCH + timedelta(microseconds=micros)).astimezone(zone).utcoffset()
    assert there is not None
    return there // timedelta(microseconds=1)
