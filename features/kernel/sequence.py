"""Hook: what the order of a customer's interactions says (sessions, transitions, hours of the day, last few)."""

from typing import Any

from numba import njit

#: Columns of `steps`, `marks` and `shares` in the accumulators.
STEPS, MARKS, SHARES = 1, 1, 1


@njit(forceinline=True)
def clear_sequence(acc: Any) -> None:
    """Before the first row; `steps` are zeros already."""
    acc.marks[:] = 0
    acc.shares[:] = 0.0


@njit(forceinline=True)
def add_sequence(acc: Any, met: Any, columns: Any, tables: Any, i: int, day: int, band: int, mark: int) -> None:
    """Row `i`, `day` whole days old, in window `band` and all longer ones; rows come newest first."""


@njit(forceinline=True)
def finish_sequence(acc: Any, tables: Any, t: int) -> None:
    """After the oldest row."""
