"""Opening a file of interactions: which kind it is, and its rows through a map."""

import re
from collections.abc import Iterator
from pathlib import Path

from features.sources import streams
from features.sources.apply import Mapper, Piece
from features.sources.chunks import Chunk, Reader
from features.sources.columnar import Columnar
from features.sources.complaints import Complaints
from features.sources.databases import Database
from features.sources.delimited import Delimited
from features.sources.form import Format
from features.sources.jsonlines import JsonLines
from features.sources.mapping import Map, contract_map, resolve
from features.tables import without_password
from features.workspace import WorkspaceError

#: A file, or the URL of a database's table.
Source = Path | str
#: From this many rows on, a column that no row of the first chunk fits is the map's mistake and not the rows'.
ENOUGH_TO_JUDGE = 20
_JSON = re.compile(rb'(\xef\xbb\xbf)?\s*(\{\s*"|\[\s*\{)')


def read(source: Source, plan: Map | None = None, currency: str | None = None) -> Iterator[Piece]:
    """Pieces of a file or table: interactions (the contract's columns, unchecked) and what is wrong with which row.

    Without a map it must have the contract's own columns. `currency` is ours, where a map says which column names
    theirs. Raises WorkspaceError where it cannot be read, or its columns do not fit.
    """
    reader = open_reader(source, plan.format if plan is not None else Format())
    name = shown(source)
    plan = plan or contract_map(reader.columns, name)
    resolve(plan, reader.columns, name)
    mapper, first = Mapper(plan, currency), True
    for chunk in reader.chunks(plan.reads()):
        piece = mapper.piece(chunk)
        if first:
            _judge(name, piece.chunk, piece.complaints)
        first = False
        yield piece
    if first and not plan.format.sparse:
        raise WorkspaceError(f"{name} has no rows")


def shown(source: Source) -> str:
    """What a source is called where it is told: never with a password."""
    return without_password(source) if isinstance(source, str) else str(source)


def open_reader(path: Source, form: Format) -> Reader:
    """The reader that fits the file's content; its name decides only between the kinds of text."""
    if isinstance(path, str):
        return Database(path, form)
    start = streams.head(path)
    if start.startswith(b"PAR1"):
        return Columnar(path, form)
    if form.kind == "parquet" or path.suffix.lower() in (".parquet", ".pq"):
        raise WorkspaceError(f"{path} is not a Parquet file: it does not start like one")
    if form.kind == "jsonl" or (form.kind is None and is_json(path, form)):
        return JsonLines(path, form)
    return Delimited(path, form)


def is_json(path: Path, form: Format) -> bool:
    """Whether a text is JSON: by its name where that says so, else by how it starts."""
    names = {suffix.lower() for suffix in path.suffixes}
    if names & {".jsonl", ".ndjson", ".json"}:
        return True
    if names & {".csv", ".tsv", ".txt"}:
        return False
    return _JSON.match(streams.Text(path, form.encoding).read(4096) or b"") is not None


def _judge(name: str, chunk: Chunk, complaints: Complaints) -> None:
    """Refuses the file where its first chunk shows that the map, or the delimiter, does not fit it."""
    if not chunk.rows and len(chunk.damaged) >= ENOUGH_TO_JUDGE:
        position, reason, _ = chunk.damaged[0]
        raise WorkspaceError(f"{name}: none of its rows can be read; row {position}: {reason}")
    wrong = complaints.everywhere()
    if wrong is not None and chunk.rows >= ENOUGH_TO_JUDGE and wrong[0] != "refused":
        raise WorkspaceError(f"{name}: no row of the first {chunk.rows:,} fits the map; {wrong[0]}: {wrong[1]}")
