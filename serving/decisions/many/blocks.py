"""A block of decisions as one line of the log: what they share once, what is their own as columns, compressed.

    mark, bytes of the JSON, bytes of it all | zstd( JSON {shared, rows, matrices} + the matrices, column by column )

A row whose customer was erased is null. `Packed(body).document(place)` is what a decision logged by itself would be.
"""

import struct
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from serving.decisions.many.columns import expanded

MARK = b"block1"
_HEADER = struct.Struct("<6sII")
_codec = pa.Codec("zstd", compression_level=1)


def packed(shared: Mapping[str, Any], rows: Sequence[Any], matrices: Mapping[str, np.ndarray]) -> bytes:
    """`rows` are what JSON says of each decision (None: erased), `matrices` [n, k] of numbers; NaN stands for null."""
    told = {
        "shared": shared,
        "rows": rows,
        "matrices": {name: [matrix.dtype.str, matrix.shape[1]] for name, matrix in matrices.items()},
    }
    head = orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)
    whole = b"".join([head, *(np.ascontiguousarray(matrix.T).tobytes() for matrix in matrices.values())])
    return _HEADER.pack(MARK, len(head), len(whole)) + bytes(_codec.compress(whole, asbytes=True))


class Packed:
    """A block as it was logged. Raises ValueError where it is none."""

    def __init__(self, body: bytes) -> None:
        mark, length, total = _HEADER.unpack_from(body)
        if mark != MARK:
            raise ValueError(f"this is no block of decisions: it begins with {body[:6]!r}")
        whole = memoryview(_codec.decompress(body[_HEADER.size :], total, asbytes=True))
        told = orjson.loads(whole[:length])
        self._shared, self._rows = told["shared"], told["rows"]
        self._matrices: dict[str, np.ndarray] = {}
        at = length
        for name, (kind, width) in told["matrices"].items():
            count = width * len(self._rows)
            column = np.frombuffer(whole, np.dtype(kind), count, at)
            self._matrices[name] = column.reshape(width, len(self._rows)).T
            at += column.nbytes

    def __len__(self) -> int:
        return len(self._rows)

    def document(self, place: int) -> dict[str, Any] | None:
        """One decision as `Decision.as_dict` has it; None where it was erased."""
        row = self._rows[place]
        if row is None:
            return None
        own = {name: _plain(matrix[place]) for name, matrix in self._matrices.items()}
        number = row["number"]
        drawn = own.pop("order")[:number], own.pop("chance")[:number], row["silence"]
        rest = {name: value for name, value in row.items() if name not in ("number", "silence")}
        return expanded({**self._shared, **self._names, **own, **rest, "drawn": drawn})

    def documents(self) -> list[dict[str, Any]]:
        """Those that were not erased."""
        found = (self.document(place) for place in range(len(self)))
        return [document for document in found if document is not None]

    def without(self, places: Collection[int]) -> bytes:
        """The same block with some decisions erased."""
        gone = sorted(places)
        rows = [None if place in gone else row for place, row in enumerate(self._rows)]
        matrices = {name: matrix.copy() for name, matrix in self._matrices.items()}
        for matrix in matrices.values():
            matrix[gone] = 0
        return packed(self._shared, rows, matrices)

    @cached_property
    def _names(self) -> dict[str, Any]:
        """What the board says of every candidate, as lists: once for the block."""
        width = self._matrices["order"].shape[1]
        columns = self._shared["columns"].items()
        return {"columns": {name: each if isinstance(each, list) else [each] * width for name, each in columns}}


def _plain(row: np.ndarray) -> list[Any]:
    if row.dtype.kind != "f":
        return row.tolist()
    return [value if value == value else None for value in row.tolist()]
