"""One customer in a history of any size: the newest days first, as many as it takes to fill a page.

History is filed by day and not by customer. The customer's packed state says on which days they were here, so that a
page reads as many files as it has days. Of whom the store knows nothing, and for decisions, DuckDB skips through the
column of ids alone: a third of a second for a year of ten million rows. Nothing more is indexed, so nothing can be out
of date, and an erasure has nothing more to find.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from features import clock
from features.daylog import DayLog
from features.decision_log import DECISIONS
from features.history import History
from features.interactions import SCHEMA
from features.state import State
from features.workspace import Workspace, WorkspaceError

Row = dict[str, Any]
#: Days that are looked through at first; each further step looks through twice as many.
STEP = 30
#: Rows of one step that are looked at: a bot's day is not shown to its end.
MOST = 5_000

INTERACTIONS = """interaction_id, epoch_us(occurred_at) AS at, channel, direction, type, value, topic, case_id,
    decision_id, action, satisfaction, identified, provenance"""
DECIDED = """decision_id, epoch_us(decided_at) AS at, channel, direction, action, treatment_channel, ghost,
    ghost_channel, reason, arm, policy_version"""
FACTORS = ("p", "share", "u", "learned", "c", "v", "lever", "cost", "harm", "expected_value", "positives",
           "harm_learned")  # fmt: skip


@dataclass(frozen=True)
class Days:
    """The days (since 1970) on which somebody can have done anything: those known, any before `before`; None: any."""

    known: frozenset[int] | None = None
    before: int | None = None

    def __contains__(self, day: int) -> bool:
        return self.known is None or day in self.known or (self.before is not None and day < self.before)


EVERY_DAY = Days()


def active_days(state: bytes) -> Days:
    """From a packed state.

    It holds their newest interactions and registers of what it had to let go, which can only be older.
    """
    packed = State.from_bytes(state) if state else State()
    known = frozenset((packed.items.at // clock.DAY).tolist())
    if not known:
        return EVERY_DAY
    return Days(known, min(known) if len(packed.registers) else None)


@dataclass(frozen=True)
class Only:
    """What is wanted of a log: a condition in SQL beside the customer's id, and what it is asked with."""

    condition: str = "TRUE"
    parameters: tuple[Any, ...] = ()


def interactions(
    workspace: Workspace,
    ids: Sequence[str],
    before: int,
    enough: int,
    only: Only = Only(),
    days: Days = EVERY_DAY,
) -> list[Row]:
    """Newest first, those before an instant (microseconds): at least `enough`, and whole days, if there are as many."""
    return _newest(History(workspace).logs["interactions"], INTERACTIONS, SCHEMA, ids, before, enough, only, days)


def decisions(
    workspace: Workspace,
    ids: Sequence[str],
    before: int,
    enough: int,
    only: Only = Only(),
) -> list[Row]:
    """The same of decisions: what was asked and what was answered, without the fate of each candidate."""
    return _newest(History(workspace).logs["decisions"], DECIDED, DECISIONS, ids, before, enough, only)


def decision(workspace: Workspace, ids: Sequence[str], decision_id: str, at: int) -> Row | None:
    """One decision about one of some ids, at an instant, as the document that the store keeps
    (`serving.decisions.decision`); None where there is none."""
    log = History(workspace).logs["decisions"]
    files = [str(file) for file in log.days().get(at // clock.DAY, ())]
    columns, only = f"{DECIDED}, document, candidates", Only("decision_id = ?", (decision_id,))
    rows = [row for each in ids if files for row in _read(log, files, columns, DECISIONS, each, at + 1, only)]
    return _document(rows[0]) if rows else None


def _newest(
    log: DayLog,
    columns: str,
    schema: pa.Schema,
    ids: Sequence[str],
    before: int,
    enough: int,
    only: Only,
    days: Days = EVERY_DAY,
) -> list[Row]:
    last = before // clock.DAY
    listed = sorted(((day, files) for day, files in log.days().items() if day <= last and day in days), reverse=True)
    found: list[Row] = []
    for files in _stepwise([files for _, files in listed]):
        # one id at a time: asked for several, DuckDB reads every row's id instead of each file's few different ones
        rows = (row for each in ids for row in _read(log, files, columns, schema, each, before, only))
        found += sorted(rows, key=lambda row: -row["at"])
        if len(found) >= enough:
            break
    return found


def _stepwise(days: Sequence[Sequence[Path]]) -> Iterator[list[str]]:
    """Files of the newest STEP days, of twice as many before those, and so on."""
    start, step = 0, STEP
    while start < len(days):
        yield [str(file) for files in days[start : start + step] for file in files]
        start, step = start + step, step * 2


def _read(
    log: DayLog, files: Sequence[str], columns: str, schema: pa.Schema, customer: str, before: int, only: Only
) -> list[Row]:
    query = f"""
        SELECT {columns} FROM (
            SELECT * FROM read_parquet(?, union_by_name = true) UNION ALL BY NAME SELECT * FROM bare
        ) WHERE customer_id = ? AND epoch_us({log.at}) < ? AND {only.condition} ORDER BY {log.at} DESC LIMIT {MOST}"""
    try:
        with duckdb.connect(config={"threads": 1}) as database:
            database.register("bare", schema.empty_table())  # a column that no file has is null
            found = database.sql(query, params=[list(files), customer, before, *only.parameters]).to_arrow_table()
            rows: list[Row] = found.to_pylist()
    except duckdb.Error as error:
        why = str(error).splitlines()[0]
        raise WorkspaceError(
            f"{log.folder}: a file of the history is damaged; put it back from a backup ({why})"
        ) from None
    return rows


def _document(row: Row) -> Row:
    """What was logged; else what the columns say of it, in the same words."""
    if row["document"]:
        told: Row = orjson.loads(row["document"])
        return told | {"at": row["at"]}
    candidates = [_fate(each) for each in row["candidates"] or ()]
    return {name: value for name, value in row.items() if name != "document"} | {"candidates": candidates}


def _fate(candidate: Row) -> Row:
    """A candidate's columns as `Fate.as_dict` says them; why a rule tripped is not in columns, only its name."""
    rules, passes = candidate["rules"] or (), candidate["passes_at"]
    told = {name: candidate[name] for name in ("action", "channel", "stage", "reason", "probability")}
    if rules:
        told["suppressed_by"] = [{"rule": rule, "text": "", "passes_at": None} for rule in rules]
        told["passes_at"] = None if passes is None else passes.isoformat()
    if candidate["expected_value"] is not None:
        told["factors"] = {name: candidate[name] for name in FACTORS}
    return told
