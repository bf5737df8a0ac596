"""The workspace's journeys, kept as arrays; what came in since the last time is added to them.

The first time all of history is read and sorted, once. Later only the files that are new are read: a customer's steps
are as good as the rows they were made of as long as what is new is newer than they are. Who got something older (it
arrived late) is read in full. The outcome is the same as from scratch, always.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from features import arrange, physical
from features.daylog import locked
from features.history import History
from features.identity.resolution import resolve, resolved
from features.interactions import INSTANT, SCHEMA, SURVEY
from features.journeys import layout, people
from features.journeys.layout import Layout, Rules, Step
from features.journeys.trace import NO_PIECES, Pieces, Traced, join, rows_of, trace
from features.sensitive import sensitive_topics
from features.tombstones import Graveyard, alone
from features.vocabulary import Vocabulary
from features.workspace import Settings, Workspace, WorkspaceError

_COLUMNS = ("customer_id", "occurred_at", "channel", "direction", "type", "topic", "satisfaction")
_WORDS = ["channel", "direction", "type", "topic"]
#: Columns that a log is arranged with, and that journeys are not made of.
_UNREAD = ("received_at", "case_id", "satisfaction")


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
    history, settings = History(workspace), workspace.settings
    links, now = history.links(), workspace.clock().now()
    files = _files(history)
    if not files:
        raise WorkspaceError(
            f"{workspace.history}: there are no interactions to report on; `tactful ingest FILE` first"
        )
    people_are = hashlib.sha256(orjson.dumps(sorted(resolve(links, now, settings).items()))).hexdigest()
    kept = _usable(workspace, files, people_are)
    fresh = sorted({name.rpartition("/")[2].rpartition("-")[0] for name in files.keys() - kept.files.keys()})
    new = _read(history, fresh if kept.files else None)
    newest = max(kept.newest, _newest(new))
    known_until = min(now, newest + 1)
    new = resolved(new, links, now, settings)
    late = kept.older_than(new)
    if late:
        new = _with_all_of(history, new, late, resolve(links, now, settings))
    cut = newest >= known_until
    if cut:
        new = new.filter(pc.less(new["occurred_at"], pa.scalar(known_until, INSTANT)))
    traced, steps, names, last = _traced(kept, late, new, rules(settings))
    attributes = history.attributes(known_until)
    segments, segment = people.segments(traced, names, attributes, settings.attributes)
    zones, lives = people.zones(names, attributes, known_until, zone)
    whole = Layout(traced, steps, len(names), last, segments, segment, zones, lives, rules(settings), known_until)
    made_of = {"files": files, "people": people_are, "cut": cut, "newest": newest}
    with alone(workspace):
        buried = Graveyard(workspace).tombstones().named(names.tolist())
        ids = pa.array([None if name in buried else name for name in names] if buried else names, pa.string())
        layout.write(folder(workspace), whole, ids, made_of)
    return layout.read(folder(workspace)) or whole


def _traced(
    kept: "_Kept", late: Sequence[str], new: pa.Table, by: Rules
) -> tuple[Traced, tuple[Step, ...], np.ndarray, np.ndarray]:
    """Steps and journeys of what was kept and is not `late`, with the new rows behind.

    Then what the steps are, whose they are, and each one's last instant.
    """
    words = Vocabulary()
    # the one number that journeys are made of stands where records have theirs: no row needs an extra
    new = new.rename_columns({"satisfaction": "value"})
    for name in _UNREAD:
        new = new.append_column(name, pa.nulls(new.num_rows))
    log = arrange.arrange(new, words, by.sensitive)
    steps, code_of = _steps(kept.steps, words)
    rows = _pieces(log, code_of, new["value"].null_count < new.num_rows)
    old = kept.without(late)
    place = _places(kept.names, pa.chunked_array([log.names]))
    strangers = np.flatnonzero(place < 0)
    place[strangers] = len(kept.names) + np.arange(len(strangers))
    names = np.concatenate([kept.names, log.customers[strangers]])
    pieces = _joined(old, rows, place, len(names))
    own = np.array([step.direction == "inbound" for step in steps], np.bool_)
    goal = np.array([step.type in by.goal for step in steps], np.bool_)
    survey = np.array([step.type == SURVEY and step.type not in by.meant for step in steps], np.bool_)
    newest = np.full(len(names), -1, np.int64)
    newest[: len(kept.last)] = kept.last
    newest[place] = np.maximum(newest[place], rows.at[rows.end - 1])
    return trace(pieces, own, goal, survey, by.pause), steps, names, newest


def _steps(known: Sequence[Step], words: Vocabulary) -> tuple[tuple[Step, ...], np.ndarray]:
    """The steps known and the new ones behind, and int32[words] each word's step; topics are all one."""
    place = {step: position for position, step in enumerate(known)}
    of = [place.setdefault(Step(*entry[:3]), len(place)) for entry in words.entries]
    return tuple(place), np.array([*of, 0], np.int32)


def _pieces(log: arrange.Log, code_of: np.ndarray, any_rated: bool) -> Pieces:
    """Each row of an arranged log, whose values are ratings."""
    count = len(log.records)
    rated = count if any_rated else 0
    columns = np.empty(count, np.int64), np.empty(count, np.int32), np.empty(rated), np.empty(rated, np.int32)
    rows_of(log.records, code_of, *columns)
    at, code, satisfaction, ratings = columns
    return Pieces(log.start, log.end, at, at, code, satisfaction, ratings)


def _joined(old: Pieces, new: Pieces, place: np.ndarray, customers: int) -> Pieces:
    """Old pieces and new ones of all customers; the new ones' customer i is customer place[i]."""
    if len(old.at) == 0 and customers == len(new.start):
        return new

    def spread(pieces: Pieces, where: np.ndarray) -> Pieces:
        start, end = np.zeros(customers, np.int64), np.zeros(customers, np.int64)
        start[where], end[where] = pieces.start, pieces.end
        return Pieces(start, end, *(_fixed(array) for array in pieces[2:]))

    old, new = spread(old, np.arange(len(old.start))), spread(new, place)
    count = int((old.end - old.start).sum() + (new.end - new.start).sum())
    rated = count if len(old.rated) or len(new.rated) else 0
    out = Pieces(
        np.empty(customers, np.int64), np.empty(customers, np.int64), np.empty(count, np.int64),
        np.empty(count, np.int64), np.empty(count, np.int32), np.empty(rated), np.empty(rated, np.int32),
    )  # fmt: skip
    join(old, new, out)
    return out


def _fixed(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written, as a kept array is: compiled code is compiled for one of the two."""
    view = array.view()
    view.flags.writeable = False
    return view


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

    def older_than(self, new: pa.Table) -> list[str]:
        """Customers with a new row that is not newer than their last one."""
        if self.old is None:
            return []
        # plain text, for the dictionaries of several files cannot be grouped by
        told = pa.table({"customer_id": new["customer_id"].cast(pa.string()), "occurred_at": new["occurred_at"]})
        first = told.group_by("customer_id").aggregate([("occurred_at", "min")])
        ends = np.append(self.last, -1)  # the last for customers that are new
        place = _places(self.names, first["customer_id"])
        late = first["occurred_at_min"].cast(pa.int64()).to_numpy() <= ends[place]
        return first["customer_id"].filter(pa.array(late)).to_pylist()

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
        return Pieces(start, end, traced.at, traced.until, traced.code, traced.satisfaction, traced.rated)


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


def _read(history: History, batches: Sequence[str] | None) -> pa.Table:
    """What journeys read of interactions, words as dictionaries; of some batches, all where None.

    Ids of customers stay plain: to bring the dictionaries of many days together would cost more than all the rest.
    """
    columns = [*_COLUMNS, "_id" if all(batch.physical for batch in history.batches()) else "interaction_id"]
    files = history.files(batches=batches)
    if not files:
        return history.interactions(columns, until=0)
    schema = physical.with_physical(SCHEMA.empty_table()).schema
    for name in _WORDS:
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.dictionary(pa.int32(), pa.string())))
    reading = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(dictionary_columns=_WORDS))
    try:
        return ds.dataset([str(file) for file in files], schema=schema, format=reading).to_table(columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        why = str(error).splitlines()[0]
        raise WorkspaceError(
            f"{history.folder}: a file of the history is damaged; put it back from a backup ({why})"
        ) from None


def _with_all_of(history: History, new: pa.Table, late: list[str], mapping: dict[str, str]) -> pa.Table:
    """The new rows, with every row that there ever was of the customers named."""
    wanted = set(late)
    ids = wanted | {other for other, person in mapping.items() if person in wanted}
    columns = [name for name in new.column_names if name != "customer_id"]
    whole = history.interactions(["customer_id", *columns], customers=sorted(ids))
    index = pc.index_in(whole["customer_id"], pa.array(list(mapping), pa.string()))
    persons = pc.take(pa.array(list(mapping.values()), pa.string()), index)
    whole = whole.set_column(0, "customer_id", pc.coalesce(persons, whole["customer_id"]))
    others = new.filter(pc.invert(pc.is_in(new["customer_id"].cast(pa.string()), pa.array(late, pa.string()))))
    others = others.cast(pa.schema([whole.schema.field(name) for name in others.column_names]))
    return pa.concat_tables([others.select(whole.column_names), whole])


def _newest(table: pa.Table) -> int:
    """Of the rows' instants; 0 without rows."""
    return pc.max(table["occurred_at"]).cast(pa.int64()).as_py() or 0


def _places(names: np.ndarray, wanted: pa.ChunkedArray) -> np.ndarray:
    """int64: where each wanted name stands among `names`, -1 where it does not."""
    found = pc.index_in(wanted.cast(pa.string()), pa.array(names, pa.string()))
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)
