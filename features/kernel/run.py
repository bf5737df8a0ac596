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
    clear_all,
    cumulate,
)
from features.kernel.cases import clear_cases, finish_cases
from features.kernel.facts import read_facts
from features.kernel.jit import compiled, inlined
from features.kernel.kinds import all_kinds
from features.kernel.packed import columns_of, facts_of, registers_of, tables_of
from features.kernel.records import new_columns, unpack
from features.kernel.sequence import MARKS, clear_sequence, finish_sequence

#: Compiled in: all that ship, and in a copy of this module a workspace's own (see entries.py).
KINDS = all_kinds(__name__)
# columns of `rows`
LO, HI, AT, TARGET, FACTS_LO, FACTS_HI = range(6)
#: Lines that are finished before they go to their columns: few enough to stay in the cache.
BLOCK = 192


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
    return inlined(names["read_off"])


_read_off = _reader()


@njit
def new_accumulators(tables: Any) -> Accumulators:
    selectors = tables.wants.shape[0]
    return Accumulators(
        np.empty((selectors, tables.window_days.shape[0], MEASURES)),
        np.empty((selectors, MOMENTS), np.int64),
        np.empty((selectors, FADING + 2 * tables.weights.shape[0])),
        np.empty(1 + selectors, np.int64),
        np.empty(2, np.int64),
        np.empty((tables.window_days.shape[0], tables.sizes[1])),
        np.empty(MARKS + tables.transitions.shape[0], np.int64),
        np.empty(tables.weights.shape[0]),
        np.empty(tables.attributes.shape[0]),
        tables.window_days,
        tables.parameters,
    )


@njit
def _new_set(tables: Any, most: int) -> Met:
    """For customers of up to `most` rows."""
    slots = _slots(tables, most)
    noted = slots if tables.hooks[CASES] else 0
    return Met(
        np.empty(slots, np.uint64),
        np.zeros(slots, np.int64),
        np.empty(1, np.int64),
        np.empty(noted, np.int64),
        np.empty(noted, np.int64),
    )


@inlined
def _slots(tables: Any, rows: int) -> int:
    """Never more than half full: a row may bring a case, and two keys for each selector that asks."""
    slots = 2
    while slots < 2 * min(rows, BOUND) * tables.sizes[0]:
        slots *= 2
    return slots


@inlined
def _features(acc: Any, met: Any, columns: Any, registers: Any, facts: Any, tables: Any, row: Any, mark: int,
              line: Any) -> None:  # fmt: skip
    """Fills `line` (float64[features]) of one customer at one instant; `row` is (lo, hi, t, facts lo, facts hi)."""
    lo, hi, t, facts_lo, facts_hi = row
    met.last[0] = _slots(tables, hi - lo) - 1
    if tables.hooks[SEQUENCE]:
        clear_sequence(acc)
    if tables.hooks[CASES]:
        clear_cases(acc)
    accumulate(acc, met, columns, registers, tables, lo, hi, t, mark)
    cumulate(acc, tables)
    if tables.hooks[SEQUENCE]:
        finish_sequence(acc, tables, t)
    if tables.hooks[CASES]:
        finish_cases(acc, tables, t)
    if tables.attributes.shape[0]:
        read_facts(acc, facts, tables, facts_lo, facts_hi, t)
    _read_off(acc, t, tables.operations, line)
    clear(acc)


@compiled
def run(words: Any, packed: Any, t: int, out: Any) -> None:
    """Fills `out` (float64[features]) of one customer at `t`: words of their state and of the tables, see packed.py."""
    tables, columns = tables_of(packed), columns_of(words)
    registers, facts = registers_of(words), facts_of(words)
    hi = columns.at.shape[0]
    acc, met = new_accumulators(tables), _new_set(tables, hi)
    clear_all(acc)
    _features(acc, met, columns, registers, facts, tables, (0, hi, t, 0, facts.shape[0]), 1, out)


@compiled
def run_log(records: Any, extras: Any, present: Any, facts: Any, packed: Any, rows: Any, out: Any) -> None:
    """Fills out[:, target] (float64[features, n]) for every row of `rows`, int64[n, 6]: lo, hi, t, target, then where
    the customer's records begin and end in `facts`.

    Rows of one customer come together: their records are unpacked once. Lines are finished in blocks before they go to
    their columns, for each line lies across all of them.
    """
    tables = tables_of(packed)
    most = 0
    for r in range(rows.shape[0]):
        most = max(most, rows[r, HI] - rows[r, LO])
    acc, met, columns = new_accumulators(tables), _new_set(tables, most), new_columns(most, present)
    clear_all(acc)
    registers = np.empty((0, 4), np.int64)
    lines = np.empty((BLOCK, out.shape[0]))
    _fill(
        acc, met, columns, registers, records, records.view(np.float64), extras, extras.view(np.float64), facts, tables,
        rows, lines, out,
    )  # fmt: skip


@inlined
def _fill(
    acc: Any, met: Any, columns: Any, registers: Any, records: Any, values: Any, extras: Any, numbers: Any, facts: Any,
    tables: Any, rows: Any, lines: Any, out: Any,
) -> None:  # fmt: skip
    """All rows, where nothing is allocated any more."""
    lo, hi = -1, -1
    for first in range(0, rows.shape[0], BLOCK):
        end = min(first + BLOCK, rows.shape[0])
        for r in range(first, end):
            row = rows[r]
            if row[LO] != lo or row[HI] != hi:
                lo, hi = row[LO], row[HI]
                unpack(records, values, extras, numbers, lo, hi, columns)
            spot = (0, hi - lo, row[AT], row[FACTS_LO], row[FACTS_HI])
            _features(acc, met, columns, registers, facts, tables, spot, r + 1, lines[r - first])
        for group in range(0, out.shape[0], 8):  # a line of memory of each finished line at a time
            for r in range(first, end):
                target = rows[r, TARGET]
                for f in range(group, min(group + 8, out.shape[0])):
                    out[f, target] = lines[r - first, f]
