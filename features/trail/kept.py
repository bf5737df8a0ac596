"""The sorted log, kept; what came in since the last time is merged into it.

    reports/.trail/    as in kept_arrays.py; `current.json` says of which files of history it was made

The outcome equals one from scratch, always: files are known by names, sizes and times, and where one that was read is
no longer there as it was (an erasure, retention), all is read anew.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import arrange, kept_arrays
from features.daylog import locked
from features.engine.source import HistoryTable
from features.history import History
from features.identity.links import erased
from features.identity.resolution import resolve
from features.sensitive import sensitive_topics
from features.tables import Unit
from features.tombstones import Graveyard, alone
from features.trail.rows import NO_ROWS, Rows, by_person, merged, of_log
from features.vocabulary import Entry, Vocabulary
from features.workspace import Workspace

VERSION = 1
_COLUMNS = ("customer_id", "occurred_at", "channel", "direction", "type", "topic", "value", "satisfaction")


@dataclass(frozen=True)
class Trail:
    """The log as it is known by now: customer c is the person `names[c]` (sorted), codes mean `entries`.

    `known_until`: its newest interaction, or now where that lies ahead; microseconds. What the vocabulary calls what
    depends on what came in first: no figure may.
    """

    names: np.ndarray
    rows: Rows
    entries: tuple[Entry, ...]
    known_until: int


def folder(workspace: Workspace) -> Path:
    """Where it is kept."""
    return workspace.reports / ".trail"


def up_to_date(workspace: Workspace) -> Trail | None:
    """Everyone in history, without rows on sensitive topics; None where history is empty.

    One process at a time; others wait. Raises WorkspaceError where a file is damaged.
    """
    history = History(workspace)
    if not history.batches():
        return None
    folder(workspace).mkdir(parents=True, exist_ok=True)
    with locked(folder(workspace) / ".lock"):
        kept = _brought_up(workspace, history)
    return None if kept is None else _as_persons(workspace, history, kept)


@dataclass(frozen=True)
class _Kept:
    """Rows by the ids in history (`names`, sorted; large strings), of the files named."""

    names: pa.Array
    rows: Rows
    entries: tuple[Entry, ...]
    newest: int
    files: Mapping[str, list[int]]


_NOTHING = _Kept(pa.array([], pa.large_string()), NO_ROWS, (), -1, {})


def _brought_up(workspace: Workspace, history: History) -> _Kept | None:
    hidden = sorted(sensitive_topics(workspace.settings))
    files = {f"{path.parent.name}/{path.name}": path.stat() for path in history.files()}
    marks = {name: [about.st_size, about.st_mtime_ns] for name, about in files.items()}
    kept = _read(workspace, hidden)
    batches = {name: name.rpartition("/")[2].rpartition("-")[0] for name in marks}
    wanted = {batches[name] for name in marks.keys() - kept.files.keys()}
    gone = any(marks.get(name) != mark for name, mark in kept.files.items())
    if gone or any(batches[name] in wanted for name in kept.files):
        kept, wanted = _NOTHING, set(batches.values())
    if not wanted:
        return kept if kept.files else None
    whole = _with(kept, history, wanted, hidden, marks)
    arrays = whole.rows._asdict()
    noted = {"version": VERSION, "entries": whole.entries, "newest": whole.newest, "files": marks, "hidden": hidden}
    with alone(workspace):
        buried = Graveyard(workspace).tombstones().named(whole.names.to_pylist())
        names = whole.names
        if buried:
            names = pa.array([None if name in buried else name for name in names.to_pylist()], pa.large_string())
        kept_arrays.write(folder(workspace), str(whole.newest), arrays, names, noted)
    return whole


def _read(workspace: Workspace, hidden: list[str]) -> _Kept:
    """What was kept, if it is whole and the same topics were hidden."""
    place = folder(workspace)
    noted = kept_arrays.about(place, VERSION)
    names = kept_arrays.names(place, noted)
    if noted is None or names is None or noted["hidden"] != hidden or None in names:
        return _NOTHING
    try:
        rows = Rows(*(kept_arrays.array(place, noted, name) for name in Rows._fields))
    except (OSError, ValueError):
        return _NOTHING
    entries: Any = (tuple(entry) for entry in noted["entries"])
    return _Kept(pa.array(names, pa.large_string()), rows, tuple(entries), noted["newest"], noted["files"])


def _with(
    kept: _Kept, history: History, batches: Collection[str], hidden: list[str], marks: Mapping[str, list[int]]
) -> _Kept:
    """What was kept and the rows of some batches."""
    source = HistoryTable(history)
    hashed = "_id" if "_id" in source.columns else "interaction_id"
    units = [Unit(batch.id) for batch in history.batches() if batch.id in batches]
    table = pa.Table.from_batches(list(source.batches([*_COLUMNS, hashed], None, units)))
    newest = max(kept.newest, pc.max(table["occurred_at"]).cast(pa.int64()).as_py())
    # what `arrange` asks for beside: received when it occurred, no case
    table = table.append_column("received_at", table["occurred_at"])
    table = table.append_column("case_id", pa.nulls(table.num_rows, pa.string()))
    vocabulary = Vocabulary(kept.entries)
    log = arrange.arrange(table, vocabulary, hidden)
    entries = tuple(vocabulary.entries)
    rows, fresh = of_log(log), log.names.cast(pa.large_string())
    if kept is _NOTHING:
        return _Kept(fresh, rows, entries, newest, marks)
    names = pc.unique(pa.concat_arrays([kept.names, fresh]))
    names = names.take(pc.sort_indices(names))
    return _Kept(
        names, merged(kept.rows, rows, _places(kept.names, names), _places(fresh, names)), entries, newest, marks
    )


def _as_persons(workspace: Workspace, history: History, kept: _Kept) -> Trail:
    """As they are known by now: under the persons' names, without who was erased and what lies ahead of the clock."""
    now, links = workspace.clock().now(), history.links()
    until, names = min(now, kept.newest + 1), kept.names.to_numpy(zero_copy_only=False)
    person, gone = resolve(links, now, workspace.settings), erased(links)
    if not person and not gone and kept.newest < until:
        return Trail(names, kept.rows, kept.entries, until)
    people = np.unique(np.array([person.get(name, name) for name in names.tolist()], object))
    place = {name: position for position, name in enumerate(people.tolist())}
    of = [-1 if name in gone else place[person.get(name, name)] for name in names.tolist()]
    rows, there = by_person(kept.rows, np.array(of, np.int64), until)
    return Trail(people[there], rows, kept.entries, until)


def _places(names: pa.Array, wanted: pa.Array) -> np.ndarray:
    """int64: where each wanted name stands among `names`, -1 where it does not."""
    return np.asarray(pc.fill_null(pc.index_in(wanted, names), -1), np.int64)
