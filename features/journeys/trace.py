"""Rows in order become steps and journeys; see the package's text for what these are.

A *piece* is a row, or a step that was traced before: the kernel may be fed its own output with newer rows behind it,
and finds what it would have found from all rows.
"""

from typing import Any, NamedTuple

import numpy as np

from features.clock import MINUTE
from features.kernel.jit import compiled
from features.kernel.records import AT, KEY, VALUE

#: What comes within this time of the goal, or of what came after it, belongs to the goal's step.
VISIT = 30 * MINUTE


class Pieces(NamedTuple):
    """Customer c owns pieces start[c]:end[c], in order of time; instants in microseconds.

    `code` int32 is the step's; `satisfaction` the sum of `rated` ratings, both of length 0 where nobody rated anything.
    """

    start: np.ndarray
    end: np.ndarray
    at: np.ndarray
    until: np.ndarray
    code: np.ndarray
    satisfaction: np.ndarray
    rated: np.ndarray


NO_PIECES = Pieces(
    np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int32),
    np.zeros(0), np.zeros(0, np.int32),
)  # fmt: skip


class Traced(NamedTuple):
    """Steps, each customer's together and in order, and journeys: journey j is steps first[j]:first[j + 1].

    `anchor` is when its pause began: the customer's last own interaction, or the journey's begin without one; where the
    goal was reached, the end of that visit.
    """

    at: np.ndarray
    until: np.ndarray
    code: np.ndarray
    satisfaction: np.ndarray
    rated: np.ndarray
    first: np.ndarray
    customer: np.ndarray
    reached: np.ndarray
    anchor: np.ndarray


def trace(pieces: Pieces, own: np.ndarray, goal: np.ndarray, survey: np.ndarray, pause: int) -> Traced:
    """`own`, `goal`, `survey` bool[codes]: what customers do themselves, what is a goal, and what only rates.

    `pause` in microseconds. The pieces' arrays become those of the steps.
    """
    rows = len(pieces.at)
    made = Traced(  # in place: there are never more steps than pieces behind them
        pieces.at, np.empty(rows, np.int64), pieces.code, pieces.satisfaction, pieces.rated,
        np.empty(rows + 1, np.int64), np.empty(rows, np.int32), np.empty(rows, np.bool_), np.empty(rows, np.int64),
    )  # fmt: skip
    steps, journeys = _trace(pieces, made, own, goal, survey, pause, VISIT)
    made.first[journeys] = steps
    ratings = min(len(pieces.rated), steps)
    sizes = (steps, steps, steps, ratings, ratings, journeys + 1, journeys, journeys, journeys)
    return Traced(*(array[:size] for array, size in zip(made, sizes, strict=True)))


@compiled
def _trace(pieces: Any, made: Any, own: Any, goal: Any, survey: Any, pause: int, visit: int) -> Any:
    """Fills `made`; returns how many steps and journeys there are."""
    s = j = -1
    ratings = pieces.rated.shape[0] > 0
    for c in range(pieces.start.shape[0]):
        known = False
        for i in range(pieces.start[c], pieces.end[c]):
            at, code, begins, extends = pieces.at[i], pieces.code[i], True, False
            if survey[code]:
                if ratings and known and at - made.anchor[j] <= pause:
                    made.satisfaction[s] += pieces.satisfaction[i]
                    made.rated[s] += pieces.rated[i]
                continue
            if known:
                if made.reached[j]:
                    begins = at - made.until[s] > visit
                    extends = not begins
                else:
                    begins = at - made.anchor[j] > pause
                    extends = not begins and code == made.code[s]
            known = True
            if begins:
                j += 1
                made.first[j], made.customer[j], made.reached[j], made.anchor[j] = s + 1, c, False, at
            if extends:
                made.until[s] = pieces.until[i]
                if ratings:
                    made.satisfaction[s] += pieces.satisfaction[i]
                    made.rated[s] += pieces.rated[i]
            else:
                s += 1
                made.at[s], made.until[s], made.code[s] = at, pieces.until[i], code
                if ratings:
                    made.satisfaction[s], made.rated[s] = pieces.satisfaction[i], pieces.rated[i]
            if goal[code]:
                made.reached[j] = True
            if own[code] or made.reached[j]:
                made.anchor[j] = pieces.until[i]
    return s + 1, j + 1


@compiled
def rows_of(records: Any, code_of: Any, at: Any, code: Any, satisfaction: Any, rated: Any) -> None:
    """Records of an arranged log as the columns of pieces; `code_of` is each vocabulary code's step."""
    ratings = records.view(np.float64)
    for i in range(records.shape[0]):
        at[i] = records[i, AT]
        code[i] = code_of[records[i, KEY] >> 33]  # a key is twice the code, and whether the row is ours
        if rated.shape[0]:
            rating = ratings[i, VALUE]
            satisfaction[i] = 0.0 if np.isnan(rating) else rating
            rated[i] = 0 if np.isnan(rating) else 1


@compiled
def join(old: Any, new: Any, out: Any) -> None:
    """Each customer's old pieces and then their new ones; `out` has room for all, and gets its `start` and `end`."""
    n = 0
    for c in range(out.start.shape[0]):
        out.start[c] = n
        for pieces in (old, new):
            for i in range(pieces.start[c], pieces.end[c]):
                out.at[n], out.until[n], out.code[n] = pieces.at[i], pieces.until[i], pieces.code[i]
                if out.rated.shape[0]:
                    known = pieces.rated.shape[0] > 0
                    out.satisfaction[n] = pieces.satisfaction[i] if known else 0.0
                    out.rated[n] = pieces.rated[i] if known else 0
                n += 1
        out.end[c] = n
