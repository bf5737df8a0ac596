"""What customers did between two instants: counts and money, exact at both ends, for many customers at once."""

from dataclasses import dataclass

import numpy as np

from features.kernel.jit import compiled


@dataclass(frozen=True)
class Events:
    """Events sorted by customer and time; customer i owns rows start[i]:start[i + 1]. `at` in microseconds."""

    start: np.ndarray
    at: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, person: np.ndarray, at: np.ndarray, value: np.ndarray, people: int) -> "Events":
        """From columns [k] in any order; `person` counts from 0, there are `people` of them."""
        order = np.argsort(at, kind="stable")  # quick, for history comes by day
        start = np.concatenate([[0], np.cumsum(np.bincount(person, minlength=people))])
        sorted_at, sorted_value = np.empty(len(at), np.int64), np.empty(len(at))
        _deal(order, person, at, value, start[:-1].copy(), sorted_at, sorted_value)
        return cls(start, sorted_at, sorted_value)

    def within(self, person: np.ndarray, since: np.ndarray, until: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(number, sum of values) float64[n] of the events of each `person` int[n] with since <= at < until."""
        number, total = np.zeros(len(person)), np.zeros(len(person))
        who, first, end = (np.ascontiguousarray(each, np.int64) for each in (person, since, until))
        _within(self.start, self.at, self.value, who, first, end, number, total)
        return number, total


@compiled
def _deal(
    order: np.ndarray, person: np.ndarray, at: np.ndarray, value: np.ndarray, place: np.ndarray, out_at: np.ndarray,
    out_value: np.ndarray,
) -> None:  # fmt: skip
    """Puts each row behind its person's others; `place` is where each person's next one goes."""
    for row in order:
        p = place[person[row]]
        place[person[row]] = p + 1
        out_at[p], out_value[p] = at[row], value[row]


@compiled
def _within(
    start: np.ndarray, at: np.ndarray, value: np.ndarray, person: np.ndarray, since: np.ndarray, until: np.ndarray,
    number: np.ndarray, total: np.ndarray,
) -> None:  # fmt: skip
    for i in range(len(person)):
        low, end = start[person[i]], start[person[i] + 1]
        high = end
        while low < high:  # the first event at `since` or later
            middle = (low + high) // 2
            if at[middle] < since[i]:
                low = middle + 1
            else:
                high = middle
        while low < end and at[low] < until[i]:
            number[i] += 1.0
            total[i] += value[low]
            low += 1
