"""One 64-bit hash for ids, whether a single string or a column of ten million.

MurmurHash64A (Austin Appleby, public domain) over the UTF-8 bytes, read as little-endian words. Null hashes to 0, and
only null does.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit, uint64

from features.kernel.jit import compiled

_MULTIPLIER = uint64(0xC6A4A7935BD1E995)
_SEED = uint64(0x74616374)
_SHIFT = uint64(47)


def hash_string(text: str | None) -> int:
    """The hash of one string; 0 for None."""
    if text is None:
        return 0
    data = text.encode()
    return int(_hash_slice(np.frombuffer(data, np.uint8) if data else _EMPTY, 0, len(data)))


def hashed(text: str | None) -> int:
    """The hash of one string as a signed integer, as tables of int64 hold it."""
    value = hash_string(text)
    return value - (1 << 64) if value >= 1 << 63 else value


def hash_strings(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """uint64[n], the same hashes for a column of strings (plain, large or dictionary-encoded)."""
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 0:
            return np.zeros(0, np.uint64)
        return np.concatenate([hash_strings(chunk) for chunk in column.chunks])
    if pa.types.is_dictionary(column.type):
        return _hash_dictionary(column)
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.uint64)
    if not pa.types.is_large_string(column.type):
        column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    out = np.zeros(len(column), np.uint64)
    if len(column):
        edges = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
        _hash_column(np.frombuffer(data, np.uint8) if data is not None and data.size else _EMPTY, edges, out)
    if column.null_count:
        out[column.is_null().to_numpy(zero_copy_only=False)] = 0
    return out


def _hash_dictionary(column: pa.DictionaryArray) -> np.ndarray:
    labels = np.append(hash_strings(column.dictionary), np.uint64(0))
    codes = pc.fill_null(column.indices.cast(pa.int64()), len(labels) - 1).to_numpy(zero_copy_only=False)
    return labels[codes]


_EMPTY = np.frombuffer(b"\0", np.uint8)


@njit
def _murmur(data: np.ndarray, start: int, stop: int) -> Any:
    length = stop - start
    h = _SEED ^ (uint64(length) * _MULTIPLIER)
    i = start
    while i + 8 <= stop:
        k = uint64(0)
        for byte in range(8):
            k |= uint64(data[i + byte]) << uint64(8 * byte)
        k *= _MULTIPLIER
        k ^= k >> _SHIFT
        k *= _MULTIPLIER
        h = (h ^ k) * _MULTIPLIER
        i += 8
    if i < stop:
        tail = uint64(0)
        for byte in range(stop - i):
            tail |= uint64(data[i + byte]) << uint64(8 * byte)
        h = (h ^ tail) * _MULTIPLIER
    h = (h ^ (h >> _SHIFT)) * _MULTIPLIER
    h ^= h >> _SHIFT
    return h if h != uint64(0) else uint64(1)


@compiled
def _hash_slice(data: np.ndarray, start: int, stop: int) -> int:
    return _murmur(data, start, stop)


@compiled
def _hash_column(data: np.ndarray, edges: np.ndarray, out: np.ndarray) -> None:
    for row in range(out.shape[0]):
        out[row] = _murmur(data, edges[row], edges[row + 1])
