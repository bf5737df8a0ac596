"""Rows of many customers brought together: one record of 32 bytes a row, each customer's in order of (at, id).

A record is four words of int64: at; bits of the value (NaN without); hash of the interaction_id; the key above the
position of its extra, 0 without. An extra holds what few rows have: received; satisfaction, NaN without; hash of the
case, 0 without; discount, NaN without.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

from features.kernel.accumulate import Columns
from features.kernel.jit import compiled, inlined

AT, VALUE, ID, KEY = range(4)
RECEIVED, SATISFACTION, CASE, DISCOUNT = range(4)
EXTRAS = 4
_LOW = np.int64((1 << 32) - 1)
_SHORT = 24  # runs up to this length are sorted in place


def view(buffer: pa.Buffer | None, kind: Any, offset: int, rows: int) -> np.ndarray:
    """A buffer as an array that cannot be written: compiled code tells the two apart, and must be compiled once."""
    array = np.frombuffer(buffer, kind)[offset : offset + rows] if buffer is not None else np.zeros(0, kind)
    array.flags.writeable = False
    return array


def bits(array: pa.Array) -> np.ndarray:
    """Which rows are not null, a bit each from `array.offset` on; nothing where all are."""
    buffer = array.buffers()[0] if array.null_count else None
    return view(buffer, np.uint8, 0, buffer.size if buffer is not None else 0)


@inlined
def is_set(bits: Any, position: int) -> bool:
    return bits.shape[0] == 0 or (bits[position >> 3] >> (position & 7)) & 1 == 1


@compiled
def blend(out: Any, index: Any, valid: Any, offset: int, place: Any, width: int) -> None:
    """out = out * width + place[index], for a column of a dictionary; null has the last place."""
    for row in range(out.shape[0]):
        word = place[index[row]] if is_set(valid, offset + row) else width - 1
        out[row] = out[row] * width + word


@compiled
def mark(present: Any, combinations: Any) -> None:
    for row in range(combinations.shape[0]):
        present[combinations[row]] = True


@compiled
def find_keys(combinations: Any, key_of: Any, own: Any, keys: Any, wanted: Any) -> None:
    """Fills `keys` and whether each row is `wanted`: rows whose key is negative are left out."""
    for row in range(keys.shape[0]):
        key = key_of[combinations[row]]
        wanted[row] = key >= 0
        keys[row] = key + own[row] if own.shape[0] else key


@compiled
def count(customer: Any, counts: Any) -> None:
    for row in range(customer.shape[0]):
        if customer[row] >= 0:
            counts[customer[row]] += 1


@compiled
def scatter(
    at: Any, id: Any, key: Any, customer: Any, value: Any, value_bits: Any, received: Any, satisfaction: Any,
    satisfaction_bits: Any, case: Any, discount: Any, offsets: Any, place: Any, records: Any, extras: Any, used: int,
    seen: Any,
) -> int:  # fmt: skip
    """Puts a piece of the log where its customers' rows go; returns how many extras are used now.

    `place` is where each customer's next row goes, `offsets` where the two columns' bits begin. `received`,
    `satisfaction`, `case` and `discount` may have length 0. Notes in `seen` which of the four any row has.
    """
    return _scatter(
        at, id, key, customer, value, value_bits, received, satisfaction, satisfaction_bits, case, discount,
        offsets[0], offsets[1], place, records, records.view(np.float64), extras, extras.view(np.float64), used, seen,
    )  # fmt: skip


@inlined
def _scatter(
    at: Any, id: Any, key: Any, customer: Any, value: Any, value_bits: Any, received: Any, satisfaction: Any,
    satisfaction_bits: Any, case: Any, discount: Any, value_offset: int, satisfaction_offset: int, place: Any,
    records: Any, values: Any, extras: Any, numbers: Any, used: int, seen: Any,
) -> int:  # fmt: skip
    any_received, any_rated = received.shape[0] != 0, satisfaction.shape[0] != 0
    any_case, any_saved = case.shape[0] != 0, discount.shape[0] != 0
    for row in range(at.shape[0]):
        c = customer[row]
        if c < 0:
            continue
        p = place[c]
        place[c] = p + 1
        late = any_received and received[row] != at[row]
        rated = any_rated and is_set(satisfaction_bits, satisfaction_offset + row)
        in_case = any_case and case[row] != 0
        saved = any_saved and not np.isnan(discount[row])
        extra = 0
        if late | rated | in_case | saved:
            extra = used
            used += 1
            extras[extra, RECEIVED] = received[row] if late else at[row]
            numbers[extra, SATISFACTION] = satisfaction[row] if rated else np.nan
            extras[extra, CASE] = np.int64(case[row]) if in_case else 0
            numbers[extra, DISCOUNT] = discount[row] if saved else np.nan
            seen[RECEIVED] |= late
            seen[SATISFACTION] |= rated
            seen[CASE] |= in_case
            seen[DISCOUNT] |= saved
        records[p, AT] = at[row]
        values[p, VALUE] = value[row] if is_set(value_bits, value_offset + row) else np.nan
        records[p, ID] = np.int64(id[row])
        records[p, KEY] = (np.int64(key[row]) << 32) | extra
    return used


@compiled
def put_in_order(records: Any, start: Any, end: Any) -> None:
    """Sorts the rows of customers that need it, and lowers their `end` by the rows that repeat one before them."""
    for c in range(start.shape[0]):
        backwards = tied = False
        for i in range(start[c] + 1, end[c]):
            backwards |= records[i, AT] < records[i - 1, AT]
            tied |= records[i, AT] == records[i - 1, AT]
        if backwards or tied:
            end[c] = start[c] + _sort(records[start[c] : end[c]], backwards)


@njit
def _sort(rows: Any, backwards: bool) -> int:
    """Sorts by (at, id); returns how many rows are left when repeats are dropped."""
    if backwards:
        rows[:] = rows[np.argsort(rows[:, AT].copy(), kind="mergesort")]
    kept = 0
    first = 0
    for i in range(1, rows.shape[0] + 1):
        if i == rows.shape[0] or rows[i, AT] != rows[first, AT]:
            if i - first > 1:
                _sort_ties(rows[first:i])
            for j in range(first, i):
                if j > first and rows[j, ID] == rows[kept - 1, ID]:
                    continue
                if kept != j:
                    rows[kept] = rows[j]
                kept += 1
            first = i
    return kept


@njit
def _sort_ties(rows: Any) -> None:
    ids = rows.view(np.uint64)[:, ID].copy()
    if rows.shape[0] > _SHORT:  # a whole day's file may carry one instant: insertion would be quadratic
        rows[:] = rows[np.argsort(ids, kind="mergesort")]
        return
    order = np.arange(rows.shape[0])
    for i in range(1, rows.shape[0]):
        row, j = order[i], i
        while j > 0 and ids[order[j - 1]] > ids[row]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = row
    rows[:] = rows[order]


@inlined
def unpack(records: Any, values: Any, extras: Any, numbers: Any, lo: int, hi: int, columns: Any) -> None:
    """Records lo..hi as columns, from row 0 on; `values` and `numbers` are the others' words as float64.

    Columns of length 0 are left out.
    """
    for i in range(lo, hi):
        row = i - lo
        columns.at[row] = records[i, AT]
        columns.value[row] = values[i, VALUE]
        columns.key[row] = records[i, KEY] >> 32
        extra = records[i, KEY] & _LOW
        if columns.received.shape[0]:
            columns.received[row] = extras[extra, RECEIVED] if extra else records[i, AT]
        if columns.satisfaction.shape[0]:
            columns.satisfaction[row] = numbers[extra, SATISFACTION] if extra else np.nan
        if columns.case.shape[0]:
            columns.case[row] = np.uint64(extras[extra, CASE]) if extra else np.uint64(0)
        if columns.discount.shape[0]:
            columns.discount[row] = numbers[extra, DISCOUNT] if extra else np.nan


@njit
def new_columns(rows: int, present: Any) -> Columns:
    """For so many rows; without the columns of the extras that are not present."""
    return Columns(
        np.empty(rows, np.int64),
        np.empty(rows if present[RECEIVED] else 0, np.int64),
        np.empty(rows, np.int32),
        np.empty(rows),
        np.empty(rows if present[SATISFACTION] else 0),
        np.empty(rows if present[CASE] else 0, np.uint64),
        np.empty(rows if present[DISCOUNT] else 0),
    )


@compiled
def unpacked(records: Any, extras: Any, present: Any) -> Any:
    """All of them as columns, in the order of Columns."""
    columns = new_columns(records.shape[0], present)
    unpack(records, records.view(np.float64), extras, extras.view(np.float64), 0, records.shape[0], columns)
    return columns


@compiled
def known_from(records: Any, extras: Any, late: bool, start: Any, end: Any, known: Any) -> None:
    """Fills `known`, the first instant at which something is known of each customer; everyone has a row."""
    for c in range(known.shape[0]):
        first = records[start[c], AT] + 1
        if late:
            first = np.int64(2**62)
            for i in range(start[c], end[c]):
                if records[i, AT] + 1 >= first:
                    break
                extra = records[i, KEY] & _LOW
                seen = max(records[i, AT] + 1, extras[extra, RECEIVED] if extra else 0)
                first = min(first, seen)
        known[c] = first
