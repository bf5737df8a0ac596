"""What every reader hands over: a stretch of rows in columns, with their positions and raw content."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

#: Rows per chunk: the unit of memory, of checks and of progress.
CHUNK_ROWS = 100_000


@dataclass
class Chunk:
    """`columns` hold text as it stands in a CSV, or typed values; `content` is what identifies a row's content.

    `positions` count data rows from 1. `damaged` are rows that could not be taken apart: (position, reason, raw).
    """

    columns: dict[str, pa.Array]
    rows: int
    positions: np.ndarray
    content: pa.Table
    raw: Callable[[int], Any]
    damaged: list[tuple[int, str, Any]] = field(default_factory=list)

    def column(self, name: str) -> pa.Array:
        """The values of a column; all null where none of these rows has it."""
        found = self.columns.get(name)
        return pa.nulls(self.rows, pa.string()) if found is None else found

    def only(self, rows: np.ndarray) -> "Chunk":
        """The rows chosen by bool[rows]; what is damaged stays with them."""
        at = np.flatnonzero(rows)
        columns = {name: column.take(pa.array(at)) for name, column in self.columns.items()}
        raw = self.raw
        return Chunk(columns, len(at), self.positions[at], self.content.take(pa.array(at)),
                     lambda row: raw(int(at[row])), self.damaged)  # fmt: skip


class Reader(Protocol):
    """An opened file: which columns it has, and its rows in chunks."""

    columns: list[str]

    def chunks(self, wanted: list[str]) -> Iterator[Chunk]:
        """Chunks with at least the columns `wanted`. Raises WorkspaceError where the file is damaged."""
        ...
