"""What is wrong with the rows of a chunk, row by row."""

from collections.abc import Callable

import numpy as np


class Complaints:
    """Collects reasons per row; a row with any reason goes to quarantine."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.bad = np.zeros(rows, bool)
        self._reasons: dict[int, list[tuple[str, str]]] = {}
        self._columns: dict[str, np.ndarray] = {}

    def add(self, mask: np.ndarray, column: str, reason: Callable[[int], str]) -> None:
        """`reason(i)` says what is wrong with `column` of row i, for every row where `mask` is true.

        A row is told one thing per column: what made the value unreadable hides what follows from it.
        """
        known = self._columns.setdefault(column, np.zeros(self.rows, bool))
        for row in np.flatnonzero(mask & ~known):
            self._reasons.setdefault(int(row), []).append((column, reason(int(row))))
        known |= mask
        self.bad |= mask

    def of(self, row: int) -> str:
        """Everything that is wrong with a row, in one line."""
        return "; ".join(f"{column}: {reason}" for column, reason in self._reasons[row])

    def everywhere(self) -> tuple[str, str] | None:
        """The column and reason, where every row of the chunk complains of one column; else None."""
        for column, mask in self._columns.items():
            if self.rows and mask.all():
                return column, next(reason for name, reason in self._reasons[0] if name == column)
        return None
