"""A customer's state: their newest interactions as packed columns, and lifetime registers of what has left them.

Bound: the newest 4,096 interactions, and at most 400 days older than the newest. Registers hold, by code, the first
instant, the number and the money of every interaction that fell out of the bound.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

from features.kernel.accumulate import Columns

_FORMAT = 1
_HEADER = struct.Struct("<BB2xiII")  # format, which optional columns follow, highest code, interactions, registers
_OPTIONAL = (("received", 1), ("value", 2), ("satisfaction", 4), ("case", 8))


@dataclass(frozen=True, eq=False)
class Items:
    """Interactions of one customer as columns, in any order unless said otherwise.

    `at`, `received` int64 microseconds; `id` uint64 hash of interaction_id; `code` int32 of the vocabulary; `value`,
    `satisfaction` float64, NaN without; `case` uint64 hash of case_id, 0 without. `received`, `satisfaction` and `case`
    may have length 0, which means: received when occurred, never rated, no case.
    """

    at: np.ndarray
    received: np.ndarray
    id: np.ndarray
    code: np.ndarray
    value: np.ndarray
    satisfaction: np.ndarray
    case: np.ndarray

    def __len__(self) -> int:
        return len(self.at)

    @property
    def columns(self) -> Columns:
        """What the kernel reads."""
        return Columns(self.at, self.received, self.code, self.value, self.satisfaction, self.case)

    def take(self, rows: np.ndarray | slice) -> "Items":
        """Some of them, in the given order."""
        return Items(*(column[rows] if len(column) else column for column in self._all()))

    def __add__(self, other: "Items") -> "Items":
        both = (self, other)
        received: tuple[np.ndarray, ...] = ()
        satisfaction: tuple[np.ndarray, ...] = ()
        case: tuple[np.ndarray, ...] = ()
        if any(len(part.received) for part in both):
            received = tuple(part.received if len(part.received) else part.at for part in both)
        if any(len(part.satisfaction) for part in both):
            satisfaction = tuple(p.satisfaction if len(p.satisfaction) else np.full(len(p), np.nan) for p in both)
        if any(len(part.case) for part in both):
            case = tuple(part.case if len(part.case) else np.zeros(len(part), np.uint64) for part in both)
        return Items(
            np.concatenate([self.at, other.at]),
            np.concatenate(received) if received else _INTS,
            np.concatenate([self.id, other.id]),
            np.concatenate([self.code, other.code]),
            np.concatenate([self.value, other.value]),
            np.concatenate(satisfaction) if satisfaction else _FLOATS,
            np.concatenate(case) if case else _HASHES,
        )

    def check(self) -> None:
        """Raises TypeError for a column of another type: packed bytes and compiled code take it literally."""
        for (name, column), kind in zip(vars(self).items(), _TYPES, strict=True):
            if column.dtype != kind:
                raise TypeError(f"items.{name} must be {kind}, not {column.dtype}")

    def _all(self) -> tuple[np.ndarray, ...]:
        return (self.at, self.received, self.id, self.code, self.value, self.satisfaction, self.case)


_TYPES = tuple(np.dtype(kind) for kind in ("i8", "i8", "u8", "i4", "f8", "f8", "u8"))
_INTS, _FLOATS, _HASHES = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint64)
NO_ITEMS = Items(_INTS, _INTS, _HASHES, np.zeros(0, np.int32), _FLOATS, _FLOATS, _HASHES)
NO_REGISTERS = np.zeros((0, 4), np.int64)


@dataclass(frozen=True, eq=False)
class State:
    """Items in order of (at, id), and registers int64[k, 4] in order of code: code, first, number, money in millionths.

    `State()` is a customer of whom nothing is known. `top` is the highest code in it, -1 without any.
    """

    items: Items = NO_ITEMS
    registers: np.ndarray = field(default_factory=lambda: NO_REGISTERS)
    top: int = -1

    def to_bytes(self) -> bytes:
        """Packed: 28 bytes an interaction, 8 more for each optional column that says anything."""
        items = self.items
        wanted = {
            "received": len(items.received) and not np.array_equal(items.received, items.at),
            "value": not np.isnan(items.value).all(),
            "satisfaction": len(items.satisfaction) and not np.isnan(items.satisfaction).all(),
            "case": len(items.case) and items.case.any(),
        }
        present = sum(bit for name, bit in _OPTIONAL if wanted[name])
        columns = [items.at, items.id, *(getattr(items, name) for name, bit in _OPTIONAL if present & bit)]
        head = _HEADER.pack(_FORMAT, present, self.top, len(items), len(self.registers))
        return b"".join([head, *(c.tobytes() for c in columns), self.registers.tobytes(), items.code.tobytes()])

    @classmethod
    def from_bytes(cls, blob: bytes) -> "State":
        """Raises ValueError for bytes of another format or length."""
        if len(blob) < _HEADER.size:
            raise ValueError(f"a packed state has at least {_HEADER.size} bytes, found {len(blob)}")
        form, present, top, n, k = _HEADER.unpack_from(blob)
        if form != _FORMAT:
            raise ValueError(
                f"a packed state of format {form}, this version reads {_FORMAT}; load it from history again"
            )
        optional = [name for name, bit in _OPTIONAL if present & bit]
        expected = _HEADER.size + (2 + len(optional)) * 8 * n + 32 * k + 4 * n
        if len(blob) != expected:
            raise ValueError(f"a packed state of {n} interactions should have {expected} bytes, found {len(blob)}")
        words = np.frombuffer(bytearray(blob), np.int64, offset=_HEADER.size, count=(2 + len(optional)) * n + 4 * k)
        column = {name: words[(2 + i) * n : (3 + i) * n] for i, name in enumerate(optional)}
        items = Items(
            words[:n],
            column.get("received", _INTS),
            words[n : 2 * n].view(np.uint64),
            np.frombuffer(bytearray(blob[expected - 4 * n :]), np.int32),
            column["value"].view(np.float64) if "value" in column else np.full(n, np.nan),
            column["satisfaction"].view(np.float64) if "satisfaction" in column else _FLOATS,
            column["case"].view(np.uint64) if "case" in column else _HASHES,
        )
        return cls(items, words[len(words) - 4 * k :].reshape(k, 4), top)
