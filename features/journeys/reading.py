"""What journeys are made of, read from history file by file and brought together customer by customer.

A year's log as one table is several times as large as what journeys keep of it, and to touch so much new memory costs
more than all the rest. So the rows of each day become a few small numbers at once, and only these are held.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features import physical
from features.history import History
from features.interactions import INSTANT
from features.journeys.layout import Step
from features.journeys.trace import Pieces
from features.kernel.grouping import Names
from features.kernel.jit import compiled
from features.sensitive import is_sensitive
from features.vocabulary import factorise
from features.workspace import WorkspaceError

_STEP = ("channel", "direction", "type")
_COLUMNS = ("customer_id", "occurred_at", *_STEP, "topic", "satisfaction")
#: Up to so many possible steps in a table, a list of all of them beats sorting.
_FEW = 1 << 20
#: Rows of one instant up to this number are put in order one by one.
_SHORT = 24
_FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Came:
    """Rows before `until` in an order that is right for each customer; those of customer -1 count for nothing.

    `names` (sorted) are the persons with a row and `rows` how many each has; `person` int32[customers] is who is who,
    -1 for nobody. `code` are positions in `steps`, of which those `used` (bool) are in any row. `rating` is of row
    `rated`, which ascends.
    """

    customer: np.ndarray
    at: np.ndarray
    code: np.ndarray
    rated: np.ndarray
    rating: np.ndarray
    steps: tuple[Step, ...]
    used: np.ndarray
    names: pa.Array
    rows: np.ndarray
    person: np.ndarray
    until: int

    def first(self) -> np.ndarray:
        """int64[names]: when each one's first row is."""
        found = np.full(len(self.names), _FOREVER)
        _first(self.customer, self.at, self.person, self.until, found)
        return found

    def pieces(self, code_of: np.ndarray) -> Pieces:
        """Every row as a piece, each customer's together; `code_of` int32[steps] is what each step is called there."""
        start = np.concatenate([[0], np.cumsum(self.rows)])
        at, code = np.empty(start[-1], np.int64), np.empty(start[-1], np.int32)
        end, where = start[:-1].copy(), np.empty(len(self.rated), np.int64)
        _deal(self.customer, self.at, self.code, self.rated, self.person, self.until, code_of, end, at, code, where)
        order = np.argsort(where, kind="stable")
        order = order[np.searchsorted(where[order], 0) :]  # those of rows that count
        ones = np.ones(len(order), np.int32)
        return Pieces(start[:-1], end, at, at, code, where[order], self.rating[order], ones)


class Reader:
    """Collects the rows of tables as `tables` and `of_customers` read them, about `room` of them.

    No day may come twice for the same customer. Rows on topics in `sensitive` are left out. `newest` is the last
    instant of any row.
    """

    def __init__(self, sensitive: Collection[str], room: int) -> None:
        self.sensitive, self.newest = sensitive, 0
        self._names = Names()
        self._steps: dict[Step, int] = {}
        self._rows, self._ratings = 0, [(np.zeros(0, np.int64), np.zeros(0))]
        self._columns = [np.empty(room, kind) for kind in (np.int32, np.int64, np.int32)]

    def add(self, table: pa.Table) -> None:
        """More rows, in any order."""
        if not table.num_rows:
            return
        code, rows = self._codes(table), table.num_rows
        customer, done = np.empty(rows, np.int32), 0
        for chunk in table["customer_id"].chunks:
            here = slice(done, done + len(chunk))
            customer[here], done = self._names.positions(chunk, code[here] >= 0), here.stop
        at = table["occurred_at"].cast(INSTANT).cast(pa.int64()).to_numpy()
        rating = table["satisfaction"].to_numpy()
        order = _order(at, lambda: physical.ids(table))
        if order is not None:
            customer, at, code, rating = customer[order], at[order], code[order], rating[order]
        first, self._rows = self._rows, self._rows + rows
        if self._rows > len(self._columns[0]):
            self._columns = [_longer(column, first, 2 * self._rows) for column in self._columns]
        for column, values in zip(self._columns, (customer, at, code), strict=True):
            column[first : self._rows] = values
        rated = np.flatnonzero(~np.isnan(rating))
        self._ratings.append((first + rated, rating[rated]))
        self.newest = max(self.newest, int(at[-1]))

    def forget(self, ids: Collection[str]) -> None:
        """Leaves out what was collected so far of some customers."""
        gone = pc.is_in(self._names.to_arrow(), pa.array(list(ids), pa.large_string())).to_numpy(zero_copy_only=False)
        customer = self._columns[0][: self._rows]
        customer[np.append(gone, True)[customer]] = -1

    def came(self, persons: Mapping[str, str], gone: Collection[str], until: int = _FOREVER) -> Came:
        """All rows before `until`, by the name of the person behind each id (itself, where none is named).

        Without customers whose ids are `gone`.
        """
        names, (customer, at, code) = self._names.to_arrow(), (column[: self._rows] for column in self._columns)
        of, used = np.arange(len(names), dtype=np.int32), np.zeros(len(self._steps), bool)
        if gone:
            of[pc.is_in(names, pa.array(list(gone), pa.large_string())).to_numpy(zero_copy_only=False)] = -1
        rows = np.zeros(len(names), np.int64)
        _count(customer, at, code, of, until, rows, used)
        there = np.flatnonzero(rows)
        names = names.take(pa.array(there))
        if persons:
            names = pa.array([persons.get(name, name) for name in names.to_pylist()], pa.large_string())
        coded = names.dictionary_encode()
        order = pc.sort_indices(coded.dictionary)
        rank = np.empty(len(order), np.int32)
        rank[order.to_numpy()] = np.arange(len(order))
        person = np.full(len(rows), -1, np.int32)
        person[there] = rank[coded.indices.to_numpy()]
        rated, rating = (np.concatenate(column) for column in zip(*self._ratings, strict=True))
        ours = np.zeros(len(order), np.int64)
        np.add.at(ours, person[there], rows[there])
        return Came(customer, at, code, rated, rating, tuple(self._steps), used, coded.dictionary.take(order), ours,
                    person, until)  # fmt: skip

    def _codes(self, table: pa.Table) -> np.ndarray:
        """int32[n]: each row's step, -1 for one that is left out."""
        topic, topics = factorise(table["topic"])
        shown = ~np.array([is_sensitive(each, self.sensitive) for each in topics], bool)[topic]
        rows: Any = slice(None) if shown.all() else shown
        key, possible, words = np.zeros(1, np.int64), 1, []
        for name in _STEP:
            index, labels = factorise(table[name])
            key = key * len(labels) + index[rows]
            possible *= len(labels)
            words.append(labels)
        if possible > _FEW:
            there, key = np.unique(key, return_inverse=True)
            codes = np.empty(len(there), np.int32)
        else:
            there = np.flatnonzero(np.bincount(key))
            codes = np.empty(possible, np.int32)
        for place, number in enumerate(there.tolist()):
            rest, kind = divmod(number, len(words[2]))
            channel, direction = divmod(rest, len(words[1]))
            step = Step(str(words[0][channel]), str(words[1][direction]), str(words[2][kind]))
            codes[place if possible > _FEW else number] = self._steps.setdefault(step, len(self._steps))
        found = np.full(table.num_rows, -1, np.int32)
        found[rows] = codes[key]
        return found


def tables(history: History, batches: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of some batches (all where None), a table for each day, the oldest first.

    Raises WorkspaceError where a file is damaged.
    """
    for _, files in groupby(history.files(batches=batches), key=lambda file: file.parent):
        yield pa.concat_tables([_read(file) for file in files], promote_options="permissive")


def of_customers(history: History, ids: Collection[str]) -> pa.Table:
    """Every row that there ever was of some customers."""
    return history.interactions([*_COLUMNS, "interaction_id"], customers=sorted(ids))


def fixed(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written, as a mapped array is: compiled code is compiled for one of the two."""
    view = array.view()
    view.flags.writeable = False
    return view


def _read(file: Path) -> pa.Table:
    try:
        content = pq.ParquetFile(file, read_dictionary=[*_STEP, "topic"])
        own = "_id" if "_id" in content.schema_arrow.names else "interaction_id"
        return content.read([*_COLUMNS, own], use_threads=False)  # a file is too small to share
    except (pa.ArrowInvalid, OSError) as error:
        why = str(error).splitlines()[0]
        raise WorkspaceError(
            f"{file}: this file of the history is damaged; put it back from a backup ({why})"
        ) from None


def _longer(column: np.ndarray, rows: int, room: int) -> np.ndarray:
    found = np.empty(room, column.dtype)
    found[:rows] = column[:rows]
    return found


def _order(at: np.ndarray, ids: Callable[[], np.ndarray]) -> np.ndarray | None:
    """int64[n]: the rows by (at, id); None where they are in order already. `ids` gives uint64[n], if asked for."""
    if (at[1:] > at[:-1]).all():
        return None
    order = np.argsort(at, kind="stable")
    _by_id(order, fixed(at), fixed(ids()))
    return order


@compiled
def _by_id(order: Any, at: Any, id: Any) -> None:
    """Puts rows of one instant in order of their ids; `order` is by `at`."""
    first = 0
    for end in range(1, order.shape[0] + 1):
        if end < order.shape[0] and at[order[end]] == at[order[first]]:
            continue
        if end - first > _SHORT:  # a whole day may carry one instant: insertion would be quadratic
            rows = order[first:end].copy()
            order[first:end] = rows[np.argsort(id[rows], kind="mergesort")]
        else:
            for i in range(first + 1, end):
                row, j = order[i], i
                while j > first and id[order[j - 1]] > id[row]:
                    order[j] = order[j - 1]
                    j -= 1
                order[j] = row
        first = end


@compiled
def _count(customer: Any, at: Any, code: Any, person: Any, until: int, rows: Any, used: Any) -> None:
    """Rows of each person, and which steps are in any."""
    for row in range(customer.shape[0]):
        if customer[row] >= 0 and at[row] < until and person[customer[row]] >= 0:
            rows[person[customer[row]]] += 1
            used[code[row]] = True


@compiled
def _first(customer: Any, at: Any, person: Any, until: int, first: Any) -> None:
    for row in range(customer.shape[0]):
        if customer[row] >= 0 and at[row] < until and person[customer[row]] >= 0:
            first[person[customer[row]]] = min(first[person[customer[row]]], at[row])


@compiled
def _deal(
    customer: Any, at: Any, code: Any, rated: Any, person: Any, until: int, code_of: Any, place: Any, out_at: Any,
    out_code: Any, where: Any,
) -> None:  # fmt: skip
    """Puts rows where their persons' go, which is at `place`; `where` tells it of the rows rated, -1 for none."""
    r = 0
    for row in range(customer.shape[0]):
        p: Any = -1
        if customer[row] >= 0 and at[row] < until and person[customer[row]] >= 0:
            c = person[customer[row]]
            p = place[c]
            place[c] = p + 1
            out_at[p], out_code[p] = at[row], code_of[code[row]]
        if r < rated.shape[0] and rated[r] == row:
            where[r] = p
            r += 1
