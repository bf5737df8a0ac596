"""Which customer each row is of: a column of ids becomes positions in a list of distinct ids, in order of appearance.

Strings are told apart by 96 bits of two hashes, the second seeded at random in each process: to compare the bytes would
cost more than all the rest, for they lie all over the memory.
"""

import secrets
from typing import Any

import numpy as np
import pyarrow as pa
from numba import uint64

from features.kernel.jit import compiled
from features.kernel.text import murmur_pair, string_buffers

_SEED = np.uint64(secrets.randbits(64))
_LOW = uint64(0xFFFFFFFF)
_AHEAD = 64  # rows hashed before they are looked up, so that the look-ups wait for memory together


class Names:
    """Distinct strings; `positions` adds what is new and tells where each row's string is."""

    def __init__(self) -> None:
        self._slots = np.zeros((1 << 12, 2), np.uint64)  # hash; high half of the second, then position + 1, 0 is free
        self._bytes = np.zeros(1 << 16, np.uint8)
        self._edges = np.zeros(1 << 12, np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def positions(self, column: pa.Array, wanted: np.ndarray) -> np.ndarray:
        """int32[n] of a column of strings (plain, large or dictionary-encoded); -1 where not wanted (bool[n])."""
        if pa.types.is_dictionary(column.type):
            return self._of_dictionary(column, wanted)
        out = np.empty(len(column), np.int32)
        if len(column):
            edges, text = string_buffers(column)
            done = 0
            while done < len(column):
                rows = slice(done, len(column))
                done, self._count = _look_up(
                    text, edges[done:], wanted[rows], self._slots, self._bytes, self._edges, self._count, out[rows],
                    _SEED, done,
                )  # fmt: skip
                if done < len(column):
                    self._make_room(int(edges[done + 1] - edges[done]))
        return out

    def to_arrow(self) -> pa.Array:
        """The distinct strings."""
        edges = self._edges[: self._count + 1]
        text = self._bytes[: edges[-1]]
        return pa.LargeStringArray.from_buffers(self._count, pa.py_buffer(edges), pa.py_buffer(text))

    def _of_dictionary(self, column: pa.DictionaryArray, wanted: np.ndarray) -> np.ndarray:
        index = column.indices.cast(pa.int64()).to_numpy(zero_copy_only=False)
        used = np.zeros(len(column.dictionary), bool)
        used[index[wanted]] = True
        place = self.positions(column.dictionary, used)
        out = np.full(len(column), -1, np.int32)
        out[wanted] = place[index[wanted]]
        return out

    def _make_room(self, size: int) -> None:
        """For more strings, and one of so many bytes."""
        if self._count + 1 == len(self._edges):
            self._edges = _grown(self._edges, 2 * len(self._edges))
        if self._edges[self._count] + size > len(self._bytes):
            self._bytes = _grown(self._bytes, 2 * len(self._bytes) + size)
        if 2 * self._count >= len(self._slots):
            slots = np.zeros((2 * len(self._slots), 2), np.uint64)
            _move(self._slots, slots)
            self._slots = slots


def _grown(array: np.ndarray, size: int) -> np.ndarray:
    larger = np.zeros(size, array.dtype)
    larger[: len(array)] = array
    return larger


@compiled
def _look_up(
    text: Any, edges: Any, wanted: Any, slots: Any, known: Any, known_edges: Any, count: int, out: Any, seed: Any,
    first: int,
) -> Any:  # fmt: skip
    """Fills `out`; returns `first` and the rows done, fewer than all where room is to be made, and the new count."""
    hashes = np.empty((_AHEAD, 2), np.uint64)
    last = slots.shape[0] - 1
    for begin in range(0, out.shape[0], _AHEAD):
        end = min(begin + _AHEAD, out.shape[0])
        for row in range(begin, end):
            hashes[row - begin, 0], hashes[row - begin, 1] = murmur_pair(text, edges[row], edges[row + 1], seed)
        for row in range(begin, end):
            if not wanted[row]:
                out[row] = -1
                continue
            one, two = hashes[row - begin, 0], hashes[row - begin, 1] & ~_LOW
            slot = np.int64(one & uint64(last))
            while slots[slot, 1] != uint64(0) and (slots[slot, 0] != one or (slots[slot, 1] & ~_LOW) != two):
                slot = (slot + 1) & last
            if slots[slot, 1] == uint64(0):
                size = edges[row + 1] - edges[row]
                start = known_edges[count]
                crowded = 2 * count >= slots.shape[0] or count + 1 == known_edges.shape[0]
                if crowded or start + size > known.shape[0]:
                    return first + row, count
                slots[slot, 0], slots[slot, 1] = one, two | uint64(count + 1)
                for i in range(size):
                    known[start + i] = text[edges[row] + i]
                count += 1
                known_edges[count] = start + size
            out[row] = np.int32(slots[slot, 1] & _LOW) - 1
    return first + out.shape[0], count


@compiled
def _move(slots: Any, larger: Any) -> None:
    """Puts what is in a table into a larger one."""
    last = larger.shape[0] - 1
    for old in range(slots.shape[0]):
        if slots[old, 1] != uint64(0):
            slot = np.int64(slots[old, 0] & uint64(last))
            while larger[slot, 1] != uint64(0):
                slot = (slot + 1) & last
            larger[slot, 0], larger[slot, 1] = slots[old, 0], slots[old, 1]
