"""A customer's state: their newest interactions as packed columns, lifetime registers of what has left them, facts.

Bound: the newest 4,096 interactions, and at most 400 days older than the newest. Registers hold, by key, the first
instant, the number and the money of every interaction that fell out of the bound. Facts are customer attributes.

Packed, a state is one array of 64-bit words:

    format, which optional columns follow, highest code     one word
    numbers of interactions n, of registers k, of facts m   one word
    at, id, then the optional columns that say anything     n words each
    registers                                               4 k
    facts                                                   5 m
    keys                                                    n half words
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from features.kernel.accumulate import Columns
from features.kernel.facts import NO_FACTS

_FORMAT = 2
_HEADER = 2
_OPTIONAL = (("received", 1), ("value", 2), ("satisfaction", 4), ("case", 8), ("discount", 16))
_BITS = 21  # of each number in the second word


@dataclass(frozen=True, eq=False)
class Items:
    """Interactions of one customer as columns, in any order unless said otherwise.

    `at`, `received` int64 microseconds; `id` uint64 hash of interaction_id; `key` int32, twice the code of the
    vocabulary and one more where the row carries a decision_id of ours; `value`, `satisfaction`, `discount` float64,
    NaN without; `case` uint64 hash of case_id, 0 without. `received`, `satisfaction`, `case` and `discount` may have
    length 0, which means: received when occurred, never rated, no case, nothing saved.
    """

    at: np.ndarray
    received: np.ndarray
    id: np.ndarray
    key: np.ndarray
    value: np.ndarray
    satisfaction: np.ndarray
    case: np.ndarray
    discount: np.ndarray = field(default_factory=lambda: _FLOATS)

    def __len__(self) -> int:
        return len(self.at)

    @property
    def code(self) -> np.ndarray:
        """int32[n]: codes of the vocabulary."""
        return self.key >> 1

    @property
    def own(self) -> np.ndarray:
        """bool[n]: which carry a decision_id of ours."""
        return (self.key & 1).astype(bool)

    @property
    def columns(self) -> Columns:
        """What the kernel reads."""
        return Columns(self.at, self.received, self.key, self.value, self.satisfaction, self.case, self.discount)

    def take(self, rows: np.ndarray | slice) -> "Items":
        """Some of them, in the given order."""
        return Items(*(column[rows] if len(column) else column for column in self.all()))

    def __add__(self, other: "Items") -> "Items":
        both = (self, other)

        def joined(name: str, absent: float) -> np.ndarray:
            parts = [getattr(part, name) for part in both]
            if not any(len(part) for part in parts):
                return np.asarray(parts[0])
            if name == "received":
                filled = [part if len(part) else items.at for part, items in zip(parts, both, strict=True)]
            else:
                filled = [
                    part if len(part) else np.full(len(items), absent, part.dtype)
                    for part, items in zip(parts, both, strict=True)
                ]
            return np.concatenate(filled)

        return Items(
            np.concatenate([self.at, other.at]),
            joined("received", 0),
            np.concatenate([self.id, other.id]),
            np.concatenate([self.key, other.key]),
            np.concatenate([self.value, other.value]),
            joined("satisfaction", np.nan),
            joined("case", 0),
            joined("discount", np.nan),
        )

    def check(self) -> None:
        """Raises TypeError for a column of another type: packed bytes and compiled code take it literally."""
        for (name, column), kind in zip(vars(self).items(), _TYPES, strict=True):
            if column.dtype != kind:
                raise TypeError(f"items.{name} must be {kind}, not {column.dtype}")

    def all(self) -> tuple[np.ndarray, ...]:
        """The columns, in order."""
        return (
            self.at, self.received, self.id, self.key, self.value, self.satisfaction, self.case, self.discount
        )  # fmt: skip


def keys(code: ArrayLike, own: ArrayLike) -> np.ndarray:
    """int32[n] for Items.key."""
    return np.asarray(code, np.int32) * np.int32(2) + np.asarray(own, bool)


_TYPES = tuple(np.dtype(kind) for kind in ("i8", "i8", "u8", "i4", "f8", "f8", "u8", "f8"))
_INTS: np.ndarray = np.zeros(0, np.int64)
_FLOATS: np.ndarray = np.zeros(0)
_HASHES: np.ndarray = np.zeros(0, np.uint64)
NO_ITEMS = Items(_INTS, _INTS, _HASHES, np.zeros(0, np.int32), _FLOATS, _FLOATS, _HASHES, _FLOATS)
NO_REGISTERS = np.zeros((0, 4), np.int64)


@dataclass(frozen=True, eq=False)
class State:
    """Packed words int64; `State()` is a customer of whom nothing is known."""

    words: np.ndarray = field(default_factory=lambda: _NOTHING)

    @classmethod
    def of(
        cls,
        items: Items = NO_ITEMS,
        registers: np.ndarray = NO_REGISTERS,
        facts: np.ndarray = NO_FACTS,
        top: int = -1,
    ) -> "State":
        """Of items in order of (at, id), registers int64[k, 4] in order of key: key, first, number, money in
        millionths, and facts int64[m, 5] as in features/kernel/facts.py.

        `top` is the highest code that was ever seen, -1 without any.
        """
        n = len(items)
        wanted = {
            "received": len(items.received) and not np.array_equal(items.received, items.at),
            "value": not np.isnan(items.value).all(),
            "satisfaction": len(items.satisfaction) and not np.isnan(items.satisfaction).all(),
            "case": len(items.case) and items.case.any(),
            "discount": len(items.discount) and not np.isnan(items.discount).all(),
        }
        present = sum(bit for name, bit in _OPTIONAL if wanted[name])
        head = np.array(
            [_FORMAT | present << 8 | (top + 1) << 32, n | len(registers) << _BITS | len(facts) << 2 * _BITS], np.int64
        )
        key = np.zeros(n + (n & 1), np.int32)
        key[:n] = items.key
        columns = [items.at, items.id, *(getattr(items, name) for name, bit in _OPTIONAL if present & bit)]
        parts = [head, *columns, registers.ravel(), facts.ravel(), key]
        return cls(np.concatenate([part.view(np.int64) for part in parts]))

    @property
    def top(self) -> int:
        """The highest code that was ever seen, -1 without any."""
        return int(self.words[0] >> 32) - 1

    @property
    def items(self) -> Items:
        """In order of (at, id)."""
        n, _, _ = self._numbers()
        at, id = self._column(0, n), self._column(1, n).view(np.uint64)
        present = int(self.words[0]) >> 8 & 0xFF
        column: dict[str, np.ndarray] = {}
        for name, bit in _OPTIONAL:
            if present & bit:
                column[name] = self._column(2 + len(column), n)
        return Items(
            at,
            column.get("received", _INTS),
            id,
            self.words[len(self.words) - (n + 1) // 2 :].view(np.int32)[:n],
            column["value"].view(np.float64) if "value" in column else np.full(n, np.nan),
            column["satisfaction"].view(np.float64) if "satisfaction" in column else _FLOATS,
            column["case"].view(np.uint64) if "case" in column else _HASHES,
            column["discount"].view(np.float64) if "discount" in column else _FLOATS,
        )

    @property
    def registers(self) -> np.ndarray:
        """int64[k, 4] in order of key."""
        n, k, m = self._numbers()
        end = len(self.words) - (n + 1) // 2 - 5 * m
        return self.words[end - 4 * k : end].reshape(k, 4)

    @property
    def facts(self) -> np.ndarray:
        """int64[m, 5], in order."""
        n, _, m = self._numbers()
        end = len(self.words) - (n + 1) // 2
        return self.words[end - 5 * m : end].reshape(m, 5)

    def to_bytes(self) -> bytes:
        """28 bytes an interaction, 8 more for each optional column that says anything."""
        return self.words.tobytes()

    @classmethod
    def from_bytes(cls, blob: bytes) -> "State":
        """Raises ValueError for bytes of another format or length."""
        if len(blob) < 8 * _HEADER:
            raise ValueError(f"a packed state has at least {8 * _HEADER} bytes, found {len(blob)}")
        if blob[0] != _FORMAT:
            raise ValueError(
                f"a packed state of format {blob[0]}, this version reads {_FORMAT}; load it from history again"
            )
        if len(blob) % 8:
            raise ValueError(f"a packed state should have a multiple of 8 bytes, found {len(blob)}")
        n, k, m = _numbers(int.from_bytes(blob[8:16], "little"))
        expected = 8 * (_HEADER + (2 + blob[1].bit_count()) * n + 4 * k + 5 * m + (n + 1) // 2)
        if len(blob) != expected:
            raise ValueError(f"a packed state of {n} interactions should have {expected} bytes, found {len(blob)}")
        # a copy that may be written, as State.of makes them: compiled code takes an array that may not for another type
        return cls(np.frombuffer(bytearray(blob), np.int64))

    def _numbers(self) -> tuple[int, int, int]:
        return _numbers(int(self.words[1]))

    def _column(self, position: int, n: int) -> np.ndarray:
        return self.words[_HEADER + position * n : _HEADER + (position + 1) * n]


def _numbers(word: int) -> tuple[int, int, int]:
    """Of interactions, registers and facts."""
    some = (1 << _BITS) - 1
    return word & some, word >> _BITS & some, word >> 2 * _BITS


_NOTHING: np.ndarray = State.of().words
