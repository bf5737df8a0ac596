"""Rows of many customers, brought together by customer and put in order of (occurred_at, hash of id)."""

from typing import Any

import numpy as np
from numba import njit

from features.kernel.jit import compiled

_SHORT = 24  # runs up to this length are sorted in place


@compiled
def order_by_customer(customer: Any, at: Any, ids: Any, start: Any, order: Any) -> None:
    """Fills `start` (int64[customers + 1]) and `order` (int64[n]), such that rows order[start[c]:start[c + 1]] are c's.

    A counting sort keeps the log's own order, so a log that is in order of time costs two passes and no comparison
    sort. `customer` int64[n], `at` int64[n], `ids` uint64[n].
    """
    start[:] = 0
    for row in range(customer.shape[0]):
        start[customer[row] + 1] += 1
    for c in range(start.shape[0] - 1):
        start[c + 1] += start[c]
    place = start[:-1].copy()
    for row in range(customer.shape[0]):
        c = customer[row]
        order[place[c]] = row
        place[c] += 1
    for c in range(start.shape[0] - 1):
        _sort(at, ids, order[start[c] : start[c + 1]])


@njit
def _sort(at: Any, ids: Any, rows: Any) -> None:
    """Sorts `rows` by (at, id)."""
    for i in range(1, rows.shape[0]):
        if at[rows[i]] < at[rows[i - 1]]:
            rows[:] = rows[np.argsort(at[rows], kind="mergesort")]
            break
    first = 0
    for i in range(1, rows.shape[0] + 1):
        if i == rows.shape[0] or at[rows[i]] != at[rows[first]]:
            if i - first > 1:
                _sort_ties(ids, rows[first:i])
            first = i


@njit
def _sort_ties(ids: Any, rows: Any) -> None:
    if rows.shape[0] > _SHORT:  # a whole day's file may carry one instant: insertion would be quadratic
        rows[:] = rows[np.argsort(ids[rows], kind="mergesort")]
        return
    for i in range(1, rows.shape[0]):
        row, j = rows[i], i
        while j > 0 and ids[rows[j - 1]] > ids[row]:
            rows[j] = rows[j - 1]
            j -= 1
        rows[j] = row
