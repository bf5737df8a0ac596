"""The workspace's journeys, kept as arrays; what came in since the last time is added to them.

The first time all of history is read and sorted, once. Later only the files that are new are read: a customer's steps
are as good as the rows they were made of as long as what is new is newer than they are. Who got something older (it
arrived late) is read in full. The outcome is the same as from scratch, always.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.daylog import locked
from features.history import History
from features.identity.links import erased
from features.identity.resolution import resolve
from features.interactions import SURVEY
from features.journeys import layout, people, reading
from features.journeys.layout import Layout, Rules, Step
from features.journeys.reading import Came, Reader, fixed
from features.journeys.trace import NO_PIECES, Pieces, Traced, join, trace
from features.sensitive import sensitive_topics
from features.tombstones import Graveyard, alone
from features.workspace import Settings, Workspace, WorkspaceError


def folder(workspace: Workspace) -> Path:
    """Where a workspace's journeys are kept."""
    return workspace.reports / "journeys"


def rules(settings: Settings) -> Rules:
    return Rules(
        settings.churn.horizon_days,
        tuple(settings.goal),
        tuple(settings.churn.qualifying),
        settings.churn.event,
        settings.churn.silence,
        tuple(sorted(sensitive_topics(settings))),
    )


def up_to_date(workspace: Workspace, zone: str = "UTC") -> Layout:
    """The journeys of everyone in history, kept for whoever counts them; `zone` is that of who names none.

    Raises WorkspaceError where history is empty. One process at a time; others wait.
    """
    folder(workspace).mkdir(parents=True, exist_ok=True)
    with locked(folder(workspace) / ".lock"):
        return _up_to_date(workspace, zone)


def _up_to_date(workspace: Workspace, zone: str) -> Layout:
    history, settings, by = History(workspace), workspace.settings, rules(workspace.settings)
    links, now = history.links(), workspace.clock().now()
    files = _files(history)
    if not files:
        raise WorkspaceError(
            f"{workspace.history}: there are no interactions to report on; `tactful ingest FILE` first"
        )
    persons, gone = resolve(links, now, settings), erased(links)
    people_are = hashlib.sha256(orjson.dumps(sorted(persons.items()))).hexdigest()
    kept = _usable(workspace, files, people_are)
    reader = _read(history, files.keys() - kept.files.keys(), by)
    late = kept.older_than(reader.came(persons, gone)) if kept.files else []
    if late:
        of = set(late)
        ids = {*late, *(other for other, person in persons.items() if person in of)}
        reader.forget(ids)
        reader.add(reading.of_customers(history, ids))
    newest = max(kept.newest, reader.newest)
    known_until = min(now, newest + 1)
    traced, steps, names, last = _traced(kept, late, reader.came(persons, gone, known_until), by)
    attributes = history.attributes(known_until)
    segments, segment = people.segments(traced, names, attributes, settings.attributes)
    zones, lives = people.zones(names, attributes, known_until, zone)
    whole = Layout(traced, steps, len(names), last, segments, segment, zones, lives, by, known_until)
    made_of = {"files": files, "people": people_are, "cut": newest >= known_until, "newest": newest}
    with alone(workspace):
        buried = Graveyard(workspace).tombstones().named(names.tolist())
        known = pa.array([None if name in buried else name for name in names] if buried else names, pa.string())
        layout.write(folder(workspace), whole, known, made_of)
    return layout.read(folder(workspace)) or whole


def _read(history: History, names: Collection[str], by: Rules) -> Reader:
    """The rows of some files, and of others of the same batches if there are any."""
    wanted = {name.rpartition("/")[2].rpartition("-")[0] for name in names}
    batches = [batch for batch in history.batches() if batch.id in wanted]
    reader = Reader(by.sensitive, sum(batch.rows for batch in batches))
    for table in reading.tables(history, [batch.id for batch in batches]):
        reader.add(table)
    return reader


def _traced(
    kept: "_Kept", late: Sequence[str], new: Came, by: Rules
) -> tuple[Traced, tuple[Step, ...], np.ndarray, np.ndarray]:
    """Steps and journeys of what was kept and is not `late`, with the new rows behind.

    Then what the steps are, whose they are, and each one's last instant.
    """
    # new steps by their names: the same data give the same codes, in whatever files they are
    fresh = {step for step, used in zip(new.steps, new.used.tolist(), strict=True) if used} - set(kept.steps)
    steps = (*kept.steps, *sorted(fresh, key=astuple))
    code = {step: position for position, step in enumerate(steps)}
    rows = new.pieces(np.array([code.get(step, -1) for step in new.steps], np.int32))
    place = _places(kept.names, pa.chunked_array([new.names]))
    strangers = np.flatnonzero(place < 0)
    place[strangers] = len(kept.names) + np.arange(len(strangers))
    names = np.concatenate([kept.names, new.names.take(pa.array(strangers)).to_numpy(zero_copy_only=False)])
    pieces = _joined(kept.without(late), rows, place, len(names))
    own = np.array([step.direction == "inbound" for step in steps], np.bool_)
    goal = np.array([step.type in by.goal for step in steps], np.bool_)
    leaves = np.array([step.type == by.departure for step in steps], np.bool_)
    survey = np.array([step.type == SURVEY and step.type not in by.meant for step in steps], np.bool_)
    newest = np.full(len(names), -1, np.int64)
    newest[: len(kept.last)] = kept.last
    newest[place] = np.maximum(newest[place], rows.at[rows.end - 1])
    return trace(pieces, own, goal, leaves, survey, by.pause), steps, names, newest


def _joined(old: Pieces, new: Pieces, place: np.ndarray, customers: int) -> Pieces:
    """Old pieces and new ones of all customers; the new ones' customer i is customer place[i]."""
    if len(old.at) == 0 and customers == len(new.start):
        return new

    def spread(pieces: Pieces, where: np.ndarray) -> Pieces:
        start, end = np.zeros(customers, np.int64), np.zeros(customers, np.int64)
        start[where], end[where] = pieces.start, pieces.end
        return Pieces(start, end, *(fixed(array) for array in pieces[2:]))

    old, new = spread(old, np.arange(len(old.start))), spread(new, place)
    count = int((old.end - old.start).sum() + (new.end - new.start).sum())
    rated = len(old.rated) + len(new.rated)
    out = Pieces(
        np.empty(customers, np.int64), np.empty(customers, np.int64), np.empty(count, np.int64),
        np.empty(count, np.int64), np.empty(count, np.int32), np.empty(rated, np.int64), np.empty(rated),
        np.empty(rated, np.int32),
    )  # fmt: skip
    rated = join(old, new, out)
    return out._replace(rated=out.rated[:rated], satisfaction=out.satisfaction[:rated], ratings=out.ratings[:rated])


class _Kept:
    """What was traced before, as far as it still holds."""

    def __init__(self) -> None:
        self.old: Layout | None = None
        self.names = np.zeros(0, object)
        self.files: dict[str, list[int]] = {}
        self.newest = 0

    @property
    def steps(self) -> tuple[Step, ...]:
        return () if self.old is None else self.old.steps

    @property
    def last(self) -> np.ndarray:
        """int64[customers]: the instant of each one's last interaction."""
        return np.zeros(0, np.int64) if self.old is None else self.old.newest

    def older_than(self, new: Came) -> list[str]:
        """Customers with a new row that is not newer than their last one."""
        ends = np.append(self.last, -1)  # the last for customers that are new
        late = new.first() <= ends[_places(self.names, pa.chunked_array([new.names]))]
        found: list[str] = new.names.filter(pa.array(late)).to_pylist()
        return found

    def without(self, customers: Sequence[str]) -> Pieces:
        """Each customer's steps as pieces; none of these customers'."""
        if self.old is None:
            return NO_PIECES
        traced = self.old.traced
        end = np.zeros(self.old.customers, np.int64)
        np.add.at(end, traced.customer, traced.first[1:] - traced.first[:-1])
        end = np.cumsum(end)
        start = np.concatenate([[0], end[:-1]])
        gone = _places(self.names, pa.chunked_array([pa.array(customers, pa.string())]))
        end[gone] = start[gone]
        return Pieces(
            start, end, traced.at, traced.until, traced.code, traced.rated, traced.satisfaction, traced.ratings
        )


def _usable(workspace: Workspace, files: dict[str, list[int]], people_are: str) -> _Kept:
    """What was kept, if it was made by the same rules from files that are all still there as they were."""
    kept, place = _Kept(), folder(workspace)
    noted, old, names = layout.about(place), layout.read(place), layout.names(place)
    if noted is None or old is None or names is None:
        return kept
    made_of = noted["made_of"]
    same = old.rules == rules(workspace.settings) and made_of["people"] == people_are and not made_of["cut"]
    if not same or any(files.get(name) != told for name, told in made_of["files"].items()) or None in names:
        return kept
    kept.old, kept.names, kept.files, kept.newest = old, names, made_of["files"], made_of["newest"]
    return kept


def _files(history: History) -> dict[str, list[int]]:
    """Every file of interactions by what it is known by; an erasure writes files anew."""
    found = {}
    for path in history.files():
        about = path.stat()
        found[f"{path.parent.name}/{path.name}"] = [about.st_size, about.st_mtime_ns]
    return found


def _places(names: np.ndarray, wanted: pa.ChunkedArray) -> np.ndarray:
    """int64: where each wanted name stands among `names`, -1 where it does not."""
    found = pc.index_in(wanted.cast(pa.string()), pa.array(names, pa.string()))
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)
