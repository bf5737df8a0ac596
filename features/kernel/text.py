"""Strings as the compiled code reads them: bytes, eight at a time."""

from typing import Any

import numpy as np
import pyarrow as pa
from llvmlite import ir
from numba import types, uint64
from numba.core import cgutils
from numba.extending import intrinsic

from features.kernel.jit import inlined

_MULTIPLIER = uint64(0xC6A4A7935BD1E995)
_SEED = uint64(0x74616374)
_SHIFT = uint64(47)
_SPREAD = uint64(0x9E3779B97F4A7C15)


def string_buffers(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Where each string begins and ends (int64[n + 1]) in the bytes (uint8) of a column of strings, to be read only."""
    if not pa.types.is_large_string(column.type):
        column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    edges = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    edges.flags.writeable = text.flags.writeable = False
    return edges, text


@intrinsic
def word(_context: Any, data: Any, start: Any) -> Any:  # noqa: ARG001
    """uint64: eight bytes of data (uint8[n]) from `start` on, which need not be aligned. The caller checks bounds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = cgutils.create_struct_proxy(signature.args[0])(context, builder, value=arguments[0])
        address = builder.gep(array.data, [arguments[1]])
        wide = builder.bitcast(address, ir.IntType(64).as_pointer())
        return builder.load(wide, align=1)

    return types.uint64(data, types.int64), generate


@inlined
def murmur(data: Any, start: int, stop: int) -> Any:
    """MurmurHash64A (Austin Appleby, public domain) of data[start:stop], never 0."""
    length = stop - start
    h = _SEED ^ (uint64(length) * _MULTIPLIER)
    i = start
    while i + 8 <= stop:
        k = word(data, i) * _MULTIPLIER  # type: ignore[call-arg]
        k ^= k >> _SHIFT
        k *= _MULTIPLIER
        h = (h ^ k) * _MULTIPLIER
        i += 8
    if i < stop:
        h = (h ^ _rest(data, start, i, stop)) * _MULTIPLIER
    h = (h ^ (h >> _SHIFT)) * _MULTIPLIER
    h ^= h >> _SHIFT
    return h if h != uint64(0) else uint64(1)


@inlined
def murmur_pair(data: Any, start: int, stop: int, seed: Any) -> Any:
    """Two independent hashes of data[start:stop]; the second depends on a seed."""
    length = stop - start
    h = _SEED ^ (uint64(length) * _MULTIPLIER)
    g = seed
    i = start
    while i < stop:
        k = word(data, i) if i + 8 <= stop else _rest(data, start, i, stop)  # type: ignore[call-arg]
        k *= _MULTIPLIER
        k ^= k >> _SHIFT
        k *= _MULTIPLIER
        h = (h ^ k) * _MULTIPLIER
        g = (((g << uint64(27)) | (g >> uint64(37))) ^ k) * _SPREAD
        i += 8
    h = (h ^ (h >> _SHIFT)) * _MULTIPLIER
    g = (g ^ (g >> uint64(32))) * _SPREAD
    return h ^ (h >> _SHIFT), g ^ (g >> uint64(29))


@inlined
def _rest(data: Any, start: int, i: int, stop: int) -> Any:
    """The bytes i..stop, fewer than eight, of a string that begins at `start`."""
    if stop - start >= 8:  # one load that begins within the string
        return word(data, stop - 8) >> uint64(8 * (8 - (stop - i)))  # type: ignore[call-arg]
    tail = uint64(0)
    for byte in range(stop - i):
        tail |= uint64(data[i + byte]) << uint64(8 * byte)
    return tail
