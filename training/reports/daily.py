"""What a report needs of a log, day by day: computed once, and again only for days whose files have changed.

    reports/.partials/NAME.parquet    rows with a column `day`; the metadata say of which files they were made

A partial result of some days plus that of the others is that of all, so a report that reads partial results costs what
came in since the last one. The outcome equals one from scratch, always: a day is known by the names, sizes and times of
its files, and so also a day is computed anew from which an erasure took rows. A cache that is damaged, or was made by
another version of the code or settings, is made anew.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.clock import DAY
from features.daylog import DayLog, locked
from features.history import History
from features.tombstones import Graveyard, alone
from features.workspace import Workspace, WorkspaceError
from training.reports.database import connect

#: Days that are computed together, at most: what bounds the memory of a first run over years.
TOGETHER = 92
_ABOUT = b"tactful.partial"


@dataclass(frozen=True)
class Rows:
    """The rows of a log on some days; there are none of other days between the first and the last."""

    workspace: Workspace
    log: DayLog
    #: Days since 1970, from the first to the last; and their files.
    days: tuple[int, ...]
    files: tuple[Path, ...]
    database: duckdb.DuckDBPyConnection

    @property
    def since(self) -> int:
        """The first instant, microseconds."""
        return self.days[0] * DAY

    @property
    def until(self) -> int:
        """The first instant that is no longer of these days, microseconds."""
        return (self.days[-1] + 1) * DAY

    def sql(self, query: str, **asked: Any) -> pa.Table:
        """What DuckDB answers over `log`: the rows with all columns, and `day`. `$name` stands for a value asked with.

        Columns that none of these files has are not there.
        """
        listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in self.files)
        view = f"""CREATE OR REPLACE TEMP VIEW log AS SELECT *, CAST(epoch_us({self.log.at}) // {DAY} AS INTEGER) AS day
                   FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"""
        try:
            self.database.execute(view)
            found: pa.Table = self.database.sql(query, params=asked or None).to_arrow_table()
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise WorkspaceError(
                f"{self.log.folder}: a file of the history cannot be read ({str(error).splitlines()[0]}); put it "
                "back from a backup, or run the same command again where an erasure was under way"
            ) from None
        return found


@dataclass(frozen=True)
class Partial:
    """What is computed by day. `version` names all that the rows depend on beside the log: code and settings."""

    name: str
    version: str
    log: str
    #: Rows of some days -> a table with a column `day`; each row depends on that day's rows alone.
    compute: Callable[[Rows], pa.Table]

    def file(self, workspace: Workspace) -> Path:
        return workspace.reports / ".partials" / f"{self.name}.parquet"


def up_to_date(workspace: Workspace, partial: Partial) -> pa.Table:
    """The partial rows of every day of the log, `day` as int32 (days since 1970), in no particular order.

    A table without rows and perhaps without columns where the log is empty.
    """
    log, path = History(workspace).logs[partial.log], partial.file(workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_suffix(".lock")):
        known = _Known.read(path, partial.version)
        files = log.days()
        found = marks(files)
        stale = sorted(day for day, mark in found.items() if known.marks.get(day) != mark)
        if not stale and known.marks.keys() == found.keys():
            return known.table
        with connect() as database:
            runs = [
                Rows(workspace, log, run, tuple(f for day in run for f in files[day]), database)
                for run in _runs(set(stale), sorted(files))
            ]
            fresh = [_checked(partial, rows) for rows in runs]
        return _keep(workspace, path, partial, found, stale, fresh)


def _keep(
    workspace: Workspace, path: Path, partial: Partial, marks: Mapping[int, str], stale: Sequence[int],
    fresh: Sequence[pa.Table],
) -> pa.Table:  # fmt: skip
    """Old and new rows in one file, whole or not at all. Who was erased while they were computed is not among them."""
    with alone(workspace):
        known = _Known.read(path, partial.version)
        old = known.table
        if old.num_rows:
            gone = np.array([*stale, *(known.marks.keys() - marks.keys())], np.int32)
            old = old.filter(pc.invert(pc.is_in(old["day"], pa.array(gone, pa.int32()))))
        held = [table for table in (old, *fresh) if table.num_columns]
        table = pa.concat_tables(held, promote_options="permissive") if held else pa.table({})
        buried = Graveyard(workspace).tombstones().rows(table)
        if buried.any():
            table = table.filter(pa.array(~buried))
        about = json.dumps({"version": partial.version, "days": {str(day): mark for day, mark in marks.items()}})
        own = path.with_suffix(".part")
        pq.write_table(table.replace_schema_metadata({_ABOUT: about.encode()}), own, compression="zstd")
        own.replace(path)
        return table


@dataclass(frozen=True)
class _Known:
    """What a cache holds: nothing where there is none, or it is another version's, or damaged."""

    path: Path | None
    marks: dict[int, str]

    @classmethod
    def read(cls, path: Path, version: str) -> "_Known":
        try:
            about = json.loads((pq.read_schema(path).metadata or {})[_ABOUT])
            if about["version"] == version:
                found = cls(path, {int(day): mark for day, mark in about["days"].items()})
                _ = found.table
                return found
        except (OSError, pa.ArrowInvalid, KeyError, ValueError):
            pass
        return cls(None, {})

    @cached_property
    def table(self) -> pa.Table:
        return pa.table({}) if self.path is None else pq.read_table(self.path).replace_schema_metadata(None)


def _checked(partial: Partial, rows: Rows) -> pa.Table:
    """What `compute` makes of some days; it must say of each row which day it is of."""
    table = partial.compute(rows)
    where = table.schema.get_field_index("day")
    day = table["day"].cast(pa.int32())
    if not pc.all(pc.is_in(day, pa.array(rows.days, pa.int32())), min_count=0).as_py():
        raise ValueError(f"{partial.name}: rows of days that were not asked for")
    return table.set_column(where, "day", day)


def _runs(stale: Collection[int], days: Sequence[int]) -> list[tuple[int, ...]]:
    """Those of some sorted days that are stale, in runs without one between that is not, TOGETHER at most."""
    runs: list[list[int]] = [[]]
    for day in days:
        if day not in stale or len(runs[-1]) == TOGETHER:
            runs.append([])
        if day in stale:
            runs[-1].append(day)
    return [tuple(run) for run in runs if run]


def marks(days: Mapping[int, Sequence[Path]]) -> dict[int, str]:
    """What the files of each day of a log are known by."""
    return {day: _mark(files) for day, files in days.items()}


def _mark(files: Sequence[Path]) -> str:
    """What a day's files are known by; an erasure writes them anew."""
    try:
        told = sorted((path.name, about.st_size, about.st_mtime_ns) for path in files for about in (path.stat(),))
    except FileNotFoundError as error:
        raise WorkspaceError(f"{error.filename}: was deleted while it was read; run the same command again") from None
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
