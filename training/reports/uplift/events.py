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
        order = np.lexsort((at, person))
        start = np.concatenate([[0], np.cumsum(np.bincount(person, minlength=people))])
        return cls(start, np.ascontiguousarray(at[order], np.int64), np.ascontiguousarray(value[order], np.float64))

    def within(self, person: np.ndarray, since: np.ndarray, until: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(number, sum of values) float64[n] of the events of each `person` int[n] with since <= at < until."""
        number, total = np.zeros(len(person)), np.zeros(len(person))
        who, first, end = (np.ascontiguousarray(each, np.int64) for each in (person, since, until))
        _within(self.start, self.at, self.value, who, first, end, number, total)
        return number, total


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
