"""The ids a log already holds, as sorted 128-bit fingerprints in memory-mapped files: 16 bytes an id.

Runs merge as in a log-structured tree, each at least twice the size of the next, so that a small append costs the
logarithm of the history and not the history. The files are only a cache: a lost one is rebuilt from the log.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np


class IdSet:
    """Sorted runs of fingerprints; `contains` is exact on all 128 bits."""

    def __init__(self, runs: Iterable[np.ndarray] = ()) -> None:
        self.runs = [run for run in runs if run.shape[1]]

    def contains(self, marks: np.ndarray) -> np.ndarray:
        """bool[n]: which of the fingerprints uint64[2, n] are in the set."""
        found = np.zeros(marks.shape[1], bool)
        for run in self.runs:
            found |= _in_run(run, marks)
        return found

    def add(self, marks: np.ndarray) -> None:
        """Adds fingerprints that are not in the set yet, and merges runs of like size."""
        if marks.shape[1] == 0:
            return
        self.runs.append(ordered(marks))
        while len(self.runs) > 1 and self.runs[-2].shape[1] < 2 * self.runs[-1].shape[1]:
            last = self.runs.pop()
            self.runs[-1] = ordered(np.concatenate([self.runs[-1], last], axis=1))


def ordered(marks: np.ndarray) -> np.ndarray:
    """The fingerprints sorted by their high half."""
    return np.ascontiguousarray(marks[:, np.argsort(marks[0], kind="stable")])


def first_in_chunk(marks: np.ndarray) -> np.ndarray:
    """bool[n]: True where a fingerprint occurs for the first time within `marks`."""
    order = np.lexsort((marks[1], marks[0]))
    high, low = marks[0][order], marks[1][order]
    repeats = np.zeros(len(order), bool)
    repeats[1:] = (high[1:] == high[:-1]) & (low[1:] == low[:-1])
    first = np.ones(len(order), bool)
    first[order[repeats]] = False  # lexsort is stable: the earliest row of a group comes first
    return first


def _in_run(run: np.ndarray, marks: np.ndarray) -> np.ndarray:
    high, low = run[0], run[1]
    at = np.searchsorted(high, marks[0])
    found = np.zeros(marks.shape[1], bool)
    open_ = np.flatnonzero(at < len(high))
    while len(open_):  # one round, and one more per pair of ids that share 64 bits
        here = at[open_]
        same = high[here] == marks[0][open_]
        equal = same & (low[here] == marks[1][open_])
        found[open_[equal]] = True
        at[open_] += 1
        open_ = open_[same & ~equal]
        open_ = open_[at[open_] < len(high)]
    return found


class StoredIds:
    """The runs of a log on disk, one file per stretch of consecutive batches, named FIRST-LAST.npy by position."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, batches: Sequence[str], rebuild: Callable[[Sequence[str]], np.ndarray]) -> IdSet:
        """The ids of `batches`, in log order; stretches without a file are rebuilt from the log."""
        runs, position = [], 0
        files = self._files(len(batches))
        while position < len(batches):
            last = files.get(position)
            run = None if last is None else self._read(position, last)
            if last is None or run is None:
                files.pop(position, None)
                gap = position + 1
                while gap < len(batches) and gap not in files:
                    gap += 1
                self.save(position, gap - 1, ordered(rebuild(batches[position:gap])))
                last = gap - 1
                run = np.load(self._path(position, last), mmap_mode="r")
            runs.append(run)
            position = last + 1
        return IdSet(runs)

    def extend(self, count: int, marks: np.ndarray) -> None:
        """Stores the new batch at position `count` of the log, merging stretches of like size."""
        first, run = count, ordered(marks)
        stale = []
        while first > 0:
            before = next((start for start, end in self._files(count).items() if end == first - 1), None)
            if before is None:
                break
            path = self._path(before, first - 1)
            older = self._read(before, first - 1)
            if older is None or older.shape[1] >= 2 * run.shape[1]:
                break
            run = ordered(np.concatenate([older, run], axis=1))
            stale.append(path)
            first = before
        self.save(first, count, run)
        for path in stale:
            path.unlink()

    def save(self, first: int, last: int, run: np.ndarray) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f".{os.getpid()}.npy"
        np.save(unfinished, run)
        unfinished.replace(self._path(first, last))

    def _read(self, first: int, last: int) -> np.ndarray | None:
        """A stretch's run; None where its file is damaged, as a machine that lost its power leaves it."""
        try:
            run: np.ndarray = np.load(self._path(first, last), mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return None
        return run if run.ndim == 2 and len(run) == 2 and run.dtype == np.uint64 else None

    def _files(self, count: int) -> dict[int, int]:
        """First -> last position of each stretch on disk; the longest wins, what reaches too far is ignored."""
        stretches: dict[int, int] = {}
        for path in sorted(self.folder.glob("[0-9]*-[0-9]*.npy")):
            first, last = (int(part) for part in path.stem.split("-"))
            if last < count:
                stretches[first] = max(last, stretches.get(first, -1))
        return stretches

    def _path(self, first: int, last: int) -> Path:
        return self.folder / f"{first}-{last}.npy"
