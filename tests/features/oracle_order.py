"""The naive reading of what the order of interactions says: lists of dicts, oldest first, and plain loops.

`asked.all` are the remembered interactions of one customer at `asked.t`, `asked.channels` the workspace's.
"""

import math
from collections import Counter
from collections.abc import Callable
from itertools import groupby, pairwise
from typing import Any

from features.interactions import (
    ASSISTED,
    DIGITAL,
    NAMED_TYPES,
    NOT_CONTACTS,
    OTHER_PRESSURE,
    PRESSURE,
    REACTIONS,
    RESPONSES,
)

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 24 * 3600 * SECOND
Row = dict[str, Any]


def inbound(asked: Any, channels: tuple[str, ...] | None = None) -> list[Row]:
    """What the customer did, on some channels or on any."""
    return [r for r in asked.all if r["direction"] == "inbound" and (channels is None or r["channel"] in channels)]


def lately(asked: Any, rows: list[Row], days: int) -> list[Row]:
    return [row for row in rows if row["occurred_at"] >= asked.t - days * DAY]


def sessions(feature: Any, asked: Any) -> list[list[Row]]:
    """Those that ended in the window."""
    found: list[list[Row]] = []
    for row in inbound(asked, DIGITAL):
        if found and row["occurred_at"] - found[-1][-1]["occurred_at"] <= 30 * MINUTE:
            found[-1].append(row)
        else:
            found.append([row])
    return [session for session in found if lately(asked, session[-1:], feature.days)]


def session_minutes(feature: Any, asked: Any) -> float | None:
    found = sessions(feature, asked)
    spent = [(session[-1]["occurred_at"] - session[0]["occurred_at"]) / MINUTE for session in found]
    return math.fsum(spent) / len(spent) if spent else None


def session_depth(feature: Any, asked: Any) -> float | None:
    found = sessions(feature, asked)
    return sum(len(session) for session in found) / len(found) if found else None


def listed(asked: Any, row: Row) -> str | None:
    """The channel; None stands for any that the workspace does not list."""
    return row["channel"] if row["channel"] in asked.channels else None


def switches(feature: Any, asked: Any) -> list[tuple[str | None, str | None]]:
    """From and to, where the arrival lies in the window."""
    pairs = [
        (listed(asked, one), listed(asked, other), other)
        for one, other in pairwise(inbound(asked))
        if listed(asked, one) != listed(asked, other)
    ]
    return [(one, other) for one, other, arrival in pairs if lately(asked, [arrival], feature.days)]


def transition(feature: Any, asked: Any) -> int:
    if not {feature.origin, feature.target} <= set(asked.channels):
        return 0
    return switches(feature, asked).count((feature.origin, feature.target))


def runs(labels: list[Any]) -> list[Any]:
    """Newest first, repeats in a row once."""
    return [label for label, _ in groupby(reversed(labels))]


def path_channel(feature: Any, asked: Any) -> int | None:
    found = runs([listed(asked, row) for row in inbound(asked)])[feature.position - 1 :]
    return list(asked.channels).index(found[0]) if found and found[0] is not None else None


def path_type(feature: Any, asked: Any) -> int | None:
    found = runs([row["type"] if row["type"] in NAMED_TYPES else "other" for row in inbound(asked)])
    return NAMED_TYPES.index(found[feature.position - 1]) if len(found) >= feature.position else None


def channel_shares(asked: Any) -> list[float]:
    counts = Counter(listed(asked, row) for row in inbound(asked))
    return [count / counts.total() for count in counts.values()]


def channel_entropy(_: Any, asked: Any) -> float | None:
    shares = channel_shares(asked)
    return -math.fsum(share * math.log2(share) for share in shares) if shares else None


def escalations(feature: Any, asked: Any) -> int:
    helped = [
        other
        for one, other in pairwise(inbound(asked, (*DIGITAL, *ASSISTED)))
        if one["channel"] in DIGITAL and other["channel"] in ASSISTED
        if other["occurred_at"] - one["occurred_at"] <= 24 * HOUR
    ]
    return len(lately(asked, helped, feature.days))


def hours(asked: Any) -> set[int]:
    """Whole clock hours since 1970, a Thursday, in which the customer did something."""
    return {row["occurred_at"] // HOUR for row in inbound(asked)}


def share_of_hours(asked: Any, meant: Callable[[int], bool]) -> float | None:
    active = hours(asked)
    return sum(meant(hour) for hour in active) / len(active) if active else None


def weekday(hour: int) -> int:
    """Monday is 0."""
    return (hour // 24 + 3) % 7


def staged(asked: Any) -> list[tuple[int, Row]]:
    position = {type_: i for i, types in enumerate(asked.stages.values()) for type_ in types}
    return [(position[row["type"]], row) for row in asked.all if row["type"] in position]


def stage_before(_: Any, asked: Any) -> int | None:
    found = runs([stage for stage, _ in staged(asked)])
    return found[1] if len(found) > 1 else None


def days_in_stage(_: Any, asked: Any) -> float | None:
    found = staged(asked)
    if not found:
        return None
    entered = len(found) - 1
    while entered and found[entered - 1][0] == found[-1][0]:
        entered -= 1
    return (asked.t - found[entered][1]["occurred_at"]) / DAY


def stage_changes(feature: Any, asked: Any) -> int:
    changes = [row for (before, _), (stage, row) in pairwise(staged(asked)) if before != stage]
    return len(lately(asked, changes, feature.days))


def is_contact(row: Row) -> bool:
    return row["direction"] == "outbound" and row["type"] not in NOT_CONTACTS


def response_rate(feature: Any, asked: Any) -> float | None:
    answers = []
    for i, contact in enumerate(asked.all):
        if is_contact(contact) and lately(asked, [contact], feature.days):
            answered = False
            for row in asked.all[i + 1 :]:
                if is_contact(row) or row["occurred_at"] - contact["occurred_at"] > 30 * DAY:
                    break
                answered |= row["type"] in RESPONSES
            answers.append(answered)
    return sum(answers) / len(answers) if answers else None


def ignored(_: Any, asked: Any) -> int:
    count = 0
    for row in reversed(asked.all):
        if row["type"] in REACTIONS:
            break
        count += is_contact(row)
    return count


def load(row: Row) -> float:
    return PRESSURE.get(row["channel"], OTHER_PRESSURE) if is_contact(row) else 0.0


def stories(asked: Any) -> list[list[Row]]:
    """The openings and closings of each case."""
    found: dict[str, list[Row]] = {}
    for row in asked.all:
        if row["case_id"] is not None and row["type"] in ("complaint", "case_opened", "case_closed"):
            found.setdefault(row["case_id"], []).append(row)
    return list(found.values())


def opens(row: Row) -> bool:
    return row["type"] != "case_closed"


def longest_open(_: Any, asked: Any) -> float | None:
    since = []
    for story in stories(asked):
        if opens(story[-1]):
            first = len(story) - 1
            while first and opens(story[first - 1]):
                first -= 1
            since.append(story[first]["occurred_at"])
    return (asked.t - min(since)) / DAY if since else None


def resolved(feature: Any, asked: Any) -> list[float]:
    """Days from the first opening to the closing, of the cases that were closed in the window and stayed so."""
    found = []
    for story in stories(asked):
        openings = [row for row in story if opens(row)]
        if openings and not opens(story[-1]) and lately(asked, story[-1:], feature.days):
            found.append((story[-1]["occurred_at"] - openings[0]["occurred_at"]) / DAY)
    return found


def resolve_days(feature: Any, asked: Any) -> float | None:
    found = resolved(feature, asked)
    return math.fsum(found) / len(found) if found else None


KINDS: dict[str, Callable[[Any, Any], float | None]] = {
    "Sessions": lambda f, a: len(sessions(f, a)),
    "SessionMinutes": session_minutes,
    "SessionDepth": session_depth,
    "ChannelSwitches": lambda f, a: len(switches(f, a)),
    "Transition": transition,
    "PathChannel": path_channel,
    "PathType": path_type,
    "ChannelEntropy": channel_entropy,
    "MainChannelShare": lambda _, a: max(channel_shares(a), default=None),
    "Escalations": escalations,
    "HourShare": lambda f, a: share_of_hours(a, lambda hour: f.first <= hour % 24 < f.last),
    "WeekendShare": lambda _, a: share_of_hours(a, lambda hour: weekday(hour) >= 5),
    "SameHour": lambda _, a: share_of_hours(a, lambda hour: (hour - a.t // HOUR) % 24 in (23, 0, 1)),
    "SameWeekday": lambda _, a: share_of_hours(a, lambda hour: weekday(hour) == weekday(a.t // HOUR)),
    "JourneyStage": lambda _, a: staged(a)[-1][0] if staged(a) else None,
    "StageBefore": stage_before,
    "DaysInStage": days_in_stage,
    "StageChanges": stage_changes,
    "ResponseRate": response_rate,
    "IgnoredInARow": ignored,
    "ContactLoad": lambda f, a: math.fsum(load(row) for row in lately(a, a.all, f.days)),
    "Pressure": lambda f, a: math.fsum(load(row) * 0.5 ** (a.age(row) / f.half_life) for row in a.all),
    "LongestOpen": longest_open,
    "CasesResolved": lambda f, a: len(resolved(f, a)),
    "ResolveDays": resolve_days,
}
