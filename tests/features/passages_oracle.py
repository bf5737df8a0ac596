"""Passages of a written journey, read naively: lists, dictionaries and one loop, nothing shared with the kernel."""

from typing import Any

HALF_HOUR = 30 * 60 * 1_000_000


def passages(rows: list[tuple[int, str | None]], way: list[str], pause: int, within: dict[str, int], known_until: int):
    """`rows` of one customer, oldest first: (instant, stage), the stage None where it is none of the journey's.

    Each passage is a dict: begin, end, ended, entered (stage -> instant), marks (stage -> set of words), beside.
    """
    found: list[dict[str, Any]] = []
    present: dict[str, Any] | None = None
    goal_until = None
    for at, stage in rows:
        if stage is None:
            continue
        if present is not None and at - present["end"] > pause:
            present["ended"], present = "given up", None
        if present is None and goal_until is not None and at - goal_until <= HALF_HOUR:
            goal_until = at
            continue
        if stage not in way:
            if present is not None:
                present["beside"] += 1
                present["end"] = at
            continue
        if present is None:
            present = {"begin": at, "end": at, "ended": "open", "entered": {}, "marks": {}, "beside": 0, "here": stage}
            present["entered"][stage] = at
            found.append(present)
        elif stage != present["here"]:
            marks = present["marks"].setdefault(stage, set())
            place, furthest = way.index(stage), max(present["entered"], key=way.index)
            if stage in present["entered"]:
                marks.add("back" if place < way.index(present["here"]) else "again")
            elif place < way.index(furthest):
                marks.add("after")
            elif within.get(stage) and at - present["entered"][furthest] > within[stage]:
                marks.add("late")
            present["entered"].setdefault(stage, at)
            present["here"] = stage
        present["end"] = at
        if stage == way[-1]:
            present["ended"], goal_until, present = "reached", at, None
    if present is not None and known_until - present["end"] > pause:
        present["ended"] = "given up"
    return found
