"""Rows of many customers as arrays: how they are read off an arranged log, merged, and brought together by person."""

from typing import Any, NamedTuple

import numpy as np

from features.arrange import Log
from features.kernel.jit import compiled
from features.kernel.records import AT, ID, KEY, SATISFACTION, VALUE


class Rows(NamedTuple):
    """Customer c owns rows start[c]:start[c + 1], in order of (at, id).

    start int64[c + 1]; at int64[n], microseconds; id uint64[n], hash of the interaction's; code int32[n], of a
    vocabulary. Rows `noted` (int64[k], ascending) have a value or a satisfaction, float64[k] each, NaN without.
    """

    start: np.ndarray
    at: np.ndarray
    id: np.ndarray
    code: np.ndarray
    noted: np.ndarray
    value: np.ndarray
    satisfaction: np.ndarray


NO_ROWS = Rows(
    np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.int64),
    np.zeros(0), np.zeros(0),
)  # fmt: skip


def of_log(log: Log) -> Rows:
    """The rows of an arranged log."""
    count = log.end - log.start
    records = log.records
    if count.sum() < len(records):  # repeated rows lie behind their customers' ends
        records = records[np.repeat(log.start - (np.cumsum(count) - count), count) + np.arange(count.sum())]
    value, key = records.view(np.float64)[:, VALUE], records[:, KEY]
    satisfaction = np.full(len(records), np.nan)
    if log.present[SATISFACTION]:
        told = np.flatnonzero(key & 0xFFFFFFFF)
        satisfaction[told] = log.extras.view(np.float64)[key[told] & 0xFFFFFFFF, SATISFACTION]
    noted = np.flatnonzero(~(np.isnan(value) & np.isnan(satisfaction)))
    return Rows(
        np.concatenate([[0], np.cumsum(count)]),
        records[:, AT].copy(),
        records[:, ID].copy().view(np.uint64),
        (key >> 33).astype(np.int32),
        noted,
        value[noted],
        satisfaction[noted],
    )


def merged(old: Rows, new: Rows, old_of: np.ndarray, new_of: np.ndarray) -> Rows:
    """The rows of both; customer c is the old one old_of[c] and the new one new_of[c], int64 each, -1 for none."""
    count, noted = len(old.at) + len(new.at), len(old.noted) + len(new.noted)
    out = Rows(
        np.empty(len(old_of) + 1, np.int64), np.empty(count, np.int64), np.empty(count, np.uint64),
        np.empty(count, np.int32), np.empty(noted, np.int64), np.empty(noted), np.empty(noted),
    )  # fmt: skip
    _merge(Rows(*map(fixed, old)), Rows(*map(fixed, new)), old_of, new_of, out)
    return out


def fixed(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written, as a mapped array is: compiled code is compiled for one of the two."""
    view = array.view()
    view.flags.writeable = False
    return view


def by_person(rows: Rows, person: np.ndarray, until: int) -> tuple[Rows, np.ndarray]:
    """The rows before `until` of customers c under the number person[c], -1 for nobody; then which numbers have any.

    Those without rows are left out, the others stay in their order.
    """
    owner = np.repeat(person, np.diff(rows.start))
    owner[rows.at >= until] = -1
    order = np.argsort(owner, kind="stable")
    order = order[np.searchsorted(owner[order], 0) :]
    ids = np.bincount(person[person >= 0])
    mixed = np.flatnonzero(ids[owner[order]] > 1)
    some = order[mixed]
    order[mixed] = some[np.lexsort((rows.id[some], rows.at[some], owner[some]))]
    there, count = np.unique(owner[order], return_counts=True)
    place = np.full(len(owner), -1)
    place[order] = np.arange(len(order))
    noted = place[rows.noted]
    told = np.argsort(noted, kind="stable")
    told = told[np.searchsorted(noted[told], 0) :]
    found = Rows(
        np.concatenate([[0], np.cumsum(count)]), rows.at[order], rows.id[order], rows.code[order], noted[told],
        rows.value[told], rows.satisfaction[told],
    )  # fmt: skip
    return found, there


@compiled
def _merge(old: Any, new: Any, old_of: Any, new_of: Any, out: Any) -> None:
    n = k = 0
    for c in range(old_of.shape[0]):
        out.start[c] = n
        i = i_end = j = j_end = np.int64(0)
        if old_of[c] >= 0:
            i, i_end = old.start[old_of[c]], old.start[old_of[c] + 1]
        if new_of[c] >= 0:
            j, j_end = new.start[new_of[c]], new.start[new_of[c] + 1]
        p, q = np.searchsorted(old.noted, i), np.searchsorted(new.noted, j)
        while i < i_end or j < j_end:
            first = j == j_end or (
                i < i_end and (old.at[i] < new.at[j] or (old.at[i] == new.at[j] and old.id[i] <= new.id[j]))
            )
            if first:
                out.at[n], out.id[n], out.code[n] = old.at[i], old.id[i], old.code[i]
                if p < old.noted.shape[0] and old.noted[p] == i:
                    out.noted[k], out.value[k], out.satisfaction[k] = n, old.value[p], old.satisfaction[p]
                    p, k = p + 1, k + 1
                i += 1
            else:
                out.at[n], out.id[n], out.code[n] = new.at[j], new.id[j], new.code[j]
                if q < new.noted.shape[0] and new.noted[q] == j:
                    out.noted[k], out.value[k], out.satisfaction[k] = n, new.value[q], new.satisfaction[q]
                    q, k = q + 1, k + 1
                j += 1
            n += 1
    out.start[old_of.shape[0]] = n
