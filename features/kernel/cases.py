"""Hook: service cases. The newest word on a case decides whether it is open."""

from typing import Any

import numpy as np
from numba import njit

from features.kernel.accumulators import CASE_ROLE, NO_CASE, OPEN, OPENS, first_meeting

_CASE = np.uint64(1 << 63)  # keeps cases apart from channels and topics in the set of things met


@njit(forceinline=True)
def clear_cases(acc: Any) -> None:
    """Before the first row."""
    acc.cases[OPEN] = 0


@njit(forceinline=True)
def add_case(acc: Any, met: Any, columns: Any, tables: Any, i: int, day: int, band: int, mark: int) -> None:  # noqa: ARG001
    """Row `i`, `day` whole days old, in window `band` and all longer ones; rows come newest first."""
    if not columns.case.shape[0] or not columns.case[i]:
        return
    role = tables.traits[columns.key[i] >> 1, CASE_ROLE]
    if role == NO_CASE:
        return
    newest_word = first_meeting(met, columns.case[i] | _CASE, mark)
    acc.cases[OPEN] += newest_word and role == OPENS


@njit(forceinline=True)
def finish_cases(acc: Any, tables: Any, t: int) -> None:
    """After the oldest row."""
