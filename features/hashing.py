"""One 64-bit hash for ids, whether a single string or a column of ten million.

MurmurHash64A (Austin Appleby, public domain) over the UTF-8 bytes, read as little-endian words. Null hashes to 0, and
only null does.
"""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.kernel.jit import compiled
from features.kernel.text import murmur, string_buffers


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
    out = np.zeros(len(column), np.uint64)
    if len(column):
        edges, text = string_buffers(column)
        _hash_column(text, edges, out)
    if column.null_count:
        out[column.is_null().to_numpy(zero_copy_only=False)] = 0
    return out


def _hash_dictionary(column: pa.DictionaryArray) -> np.ndarray:
    labels = np.append(hash_strings(column.dictionary), np.uint64(0))
    codes = pc.fill_null(column.indices.cast(pa.int64()), len(labels) - 1).to_numpy(zero_copy_only=False)
    return labels[codes]


_EMPTY = np.zeros(1, np.uint8)
_EMPTY.flags.writeable = False


@compiled
def _hash_slice(data: np.ndarray, start: int, stop: int) -> int:
    return murmur(data, start, stop)


@compiled
def _hash_column(data: np.ndarray, edges: np.ndarray, out: np.ndarray) -> None:
    for row in range(out.shape[0]):
        out[row] = murmur(data, edges[row], edges[row + 1])


def position(customer_id: str, salt: str) -> float:
    """Where a customer falls in [0, 1): uniform over customers, the same for ever for one salt: arms go by it."""
    digest = hashlib.sha256(f"{salt}\x1f{customer_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
