"""Which of a customer's interactions are not as usual: not identified, inferred, declared. Few words for many rows."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

UNIDENTIFIED, INFERRED, DECLARED = 1, 2, 4
#: How many are kept; of older ones, nothing is known any more.
KEPT = 256
_ROW = np.dtype([("at", "<i8"), ("order", "<u8"), ("bits", "u1")])

Mark = tuple[int, int, int]  # (at, order, bits)


@dataclass(frozen=True, slots=True)
class Marks:
    """The newest marked rows; every row up to `horizon` may be a marked one that was forgotten. Order-independent."""

    packed: str = ""
    horizon: int = -1

    def add(self, rows: Iterable[Mark]) -> "Marks":
        fresh = list(rows)
        if not fresh:
            return self
        whole = {(at, order): bits for at, order, bits in [*self.rows(), *fresh] if at > self.horizon}
        kept = sorted(whole)
        horizon = self.horizon
        if len(kept) > KEPT:
            horizon = max(horizon, kept[-KEPT - 1][0])
            kept = [key for key in kept[-KEPT:] if key[0] > horizon]
        return Marks(_pack([(*key, whole[key]) for key in kept]), horizon)

    def rows(self) -> list[Mark]:
        """Oldest first."""
        return np.frombuffer(base64.b85decode(self.packed), _ROW).tolist() if self.packed else []

    def by_order(self) -> dict[int, int]:
        """bits by the hash of interaction_id."""
        return {order: bits for _, order, bits in self.rows()}

    def since(self, before: int) -> "Marks":
        """Without rows older than an instant."""
        rows = self.rows()
        if not rows or rows[0][0] >= before:
            return self
        return Marks(_pack([row for row in rows if row[0] >= before]), self.horizon)

    @classmethod
    def merged(cls, parts: Sequence["Marks"]) -> "Marks":
        horizon = max((part.horizon for part in parts), default=-1)
        return cls("", horizon).add(row for part in parts for row in part.rows() if row[0] > horizon)


NONE = Marks()


def bits(identified: bool, provenance: str) -> int:
    """0 is as usual: identified and observed."""
    return (not identified) * UNIDENTIFIED | {"inferred": INFERRED, "declared": DECLARED}.get(provenance, 0)


def _pack(rows: Sequence[Mark]) -> str:
    return base64.b85encode(np.array(rows, _ROW).tobytes()).decode() if rows else ""
