"""The kernel's one entry: for each row, accumulate once and read every feature off.

History calls it with many rows from several threads, the live service with one; it is the same machine code.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from features.kernel.accumulate import accumulate
from features.kernel.accumulators import (
    BOUND,
    CASES,
    FADING,
    MEASURES,
    MOMENTS,
    SEQUENCE,
    Accumulators,
    Met,
    clear,
    cumulate,
)
from features.kernel.cases import clear_cases, finish_cases
from features.kernel.facts import read_facts
from features.kernel.jit import compiled
from features.kernel.sequence import MARKS, clear_sequence, finish_sequence
from features.kinds import KINDS

# columns of `rows`
LO, HI, AT, TARGET, FACTS_LO, FACTS_HI = range(6)


def _reader() -> Callable[..., None]:
    """`read_off(acc, t, operations, line)`: a loop over the catalogue that branches to every kind's own `read`.

    It is written out here because Numba turns a flat chain of comparisons into a jump table, but has no cheap call
    through a table of functions. The loop is inside, since passing arrays to a function counts references each time.
    """
    names: dict[str, Any] = {f"kind_{i}": kind.read for i, kind in enumerate(KINDS)}
    branches = [f"        if kind == {i}: line[f] = kind_{i}(acc, t, s, a, b)" for i in range(len(KINDS))]
    head = """
def read_off(acc, t, operations, line):
    for f in range(operations.shape[0]):
        kind, s, a, b = operations[f, 0], operations[f, 1], operations[f, 2], operations[f, 3]
"""
    exec(head + "\n".join(branches), names)
    return njit(names["read_off"])


_read_off = _reader()


@njit
def _new_accumulators(tables: Any) -> Accumulators:
    selectors = tables.needs.shape[0]
    return Accumulators(
        np.empty((selectors, tables.window_days.shape[0], MEASURES)),
        np.empty((selectors, MOMENTS), np.int64),
        np.empty((selectors, FADING + 2 * tables.weights.shape[0])),
        np.empty(2, np.int64),
        np.empty((tables.window_days.shape[0], tables.sizes[1])),
        np.empty(MARKS + tables.transitions.shape[0], np.int64),
        np.empty(tables.weights.shape[0]),
        np.empty(tables.attributes.shape[0]),
        tables.window_days,
        tables.parameters,
    )


@njit
def _new_set(tables: Any, rows: Any) -> Met:
    """Never more than half full: an interaction may bring a case, and two keys for each selector that asks."""
    most = 0
    for r in range(rows.shape[0]):
        most = max(most, min(rows[r, HI] - rows[r, LO], BOUND))
    slots = 2
    while slots < 2 * most * tables.sizes[0]:
        slots *= 2
    noted = slots if tables.hooks[CASES] else 0
    return Met(
        np.empty(slots, np.uint64), np.zeros(slots, np.int64), np.empty(noted, np.int64), np.empty(noted, np.int64)
    )


@compiled
def run(columns: Any, registers: Any, facts: Any, tables: Any, rows: Any, out: Any) -> None:
    """Fills out[target] (float64[n, features]) for every row of `rows`, int64[n, 6]: lo, hi, t, target, then where
    the customer's records begin and end in `facts`.

    `columns`, `facts` and `tables` as documented there. `registers` (int64[k, 4]) belong to every row: pass them with
    one customer only.
    """
    acc, met = _new_accumulators(tables), _new_set(tables, rows)
    for r in range(rows.shape[0]):
        t = rows[r, AT]
        clear(acc)
        if tables.hooks[SEQUENCE]:
            clear_sequence(acc)
        if tables.hooks[CASES]:
            clear_cases(acc)
        accumulate(acc, met, columns, registers, tables, rows[r], r + 1)
        cumulate(acc)
        if tables.hooks[SEQUENCE]:
            finish_sequence(acc, tables, t)
        if tables.hooks[CASES]:
            finish_cases(acc, tables, t)
        if tables.attributes.shape[0]:
            read_facts(acc, facts, tables, rows[r, FACTS_LO], rows[r, FACTS_HI], t)
        _read_off(acc, t, tables.operations, out[rows[r, TARGET]])
