"""Deleting what a workspace's files hold of some ids: history, quarantine, and tables and reports made from them."""

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from features import clock
from features.daylog import DayLog, locked
from features.history import History
from features.nobody import OF_NOBODY
from features.tombstones import NAMES, is_in
from features.workspace import Workspace

#: In place of an id, in documents that are kept.
GONE = "(erased)"
_LINES = (".jsonl", ".ndjson")
_TABLES = (".csv", ".tsv")
_TEXT = (".html", ".htm", ".txt", ".md", ".log")
#: Of a report: figures of all customers together, and arrays of numbers.
_FIGURES = (".json", ".npy")


def forget_history(workspace: Workspace, ids: Collection[str]) -> dict[str, int]:
    """Rows of these ids deleted from history, by log."""
    return {kind: log.drop(_names(log, kind), _naming(ids)) for kind, log in _logs(workspace).items()}


def forget_quarantine(workspace: Workspace, ids: Collection[str]) -> int:
    """Lines deleted from quarantine, wherever in a line one of the ids stands."""
    return sum(_without_lines(path, ids) for path in sorted(workspace.quarantine.rglob("*.jsonl")))


def forget_files(workspace: Workspace, ids: Collection[str], besides: Collection[Path] = ()) -> tuple[int, list[str]]:
    """Rows and mentions deleted from tables and reports in the workspace; and files in which an id still stands.

    `besides` are files that are looked after elsewhere, such as the store's. Reports name customers in columns of
    their tables and nowhere else: an id such as 10 is no reason to touch what else they say.
    """
    gone, left = 0, []
    for path in _files(workspace, besides):
        suffix, report = path.suffix.lower(), workspace.reports in path.parents
        if (report and suffix in _FIGURES) or _of_nobody(path):
            continue
        if report and suffix == ".part":  # of one that was killed: nobody else writes meanwhile
            path.unlink(missing_ok=True)
        elif suffix in (".parquet", ".pq"):
            gone += _without_rows(path, ids)
        elif suffix in _LINES:
            gone += _without_lines(path, ids)
        elif suffix in _TABLES:
            gone += _without_records(path, ids)
        elif suffix == ".json":
            gone += _json_without(path, ids)
        elif suffix in _TEXT:
            gone += _text_without(path, ids)
        if not (report and suffix == ".parquet") and _mentioned(path, ids):
            left.append(str(path.relative_to(workspace.folder)))
    return gone, left


def expire_history(workspace: Workspace, before: Mapping[str, int]) -> dict[str, int]:
    """Whole days of logs that end before an instant, deleted; files by log. Caller holds `alone`."""
    gone = {kind: _without_days(_logs(workspace)[kind], instant) for kind, instant in before.items()}
    if gone.get("interactions"):
        _expire_copies(workspace)
    return gone


def _expire_copies(workspace: Workspace) -> None:
    """Copies of interactions that reports keep, by customer: of fewer days they are made anew in any case, and until
    then somebody might stand there who is nowhere else."""
    trail = workspace.reports / ".trail"
    (trail / "current.json").unlink(missing_ok=True)
    for folder in trail.glob("*/"):
        shutil.rmtree(folder, ignore_errors=True)
    for path in (workspace.reports / ".partials").glob("touchpoints_*.parquet"):
        path.unlink(missing_ok=True)


def expire_quarantine(workspace: Workspace, before: int) -> int:
    """Files of quarantine last written before an instant of the system's clock, deleted."""
    old = [path for path in workspace.quarantine.rglob("*.jsonl") if path.stat().st_mtime * 1e6 < before]
    for path in old:
        path.unlink()
    for folder in sorted(workspace.quarantine.glob("live/*")):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return len(old)


def _logs(workspace: Workspace) -> dict[str, DayLog]:
    return History(workspace).logs


def _names(log: DayLog, kind: str) -> list[str]:
    """The columns of a log that hold ids."""
    return [name for name in NAMES if name == "customer_id" or (kind == "identifiers" and log.schema is not None)]


def _naming(ids: Collection[str]) -> Any:
    def doomed(table: pa.Table) -> np.ndarray:
        bad = np.zeros(table.num_rows, bool)
        for column in table.columns:
            bad |= is_in(column, ids)
        return bad

    return doomed


def _without_days(log: DayLog, before: int) -> int:
    first = f"day={clock.isoformat(before)[:10]}"
    old = [day for day in log.folder.glob("day=*") if day.name < first]
    if not old:
        return 0
    with locked(log.folder / ".lock"):
        files = sum(1 for day in old for _ in day.glob("*.parquet"))
        for day in old:
            shutil.rmtree(day)
    return files


def _files(workspace: Workspace, besides: Collection[Path]) -> Iterator[Path]:
    """Every file but history's, quarantine's and the ones named."""
    skipped = {workspace.history, workspace.quarantine, *besides}
    for folder, folders, names in os.walk(workspace.folder):
        here = Path(folder)
        folders[:] = [name for name in folders if here / name not in skipped]
        for name in names:
            path = here / name
            if path not in skipped and not path.is_symlink() and path.is_file():
                yield path


def _of_nobody(path: Path) -> bool:
    """Whether a file is a page drawn from a report, or the figures beside one."""
    page = path.with_suffix(".html") if path.suffix.lower() == ".json" else path
    if page.suffix.lower() not in (".html", ".htm"):
        return False
    try:
        with page.open("rb") as file:
            return OF_NOBODY.encode() in file.read(4096)
    except OSError:
        return False


def _without_rows(path: Path, ids: Collection[str]) -> int:
    """A Parquet table with a column `customer_id`, such as features or scores; its metadata stay."""
    try:
        content = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError):
        return 0
    names = [name for name in NAMES if name in content.schema_arrow.names]
    if not names:
        return 0
    bad = _naming(ids)(content.read(columns=names))
    if bad.any():
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        with pq.ParquetWriter(unfinished, content.schema_arrow, compression="zstd") as writer:
            done = 0
            for group in range(content.num_row_groups):  # a reader may go by the number of row groups
                table = content.read_row_group(group)
                writer.write_table(table.filter(pa.array(~bad[done : done + table.num_rows])))
                done += table.num_rows
        unfinished.replace(path)
    return int(bad.sum())


def _without_lines(path: Path, ids: Collection[str]) -> int:
    lines = path.read_bytes().splitlines(keepends=True)
    token = _token(ids)
    kept = [line for line in lines if not (token.search(line.decode("utf-8", "replace")) and _says(line, ids, token))]
    if len(kept) < len(lines):
        _replace(path, b"".join(kept))
    return len(lines) - len(kept)


def _says(line: bytes, ids: Collection[str], token: re.Pattern[str]) -> bool:
    """Whether a line of JSON has an id as a value of its own, or inside a text of more than one word."""
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        return True
    return any(text in ids or ((text.strip() != text or " " in text or "," in text) and bool(token.search(text)))
               for text in _texts(content))  # fmt: skip


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from _texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)


def _without_records(path: Path, ids: Collection[str]) -> int:
    """A CSV file: records in which a field is one of the ids."""
    text = path.read_text("utf-8", "surrogateescape")
    if not _token(ids).search(text):
        return 0
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    kept = [record for record in records if not any(value in ids for value in record)]
    if len(kept) < len(records):
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(kept)
        _replace(path, out.getvalue().encode("utf-8", "surrogateescape"))
    return len(records) - len(kept)


def _json_without(path: Path, ids: Collection[str]) -> int:
    content = path.read_bytes()
    if not _token(ids).search(content.decode("utf-8", "replace")):
        return 0
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return 0
    mentions = sum(text in ids for text in _texts(found))
    if mentions:
        _replace(path, orjson.dumps(_masked(found, ids), option=orjson.OPT_INDENT_2))
    return mentions


def _masked(content: Any, ids: Collection[str]) -> Any:
    if isinstance(content, str):
        return GONE if content in ids else content
    if isinstance(content, dict):
        return {_masked(key, ids): _masked(value, ids) for key, value in content.items()}
    return [_masked(value, ids) for value in content] if isinstance(content, list) else content


def _text_without(path: Path, ids: Collection[str]) -> int:
    text, mentions = _token(ids).subn(GONE, path.read_text("utf-8", "surrogateescape"))
    if mentions:
        _replace(path, text.encode("utf-8", "surrogateescape"))
    return mentions


def _mentioned(path: Path, ids: Collection[str]) -> bool:
    """Whether an id stands in a file as a word of its own; the first bytes of a window overlap the last of another."""
    longest = max(len(text.encode("utf-8", "surrogatepass")) for text in ids)
    token, tail = re.compile(_pattern(ids).encode("utf-8", "surrogatepass")), b""
    try:
        with path.open("rb") as file:
            while window := file.read(1 << 22):
                if token.search(tail + window):
                    return True
                tail = window[-longest - 1 :]
    except OSError:
        return False  # gone meanwhile
    return False


def _token(ids: Collection[str]) -> re.Pattern[str]:
    return re.compile(_pattern(ids))


def _pattern(ids: Collection[str]) -> str:
    """An id as a word of its own, plain or as JSON spells it."""
    spelled = {json.dumps(text, ensure_ascii=ascii)[1:-1] for text in ids for ascii in (True, False)}
    forms = spelled.union(ids)
    listed = "|".join(re.escape(text) for text in sorted(forms, key=lambda text: (-len(text), text)))
    return rf"(?<![\w-])(?:{listed})(?![\w-])"


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
