"""The kernel's one entry: for each row, accumulate once and read every feature off.

History calls it with many rows from several threads, the live service with one; it is the same machine code.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

from features.kernel.accumulate import accumulate
from features.kernel.accumulators import BOUND, clear, cumulate, new_accumulators
from features.kernel.jit import compiled
from features.kinds import KINDS

# columns of `rows`
LO, HI, AT, TARGET = range(4)


def _chain(position: int) -> Callable[..., float]:
    """`read(kind, ...)`, a chain of compiled functions over all kinds from `position` on; LLVM makes it a jump table."""
    head = KINDS[position].read
    if position == len(KINDS) - 1:

        @njit
        def last(kind: int, acc: Any, t: int, s: int, a: int, b: int) -> float:
            return head(acc, t, s, a, b)

        return last  # type: ignore[no-any-return]
    tail = _chain(position + 1)

    @njit
    def read(kind: int, acc: Any, t: int, s: int, a: int, b: int) -> float:
        if kind == position:
            return head(acc, t, s, a, b)
        return tail(kind, acc, t, s, a, b)

    return read  # type: ignore[no-any-return]


_read = _chain(0)


@njit
def _slots(tables: Any, rows: Any) -> int:
    """A power of two that leaves the set of things met at most half full: a case, and two per selector that asks."""
    most = 0
    for r in range(rows.shape[0]):
        most = max(most, min(rows[r, HI] - rows[r, LO], BOUND))
    keys = most * (1 + 2 * tables.needs[:, 1].sum())
    slots = 2
    while slots < 2 * keys:
        slots *= 2
    return slots


@compiled
def run(columns: Any, registers: Any, tables: Any, rows: Any, out: Any) -> None:
    """Fills out[target] (float64[n, features]) for every row of `rows`, int64[n, 4]: lo, hi, t, target.

    `columns` and `tables` as documented there. `registers` (int64[k, 4]) belong to every row: pass them with one
    customer only.
    """
    acc = new_accumulators(tables.needs.shape[0], tables.window_days, tables.weights.shape[0], _slots(tables, rows))
    operations = tables.operations
    for r in range(rows.shape[0]):
        t = rows[r, AT]
        clear(acc)
        accumulate(acc, columns, registers, tables, rows[r, LO], rows[r, HI], t, r + 1)
        cumulate(acc)
        line = out[rows[r, TARGET]]
        for f in range(operations.shape[0]):
            line[f] = _read(operations[f, 0], acc, t, operations[f, 1], operations[f, 2], operations[f, 3])
