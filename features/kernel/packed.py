"""A state and the tables as one array of words each: every array that enters compiled code costs a fifth of a
microsecond, which is much where all the work takes ten."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from features.kernel.accumulate import Columns
from features.kernel.tables import Tables

#: Of each number in the second word of a state: see features/state.py, which lays the words out.
BITS = 21
RECEIVED, VALUE, SATISFACTION, CASE, DISCOUNT = (1 << bit for bit in range(5))
_CODES = 3 * Tables._fields.index("traits") + 1
_FACT, _REGISTER, HEADER = 5, 4, 2


def pack(tables: Sequence[np.ndarray]) -> np.ndarray:
    """int64: where each table begins and its shape, three words each, then the tables (of 64-bit numbers)."""
    head, parts, place = [], [], 3 * len(tables)
    for table in tables:
        head += [place, table.shape[0], table.shape[1] if table.ndim > 1 else 1]
        parts.append(np.ascontiguousarray(table).view(np.int64).ravel())
        place += table.size
    return np.concatenate([np.array(head, np.int64), *parts])


def codes(packed: np.ndarray) -> int:
    """How many codes of the vocabulary these tables know."""
    return int(packed[_CODES])


@njit
def row(packed: Any, which: int) -> Any:
    """A table with one axis."""
    place = packed[3 * which]
    return packed[place : place + packed[3 * which + 1]]


@njit
def grid(packed: Any, which: int) -> Any:
    """A table with two axes."""
    place, rows, columns = packed[3 * which], packed[3 * which + 1], packed[3 * which + 2]
    return packed[place : place + rows * columns].reshape((rows, columns))


@njit
def tables_of(packed: Any) -> Tables:
    """The tables again, in the order of Tables."""
    return Tables(
        row(packed, 0),
        row(packed, 1),
        row(packed, 2),
        row(packed, 3),
        grid(packed, 4),
        row(packed, 5).view(np.float64),
        row(packed, 6),
        row(packed, 7),
        grid(packed, 8).view(np.float64),
        row(packed, 9),
        row(packed, 10),
        grid(packed, 11),
        row(packed, 12).view(np.float64),
        row(packed, 13),
        grid(packed, 14),
        row(packed, 15),
        grid(packed, 16),
    )


@njit
def columns_of(words: Any) -> Columns:
    """A state's interactions."""
    n, present = words[1] & ((1 << BITS) - 1), words[0] >> 8
    place = HEADER + 2 * n
    received, value, satisfaction, case, discount = words[:0], words[:0], words[:0], words[:0], words[:0]
    if present & RECEIVED:
        received = words[place : place + n]
        place += n
    if present & VALUE:
        value = words[place : place + n]
        place += n
    if present & SATISFACTION:
        satisfaction = words[place : place + n]
        place += n
    if present & CASE:
        case = words[place : place + n]
        place += n
    if present & DISCOUNT:
        discount = words[place : place + n]
    values = value.view(np.float64) if present & VALUE else np.full(n, np.nan)
    key = words[words.shape[0] - (n + 1) // 2 :].view(np.int32)[:n]
    return Columns(
        words[HEADER : HEADER + n],
        received,
        key,
        values,
        satisfaction.view(np.float64),
        case.view(np.uint64),
        discount.view(np.float64),
    )


@njit
def registers_of(words: Any) -> Any:
    n, k, m = _numbers(words)
    end = words.shape[0] - (n + 1) // 2 - _FACT * m
    return words[end - _REGISTER * k : end].reshape((k, _REGISTER))


@njit
def facts_of(words: Any) -> Any:
    n, _, m = _numbers(words)
    end = words.shape[0] - (n + 1) // 2
    return words[end - _FACT * m : end].reshape((m, _FACT))


@njit
def _numbers(words: Any) -> Any:
    some = (1 << BITS) - 1
    return words[1] & some, words[1] >> BITS & some, words[1] >> 2 * BITS
