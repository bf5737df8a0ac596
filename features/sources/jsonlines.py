"""JSON Lines: one object a line, nested keys by dots; also a file that is one JSON array of objects."""

import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from features.sources.chunks import Chunk
from features.sources.form import Format
from features.sources.nested import as_object, exploded, find
from features.sources.streams import Text
from features.workspace import WorkspaceError

LONGEST_LINE = 16 << 20
LARGEST_ARRAY = 512 << 20
CHUNK_LINES = 50_000

Record = tuple[int, Any, bytes]


class JsonLines:
    """A JSON Lines file, opened: `columns` are the keys, nested ones dotted, that its first 50,000 rows use."""

    def __init__(self, path: Path, form: Format) -> None:
        self.path, self.form = path, form
        names: dict[str, None] = {}
        found = False
        for _, record, _ in islice(self._rows([]), CHUNK_LINES):
            found = True
            _names(record, "", names)
        if not found and not any(True for _ in self._lines()):
            raise WorkspaceError(f"{path} holds no rows, only blank lines")
        self.columns = list(names)

    def chunks(self, wanted: list[str]) -> Iterator[Chunk]:
        damaged: list[tuple[int, str, Any]] = []
        rows = self._rows(damaged)
        while held := list(islice(rows, CHUNK_LINES)):
            yield self._chunk(held, wanted, damaged.copy())
            damaged.clear()
        if damaged:
            yield self._chunk([], wanted, damaged.copy())

    def _chunk(self, held: list[Record], wanted: list[str], damaged: list[tuple[int, str, Any]]) -> Chunk:
        positions = np.array([number for number, _, _ in held], np.int64)
        columns = {name: _column(_values(held, name)) for name in wanted}
        content = pa.table({"line": pa.array([line.strip() for _, _, line in held], pa.binary())})
        return Chunk(columns, len(held), positions, content, lambda row: held[row][1], damaged)

    def _rows(self, damaged: list[tuple[int, str, Any]]) -> Iterator[Record]:
        """(position, object, content) of every row that can be read; the others are added to `damaged`."""
        number = 0
        for line in self._lines():
            number += 1
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                damaged.append((number, f"is not valid JSON: {error}", line[:10_000].decode("utf-8", "replace")))
                continue
            if not isinstance(record, dict):
                damaged.append((number, "is JSON, but not an object with keys", record))
                continue
            number -= 1
            for row, content in self._unwrapped(record, line):
                number += 1
                if isinstance(row, str):
                    damaged.append((number, row, content))
                else:
                    yield number, row, content

    def _unwrapped(self, record: dict[str, Any], line: bytes) -> Iterator[tuple[Any, Any]]:
        """(row, content) of a line's records, one for each item where the format says so; else (reason, record)."""
        wrapped = find(record, self.form.unwrap) if self.form.unwrap is not None else None
        if isinstance(wrapped, list):
            for item in wrapped:
                if isinstance(item, dict):
                    yield from self._items(item, orjson.dumps(item))
                else:
                    yield "is JSON, but not an object with keys", item
        else:
            yield from self._items(record, line)

    def _items(self, record: dict[str, Any], line: bytes) -> Iterator[tuple[Any, Any]]:
        for name in self.form.keyed:
            if name in record:
                record[name] = as_object(record[name])
        if self.form.rows is None:
            yield record, line
            return
        empty = True
        for row in exploded(record, self.form.rows):
            empty = False
            yield row, orjson.dumps(row)
        if empty and not self.form.sparse:
            yield f"`{self.form.rows}` is not a list with items", record

    def _lines(self) -> Iterator[bytes]:
        stream = io.BufferedReader(Text(self.path, self.form.encoding), 1 << 20)
        first = stream.peek(3)
        if first.startswith(b"\xef\xbb\xbf"):
            stream.read(3)
            first = stream.peek(1)
        if first.lstrip()[:1] == b"[":
            yield from self._array(stream)
            return
        if first.lstrip()[:1] == b"{" and first.strip().partition(b"\n")[0].strip() == b"{":
            yield from self._document(stream)
            return
        while line := stream.readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE:
                raise WorkspaceError(f"{self.path}: a line is longer than {LONGEST_LINE >> 20} MB; is it JSON Lines?")
            if not line.isspace():
                yield line

    def _document(self, stream: "io.BufferedReader[Text]") -> Iterator[bytes]:
        """One object printed over many lines; where it is none after all, lines."""
        text = stream.read(LARGEST_ARRAY + 1)
        try:
            if len(text) > LARGEST_ARRAY:
                raise WorkspaceError(f"{self.path} is no JSON Lines: write one object a line")
            yield orjson.dumps(orjson.loads(text))
        except orjson.JSONDecodeError:
            yield from (line for line in text.splitlines(keepends=True) if not line.isspace())

    def _array(self, stream: "io.BufferedReader[Text]") -> Iterator[bytes]:
        text = stream.read(LARGEST_ARRAY + 1)
        if len(text) > LARGEST_ARRAY:
            raise WorkspaceError(
                f"{self.path} is one JSON array of over {LARGEST_ARRAY >> 20} MB; write one object a line"
            )
        try:
            items = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise WorkspaceError(f"{self.path} starts like a JSON array but is not valid JSON: {error}") from None
        for item in items:
            yield orjson.dumps(item)


def _names(record: dict[str, Any], prefix: str, into: dict[str, None]) -> None:
    for key, value in record.items():
        if isinstance(value, dict) and value:
            _names(value, f"{prefix}{key}.", into)
        else:
            into[prefix + key] = None


def _values(held: list[Record], name: str) -> list[Any]:
    if "." not in name:
        return [record.get(name) for _, record, _ in held]
    return [find(record, name) for _, record, _ in held]


def _column(values: list[Any]) -> pa.Array:
    """Numbers stay numbers where all are; anything else becomes text, nested values as JSON."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {float} or (kinds == {int, float} and all(abs(v) < 2**53 for v in values if v is not None)):
        return pa.array(values, pa.float64())
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(abs(value) < 2**63 for value in values if value is not None):
        return pa.array(values, pa.int64())
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
