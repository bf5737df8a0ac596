"""Rows in order become steps and journeys; see the package's text for what these are.

A *piece* is a row, or a step that was traced before: the kernel may be fed its own output with newer rows behind it,
and finds what it would have found from all rows.
"""

from typing import Any, NamedTuple

import numpy as np

from features.clock import MINUTE
from features.kernel.jit import compiled

#: What comes within this time of the goal, or of what came after it, belongs to the goal's step, unless it is leaving.
VISIT = 30 * MINUTE


class Pieces(NamedTuple):
    """Customer c owns pieces start[c]:end[c], in order of time; instants in microseconds.

    `code` int32 is the step's. Of pieces `rated` (ascending; few are), `satisfaction` is the sum of so many `ratings`.
    """

    start: np.ndarray
    end: np.ndarray
    at: np.ndarray
    until: np.ndarray
    code: np.ndarray
    rated: np.ndarray
    satisfaction: np.ndarray
    ratings: np.ndarray


NO_PIECES = Pieces(
    np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int32),
    np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int32),
)  # fmt: skip


class Traced(NamedTuple):
    """Steps, each customer's together and in order, and journeys: journey j is steps first[j]:first[j + 1].

    `anchor` is when its pause began: the customer's last own interaction, or the journey's begin without one; where the
    goal was reached, the end of that visit. Of steps `rated` (ascending), `satisfaction` is the sum of `ratings`.
    """

    at: np.ndarray
    until: np.ndarray
    code: np.ndarray
    rated: np.ndarray
    satisfaction: np.ndarray
    ratings: np.ndarray
    first: np.ndarray
    customer: np.ndarray
    reached: np.ndarray
    anchor: np.ndarray


def trace(
    pieces: Pieces, own: np.ndarray, goal: np.ndarray, leaves: np.ndarray, survey: np.ndarray, pause: int
) -> Traced:
    """bool[codes] each: what customers do themselves, what is a goal, what says that they leave, and what only rates.

    `pause` in microseconds. The pieces' arrays become those of the steps; customers' pieces lie in their order.
    """
    rows = len(pieces.at)
    made = Traced(  # in place: there are never more steps than pieces behind them
        pieces.at, np.empty(rows, np.int64), pieces.code, pieces.rated, pieces.satisfaction, pieces.ratings,
        np.empty(rows + 1, np.int64), np.empty(rows, np.int32), np.empty(rows, np.bool_), np.empty(rows, np.int64),
    )  # fmt: skip
    steps, journeys, rated = _trace(pieces, made, own, goal, leaves, survey, pause, VISIT)
    made.first[journeys] = steps
    sizes = (steps, steps, steps, rated, rated, rated, journeys + 1, journeys, journeys, journeys)
    return Traced(*(array[:size] for array, size in zip(made, sizes, strict=True)))


@compiled
def _trace(pieces: Any, made: Any, own: Any, goal: Any, leaves: Any, survey: Any, pause: int, visit: int) -> Any:
    """Fills `made`; returns how many steps, journeys and rated steps there are."""
    s = j = k = -1
    r = 0
    for c in range(pieces.start.shape[0]):
        known = False
        for i in range(pieces.start[c], pieces.end[c]):
            at, code, begins, extends, counts = pieces.at[i], pieces.code[i], True, False, True
            if survey[code]:
                counts = known and at - made.anchor[j] <= pause
            else:
                if known:
                    if made.reached[j]:
                        begins = at - made.until[s] > visit or (leaves[code] and not goal[code])
                        extends = not begins
                    else:
                        begins = at - made.anchor[j] > pause
                        extends = not begins and code == made.code[s]
                known = True
                if begins:
                    j += 1
                    made.first[j], made.customer[j], made.reached[j], made.anchor[j] = s + 1, c, False, at
                if not extends:
                    s += 1
                    made.at[s], made.code[s] = at, code
                made.until[s] = pieces.until[i]
                if goal[code]:
                    made.reached[j] = True
                if own[code] or made.reached[j]:
                    made.anchor[j] = pieces.until[i]
            while r < pieces.rated.shape[0] and pieces.rated[r] < i:
                r += 1
            if counts and r < pieces.rated.shape[0] and pieces.rated[r] == i:
                satisfaction, ratings = pieces.satisfaction[r], pieces.ratings[r]
                if k < 0 or made.rated[k] != s:
                    k += 1
                    made.rated[k], made.satisfaction[k], made.ratings[k] = s, satisfaction, ratings
                else:
                    made.satisfaction[k] += satisfaction
                    made.ratings[k] += ratings
    return s + 1, j + 1, k + 1


@compiled
def join(old: Any, new: Any, out: Any) -> int:
    """Each customer's old pieces and then their new ones; returns how many are rated.

    `out` has room for all, and gets its `start` and `end`.
    """
    n = k = 0
    for c in range(out.start.shape[0]):
        out.start[c] = n
        for pieces in (old, new):
            r = np.searchsorted(pieces.rated, pieces.start[c])
            for i in range(pieces.start[c], pieces.end[c]):
                out.at[n], out.until[n], out.code[n] = pieces.at[i], pieces.until[i], pieces.code[i]
                if r < pieces.rated.shape[0] and pieces.rated[r] == i:
                    out.rated[k], out.satisfaction[k], out.ratings[k] = n, pieces.satisfaction[r], pieces.ratings[r]
                    r += 1
                    k += 1
                n += 1
        out.end[c] = n
    return k
