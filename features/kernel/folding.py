"""A few new interactions into a state's words: what happens at every visit, so it is compiled."""

from typing import Any

import numpy as np

from features.clock import DAY
from features.kernel.accumulators import BOUND, HORIZON_DAYS
from features.kernel.jit import compiled, inlined
from features.kernel.packed import BITS, CASE, DISCOUNT, HEADER, RECEIVED, SATISFACTION, VALUE

#: More than these are folded by sorting all.
FEW = 8
_NULL = np.array([np.nan]).view(np.int64)[0]


@compiled
def fold_few(
    words: Any, at: Any, received: Any, id: Any, key: Any, value: Any, satisfaction: Any, case: Any, discount: Any,
    fresh: Any,
) -> Any:  # fmt: skip
    """The words with the interactions folded in; fills `fresh`, which of them are new.

    Of length 0 where something would leave the bound, which is not done here. Columns as in features/state.py.
    """
    n, present, top = words[1] & ((1 << BITS) - 1), (words[0] >> 8) & 255, (words[0] >> 32) - 1
    held_at, held_id = words[HEADER : HEADER + n], words[HEADER + n : HEADER + 2 * n].view(np.uint64)
    order, k = np.empty(at.shape[0], np.int64), 0
    more = 0
    for i in range(at.shape[0]):
        fresh[i] = True
        for j in range(n):
            fresh[i] &= held_id[j] != id[i]
        for j in range(k):
            fresh[i] &= id[order[j]] != id[i]
        if not fresh[i]:
            continue
        j = k
        while j > 0 and _is_before(at, id, i, at, id, order[j - 1]):
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
        k += 1
        top = max(top, np.int64(key[i] >> 1))
        more |= RECEIVED if received.shape[0] and received[i] != at[i] else 0
        more |= VALUE if not np.isnan(value[i]) else 0
        more |= SATISFACTION if satisfaction.shape[0] and not np.isnan(satisfaction[i]) else 0
        more |= CASE if case.shape[0] and case[i] != 0 else 0
        more |= DISCOUNT if discount.shape[0] and not np.isnan(discount[i]) else 0
    if k == 0:
        return words
    newest, oldest = at[order[k - 1]], at[order[0]]
    if n:
        newest, oldest = max(newest, held_at[n - 1]), min(oldest, held_at[0])
    if n + k > BOUND or oldest < newest - HORIZON_DAYS * DAY:
        return words[:0]

    spot = np.empty(k, np.int64)  # where each new one goes
    j = 0
    for i in range(k):
        while j < n and not _is_before(at, id, order[i], held_at, held_id, j):
            j += 1
        spot[i] = j + i
    total = n + k
    bits = present | more
    columns = 2
    for bit in range(5):
        columns += (bits >> bit) & 1
    rest = words[1] >> BITS
    beside = 4 * (rest & ((1 << BITS) - 1)) + 5 * (rest >> BITS)  # registers and facts
    out = np.empty(HEADER + columns * total + beside + (total + 1) // 2, np.int64)
    out[0] = (words[0] & 255) | (bits << 8) | ((top + 1) << 32)
    out[1] = (rest << BITS) | total
    place = HEADER
    _spread(out[place : place + total], held_at, spot, order, at)
    _spread(out[place + total : place + 2 * total], held_id.view(np.int64), spot, order, id.view(np.int64))
    source, place = HEADER + 2 * n, place + 2 * total
    for bit in range(5):
        flag = 1 << bit
        if not bits & flag:
            continue
        target = out[place : place + total]
        place += total
        old = words[source : source + n] if present & flag else words[:0]
        source += old.shape[0]
        if flag == RECEIVED:
            _spread(target, old if old.shape[0] else held_at, spot, order, received if received.shape[0] else at)
        elif flag == VALUE:
            _spread_optional(target, old, _NULL, spot, order, value.view(np.int64))
        elif flag == SATISFACTION:
            _spread_optional(target, old, _NULL, spot, order, satisfaction.view(np.int64))
        elif flag == CASE:
            _spread_optional(target, old, 0, spot, order, case.view(np.int64))
        else:
            _spread_optional(target, old, _NULL, spot, order, discount.view(np.int64))
    out[place : place + beside] = words[source : source + beside]
    halves = out[place + beside :].view(np.int32)
    halves[halves.shape[0] - 1] = 0
    _spread(halves[:total], words[source + beside :].view(np.int32)[:n], spot, order, key)
    return out


@inlined
def _is_before(left_at: Any, left_id: Any, i: int, right_at: Any, right_id: Any, j: int) -> bool:
    """Whether the i-th on the left comes before the j-th on the right."""
    return left_at[i] < right_at[j] or (left_at[i] == right_at[j] and left_id[i] < right_id[j])


@inlined
def _spread(target: Any, old: Any, spot: Any, order: Any, new: Any) -> None:
    """Old ones in their order, with the new ones at their spots."""
    j, i = 0, 0
    for row in range(target.shape[0]):
        if i < spot.shape[0] and spot[i] == row:
            target[row] = new[order[i]]
            i += 1
        else:
            target[row] = old[j]
            j += 1


@inlined
def _spread_optional(target: Any, old: Any, null: int, spot: Any, order: Any, new: Any) -> None:
    """The same for columns of length 0, which stand for nothing but nulls."""
    j, i = 0, 0
    for row in range(target.shape[0]):
        if i < spot.shape[0] and spot[i] == row:
            target[row] = new[order[i]] if new.shape[0] else null
            i += 1
        else:
            target[row] = old[j] if old.shape[0] else null
            j += 1
