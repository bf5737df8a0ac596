"""Hook: service cases. The newest word on a case decides whether it is open."""

from typing import Any

import numpy as np

from features.kernel.accumulators import CASE_ROLE, NEVER, NO_CASE, OPEN, OPEN_SINCE, OPENS, meet
from features.kernel.jit import inlined
from features.kernel.sequence import RESOLVE_TIME, RESOLVED

_CASE = np.uint64(1 << 63)  # keeps cases apart from channels and topics in the set of things met

#: What is noted of a case: open; closed in window n (its opening not met yet); opened before a closing in window n.
_STILL_OPEN, _SETTLED, _CLOSED, _OPENED = -1, -2, 0, 1 << 16


@inlined
def clear_cases(acc: Any) -> None:
    """Before the first row."""
    acc.cases[OPEN] = 0
    acc.cases[OPEN_SINCE] = NEVER


@inlined
def add_case(acc: Any, met: Any, columns: Any, tables: Any, i: int, day: int, band: int, mark: int) -> None:  # noqa: ARG001
    """Row `i`, `day` whole days old, in window `band` and all longer ones; rows come newest first.

    A case that is closed took from its first opening to its last closing, and is as old as that closing.
    """
    if not columns.case.shape[0] or not columns.case[i]:
        return
    role = tables.traits[columns.key[i] >> 1, CASE_ROLE]
    if role == NO_CASE:
        return
    at = columns.at[i]
    slot = meet(met, columns.case[i] | _CASE, mark)
    if slot >= 0:  # the newest word
        if role == OPENS:
            acc.cases[OPEN] += 1
            acc.cases[OPEN_SINCE] = min(acc.cases[OPEN_SINCE], at)
        met.notes[slot] = _STILL_OPEN if role == OPENS else _CLOSED + band
        met.since[slot] = at
        return
    slot = -slot - 1
    note = met.notes[slot]
    if note == _STILL_OPEN:
        if role == OPENS:
            acc.cases[OPEN_SINCE] = min(acc.cases[OPEN_SINCE], at)
        else:
            met.notes[slot] = _SETTLED  # what lies before is an earlier story
    elif note >= _CLOSED and role == OPENS:
        if note < _OPENED:
            acc.steps[note, RESOLVED] += 1
            met.notes[slot] = note = note + _OPENED
        acc.steps[note - _OPENED, RESOLVE_TIME] += met.since[slot] - at
        met.since[slot] = at


@inlined
def finish_cases(acc: Any, tables: Any, t: int) -> None:
    """After the oldest row."""
