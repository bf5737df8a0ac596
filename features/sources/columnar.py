"""Parquet files, streamed; fields of structs by dots."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.sources.chunks import CHUNK_ROWS, Chunk
from features.sources.form import Format
from features.sources.nested import as_object
from features.sources.values import text
from features.workspace import WorkspaceError

#: What a chunk may weigh; and what one column of a row group may, since a single field can be all of it.
CHUNK_BYTES, LARGEST_COLUMN = 256 << 20, 1 << 30
#: Where BigQuery keeps a parameter's value, by its type.
_VALUES = ("string_value", "int_value", "float_value", "double_value")


class Columnar:
    """A Parquet file, opened."""

    def __init__(self, path: Path, form: Format) -> None:
        self.path, self.form = path, form
        try:
            self._file = pq.ParquetFile(path)
            schema = self._file.schema_arrow
        except (pa.ArrowInvalid, OSError, pa.ArrowNotImplementedError) as error:
            raise WorkspaceError(f"{path}: cannot be read as Parquet: {_first_line(error)}; write it again") from None
        if not self._file.metadata.num_rows:
            raise WorkspaceError(f"{path} is a Parquet file without rows")
        self.columns = [name for field in schema for name in _leaves(field)]
        self._rows = _rows_a_chunk(path, self._file.metadata)

    def chunks(self, wanted: list[str]) -> Iterator[Chunk]:
        position = 0
        try:
            for batch in self._file.iter_batches(self._rows):
                yield chunk_of(pa.table(batch), position, wanted, self.form.keyed)
                position += batch.num_rows
        except (pa.ArrowInvalid, OSError, pa.ArrowNotImplementedError) as error:
            raise WorkspaceError(
                f"{self.path}: damaged after row {position}: {_first_line(error)}; nothing was read from it"
            ) from None


def _rows_a_chunk(path: Path, metadata: pq.FileMetaData) -> int:
    """Fewer where rows are long. Raises WorkspaceError where a column of a row group cannot be held in memory."""
    heaviest = 1.0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        heaviest = max(heaviest, group.total_byte_size / max(group.num_rows, 1))
        for column in map(group.column, range(group.num_columns)):
            if column.total_uncompressed_size > LARGEST_COLUMN:
                raise WorkspaceError(
                    f"{path}: {column.path_in_schema!r} holds {column.total_uncompressed_size / 1e9:.1f} GB in one row"
                    " group, too much at once; leave out fields that long, or write smaller row groups"
                )
    return max(1, min(CHUNK_ROWS, int(CHUNK_BYTES / heaviest)))


def chunk_of(table: pa.Table, before: int, wanted: list[str], keyed: list[str]) -> Chunk:
    """The rows of a table that come after `before` others, with what is wanted from inside its lists."""
    columns = {name: _plain(column) for field in table.schema for name, column in _fields(field, table[field.name])}

    def raw(row: int) -> dict[str, Any]:
        return {name: _value(column[row]) for name, column in columns.items()}

    positions = before + np.arange(1, table.num_rows + 1)
    inside = _inside(columns, wanted, keyed)
    return Chunk({**columns, **inside}, table.num_rows, positions, pa.table(columns), raw)


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):  # an instant that no calendar has
        return str(getattr(scalar, "value", scalar))


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


def _inside(columns: dict[str, pa.Array], wanted: list[str], keyed: list[str]) -> dict[str, pa.Array]:
    """What is wanted from inside lists: a parameter's value by its key, or an item's field by its number."""
    found = {}
    for name in wanted:
        head, dot, rest = name.partition(".")
        if name in keyed and name in columns:
            objects = [as_object(pairs) for pairs in columns[name].to_pylist()]
            found[name] = pa.array([orjson.dumps(o, default=str).decode() if o else None for o in objects], pa.string())
        elif not dot or name in columns or not _is_list(columns.get(head)):
            continue
        elif head in keyed:
            found[name] = _by_key(columns[head], rest)
        else:
            found[name] = _by_number(columns[head], rest)
    return found


def _by_key(column: pa.Array, key: str) -> pa.Array:
    """The value of the {key, value} item with that key; where values have several types, whichever is there."""
    items, rows = column.flatten(), pc.list_parent_indices(column)
    here = pc.equal(pc.struct_field(items, "key"), key).fill_null(False)
    value = pc.struct_field(items.filter(here), "value")
    if pa.types.is_struct(value.type):
        parts = [text(pc.struct_field(value, part.name), ())[0] for part in value.type if part.name in _VALUES]
        value = pc.coalesce(*parts) if parts else pa.nulls(len(value), pa.string())
    at = np.full(len(column), -1, np.int64)
    at[rows.filter(here).to_numpy()] = np.arange(len(value))
    return value.take(pa.array(at, mask=at < 0))


def _by_number(column: pa.Array, path: str) -> pa.Array:
    number, _, rest = path.partition(".")
    if not number.isdigit():
        return pa.nulls(len(column), pa.string())
    long = pc.greater(pc.list_value_length(column), int(number)).fill_null(False)
    item = pc.list_element(column.filter(long), int(number)) if pc.any(long).as_py() else column.type.value_type
    if isinstance(item, pa.DataType):
        return pa.nulls(len(column), pa.string())
    for name in filter(None, rest.split(".")):
        if not pa.types.is_struct(item.type) or item.type.get_field_index(name) < 0:
            return pa.nulls(len(column), pa.string())
        item = pc.struct_field(item, name)
    at = np.cumsum(long.to_numpy(zero_copy_only=False)) - 1
    return item.take(pa.array(at, mask=~long.to_numpy(zero_copy_only=False)))


def _is_list(column: pa.Array | None) -> bool:
    return column is not None and (pa.types.is_list(column.type) or pa.types.is_large_list(column.type))


def _plain(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    whole = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_string(whole.type) or pa.types.is_large_string(whole.type):
        try:
            whole.validate(full=True)
        except pa.ArrowInvalid:  # a damaged file, or one whose writer did not look: the rows are told apart later
            return whole.cast(pa.large_binary() if pa.types.is_large_string(whole.type) else pa.binary())
    return whole


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
