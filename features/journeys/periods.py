"""Months in which journeys began, and what changed: the last settled months against as many before them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from features.clock import DAY
from features.journeys.figures import Mean, Month, Stretch

#: Months that are shown; what began before them is in no month, but in all totals.
MOST = 36
#: A change lately is that of so many months, fewer where the log is short.
LATELY = 3
#: Of the journeys of a settled month so many are over.
SETTLED = 0.95
#: Journeys before, below which a change says nothing.
FEWEST = 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Periods:
    """period[journey] is 1 for the first of `count` months, 0 for what began earlier; `whole` as in Month.

    A month is settled where it is whole and nineteen of twenty journeys that began in it are over: those that still go
    on have had too little time to be compared with others.
    """

    period: np.ndarray
    labels: tuple[str, ...]
    whole: tuple[bool, ...]
    settled: tuple[bool, ...]

    @classmethod
    def of(cls, started: np.ndarray, chosen: np.ndarray, over: np.ndarray, known_until: int) -> "Periods":
        """Of the months in which the journeys chosen (bool) began; `started` int64 microseconds.

        A month is whole where journeys (of anybody) began by its second day and the log reaches its last one.
        """
        began = started[chosen]
        if not len(began):
            return cls(np.zeros(len(started), np.int64), (), (), ())
        last = _month(int(began.max()))
        labels = [last]
        while len(labels) < MOST and _begin(labels[-1]) > began.min():
            labels.append(_month(_begin(labels[-1]) - 1))
        labels.reverse()
        edges = np.array([_begin(label) for label in labels], np.int64)
        ends = [*edges[1:].tolist(), _begin(_after(last))]
        earliest = int(started.min())
        whole = tuple(
            earliest <= begin + DAY and known_until >= end - DAY for begin, end in zip(edges, ends, strict=True)
        )
        period = np.searchsorted(edges, started, "right")
        journeys, ended = (np.bincount(period[which], minlength=len(edges) + 1) for which in (chosen, chosen & over))
        settled = tuple(done and bool(ended[k] >= SETTLED * journeys[k]) for k, done in enumerate(whole, 1))
        return cls(period, tuple(labels), whole, settled)

    @property
    def count(self) -> int:
        return len(self.labels)

    @property
    def span(self) -> tuple[slice, slice] | None:
        """Where the last settled months and as many before them stand in arrays by period; None where too few are."""
        last = max((k for k, settled in enumerate(self.settled, 1) if settled), default=0)
        first = min((k for k, settled in enumerate(self.settled, 1) if settled), default=1)
        n = min(LATELY, (last + 1 - first) // 2)
        return (slice(last + 1 - n, last + 1), slice(last + 1 - 2 * n, last + 1 - n)) if n else None

    def trend(self, totals: np.ndarray, ratings: tuple[Mean, Mean]) -> tuple[Stretch, Stretch] | None:
        """Before and lately, from totals as counts.periods fills them (ratings last) and ratings by `stretch`."""
        span = self.span
        if span is None:
            return None
        found = []
        for where, mean in zip(span[::-1], ratings, strict=True):
            journeys, _, reached, over, _, channels, _ = totals[where].sum(axis=0).tolist()
            months = self.labels[where.start - 1 : where.stop - 1]
            found.append(
                Stretch(
                    months=list(months),
                    journeys=journeys / len(months),
                    reached=reached / over if over else None,
                    channels=channels / max(1, journeys),
                    satisfaction=mean,
                )
            )
        return found[0], found[1]

    def stretch(self) -> np.ndarray:
        """int64[count + 1], by period: 0 before, 1 lately, -1 neither."""
        found = np.full(self.count + 1, -1, np.int64)
        for value, where in enumerate((self.span or ())[::-1]):
            found[where] = value
        return found

    def shift(self, part: np.ndarray, whole: np.ndarray) -> float | None:
        """By how much part/whole (by period) changed."""
        span = self.span
        if span is None or min(whole[each].sum() for each in span) < FEWEST:
            return None
        now, before = (part[each].sum() / whole[each].sum() for each in span)
        return float(now - before)

    def growth(self, part: np.ndarray) -> float | None:
        """By what share of what it was it grew."""
        span = self.span
        if span is None or part[span[1]].sum() < FEWEST:
            return None
        return float(part[span[0]].sum() / part[span[1]].sum() - 1)

    def months(self, totals: np.ndarray, ratings: np.ndarray) -> list[Month]:
        """From totals as counts.periods fills them, the number of ratings last, and the ratings' sums."""
        return [
            Month(
                month=label,
                whole=whole,
                journeys=row[0],
                customers=row[1],
                reached=row[2],
                over=row[3],
                steps=row[4],
                channels=row[5],
                ratings=row[6],
                rating=float(total / row[6]) if row[6] else None,
            )
            for label, whole, row, total in zip(self.labels, self.whole, totals[1:].tolist(), ratings[1:], strict=True)
        ]


def _month(micros: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=micros):%Y-%m}"


def _begin(label: str) -> int:
    return (datetime.fromisoformat(f"{label}-01").replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def _after(label: str) -> str:
    return _month(_begin(label) + 32 * DAY)
