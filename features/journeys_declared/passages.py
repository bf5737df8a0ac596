"""Passages of one written journey through the log: one compiled pass over each customer's rows.

A **passage** is one customer's way towards the goal once. It begins with an interaction of a stage on the way, and ends
with the visit in which the goal is reached (what follows within half an hour of each other belongs to it), or is given
up when a pause is over, or is still open. Rows of one stage in a row are one stay. A passage moves from stay to stay:

    on     to a stage further on than any before, however many are passed over
    back   to an earlier stage where it was before
    again  to a later stage where it was before
    after  to a stage passed over, so that it comes after a later one: out of order

and leaves out what it passed over and never came to. Stages that are not on the way are counted and change nothing.
"""

from typing import Any, NamedTuple

import numpy as np

from features.kernel.jit import compiled
from features.kernel.sequence import SESSION_BREAK

#: Stage of a row: a position on the way, or one of these.
NO_STAGE, BESIDE = -1, -2
#: Bits of what a move to a stage was; a move on that came in time has none.
BACK, AGAIN, AFTER, LATE = 1, 2, 4, 8
#: How a passage ended.
OPEN, GIVEN_UP, REACHED = range(3)


class Passages(NamedTuple):
    """One entry a passage, in order of customer and time; k stages on the way.

    customer int32; begin, end int64: its first and last interaction, microseconds (the goal's own where it was
    reached); ended int8; entered int64[n, k]: when each stage was first entered, -1 where never; marks uint8[n, k]: how
    it was entered, bits of BACK, AGAIN, AFTER and LATE; beside int32: rows of stages that are not on the way.
    """

    customer: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    ended: np.ndarray
    entered: np.ndarray
    marks: np.ndarray
    beside: np.ndarray


def room(passages: int, stages: int) -> Passages:
    """To be written."""
    return Passages(
        np.zeros(passages, np.int32),
        np.zeros(passages, np.int64),
        np.zeros(passages, np.int64),
        np.zeros(passages, np.int8),
        np.full((passages, stages), -1, np.int64),
        np.zeros((passages, stages), np.uint8),
        np.zeros(passages, np.int32),
    )


@compiled
def follow(start: Any, end: Any, at: Any, stage: Any, pause: int, within: Any, known_until: int, out: Any) -> int:
    """Follows customers c through their rows start[c]:end[c], in order; fills `out`, as far as it has room.

    `stage` int16 of each row; `within` int64[k], microseconds from the entry of the furthest stage before, 0 without a
    limit. Returns how many passages there are: call it once with no room, and again with as much.
    """
    goal = within.shape[0] - 1
    found, fits = 0, out.customer.shape[0]
    for c in range(start.shape[0]):
        here = -1  # the stage of the present stay; -1: in no passage
        top, last, rested = 0, np.int64(0), np.int64(-1)
        for i in range(start[c], end[c]):
            s, t = stage[i], at[i]
            if s == NO_STAGE:
                continue
            if here >= 0 and t - last > pause:
                here = -1
            if here < 0 and rested >= 0 and t - rested <= SESSION_BREAK:
                rested = t
                continue
            if s == BESIDE:
                if here >= 0:
                    last = t
                    if fits:
                        out.beside[found - 1] += 1
                        out.end[found - 1] = t
                continue
            if here < 0:
                found += 1
                here = top = s
                if fits:
                    p = found - 1
                    out.customer[p], out.begin[p], out.entered[p, s] = c, t, t
            elif s != here:
                if fits:
                    move(out, found - 1, here, s, top, t, within)
                here, top = s, max(top, s)
            last = t
            if fits:
                out.end[found - 1] = t
                out.ended[found - 1] = REACHED if s == goal else OPEN if known_until - t <= pause else GIVEN_UP
            if s == goal:
                here, rested = -1, t
        if here >= 0 and fits:  # rows beside the way keep a passage open, too
            out.ended[found - 1] = OPEN if known_until - last <= pause else GIVEN_UP
    return found


@compiled
def move(out: Any, p: int, here: int, s: int, top: int, t: int, within: Any) -> None:
    """Notes that passage p went from stage `here` to `s`; `top` is the furthest before."""
    if out.entered[p, s] >= 0:
        out.marks[p, s] |= BACK if s < here else AGAIN
        return
    out.entered[p, s] = t
    if s < top:
        out.marks[p, s] |= AFTER
    elif within[s] > 0 and t - out.entered[p, top] > within[s]:
        out.marks[p, s] |= LATE
