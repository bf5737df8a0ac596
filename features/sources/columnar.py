"""Parquet files, streamed; fields of structs by dots."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.sources.chunks import CHUNK_ROWS, Chunk
from features.workspace import WorkspaceError


class Columnar:
    """A Parquet file, opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path)
            schema = self._file.schema_arrow
        except (pa.ArrowInvalid, OSError, pa.ArrowNotImplementedError) as error:
            raise WorkspaceError(f"{path}: cannot be read as Parquet: {_first_line(error)}; write it again") from None
        if not self._file.metadata.num_rows:
            raise WorkspaceError(f"{path} is a Parquet file without rows")
        self.columns = [name for field in schema for name in _leaves(field)]

    def chunks(self, wanted: list[str]) -> Iterator[Chunk]:  # noqa: ARG002  every column is needed for the content
        position = 0
        try:
            for batch in self._file.iter_batches(CHUNK_ROWS):
                yield _chunk(pa.table(batch), position)
                position += batch.num_rows
        except (pa.ArrowInvalid, OSError, pa.ArrowNotImplementedError) as error:
            raise WorkspaceError(
                f"{self.path}: damaged after row {position}: {_first_line(error)}; nothing was read from it"
            ) from None


def _chunk(table: pa.Table, before: int) -> Chunk:
    columns = {name: _plain(column) for field in table.schema for name, column in _fields(field, table[field.name])}

    def raw(row: int) -> dict[str, Any]:
        return {name: column[row].as_py() for name, column in columns.items()}

    positions = before + np.arange(1, table.num_rows + 1)
    return Chunk(columns, table.num_rows, positions, pa.table(columns), raw)


def _leaves(field: pa.Field, prefix: str = "") -> list[str]:
    if not pa.types.is_struct(field.type):
        return [prefix + field.name]
    return [name for child in field.type for name in _leaves(child, f"{prefix}{field.name}.")]


def _fields(field: pa.Field, column: pa.ChunkedArray, prefix: str = "") -> Iterator[tuple[str, pa.ChunkedArray]]:
    if not pa.types.is_struct(field.type):
        yield prefix + field.name, column
        return
    for child in field.type:
        yield from _fields(child, pc.struct_field(column, child.name), f"{prefix}{field.name}.")


def _plain(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
