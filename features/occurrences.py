"""Numbers equal rows of a stream 0, 1, 2, ... in the order they come, in 20 bytes per distinct row."""

import numpy as np


class Occurrences:
    """Counts fingerprints across chunks. Two rows whose first 64 bits agree count as equal: harmless for numbering."""

    def __init__(self) -> None:
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []

    def number(self, marks: np.ndarray) -> np.ndarray:
        """int64[n]: how many equal rows came before each of the fingerprints uint64[1 or 2, n]."""
        keys, group, counts = np.unique(marks[0], return_inverse=True, return_counts=True)
        order = np.argsort(group, kind="stable")
        starts = np.cumsum(counts) - counts
        number = np.empty(len(group), np.int64)
        number[order] = np.arange(len(group)) - np.repeat(starts, counts)
        number += self._before(keys)[group]
        self._remember(keys, counts)
        return number

    def _before(self, keys: np.ndarray) -> np.ndarray:
        total = np.zeros(len(keys), np.int64)
        for run, counts in self._runs:
            at = np.minimum(np.searchsorted(run, keys), len(run) - 1)
            total += np.where(run[at] == keys, counts[at], 0)
        return total

    def _remember(self, keys: np.ndarray, counts: np.ndarray) -> None:
        if not len(keys):
            return
        self._runs.append((keys, counts.astype(np.uint32)))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            (old, few), (new, more) = self._runs[-2:]
            merged, group = np.unique(np.concatenate([old, new]), return_inverse=True)
            total = np.bincount(group, weights=np.concatenate([few, more])).astype(np.uint32)
            self._runs[-2:] = [(merged, total)]
