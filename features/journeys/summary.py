"""All figures of the journeys chosen; exact, whatever is chosen, in one go over the kept arrays."""

import numpy as np

from features import clock
from features.journeys import asking, counts, flows, names, ratings
from features.journeys.asking import Question
from features.journeys.figures import (
    Channel,
    Clock,
    Ending,
    Figures,
    Loop,
    Mean,
    Move,
    Path,
    Stall,
    StepCount,
    Totals,
)
from features.journeys.layout import Layout
from features.journeys.names import Shown
from features.journeys.periods import Periods
from features.journeys.zones import offsets

#: Rows of a table; how many steps of a path tell it from others; and how many paths are told apart.
LISTED, DEPTH, PATHS = 24, 4, 12
_ENDINGS: tuple[Ending, ...] = ("goal", "quiet", "open")


def figures(layout: Layout, question: Question = Question()) -> Figures:
    """Raises ValueError where the question asks for what is not known."""
    mask = asking.masks(layout)
    return _Counting(layout, asking.chosen(layout, question, mask), mask).figures()


class _Counting:
    """What several figures need is computed once."""

    def __init__(self, layout: Layout, chosen: np.ndarray, mask: np.ndarray) -> None:
        self.layout, self.traced, self.chosen, self.mask = layout, layout.traced, chosen, mask
        self.over, self.rows = layout.over, np.flatnonzero(chosen)
        started = layout.started
        self.began = started[self.rows]
        self.periods = Periods.of(started, chosen, self.over, layout.known_until)
        self.taken = np.zeros((len(layout.steps), 3), np.int64)
        self.taken_by_month = np.zeros((self.periods.count + 1, len(layout.steps)), np.int64)
        t = self.traced
        counts.popular(t.first, t.code, t.customer, chosen, self.periods.period, self.taken, self.taken_by_month)
        self.shown = names.shown(layout.steps, self.taken[:, 0], LISTED)
        self._rate()

    def _rate(self) -> None:
        """Steps with ratings: which, of which journey, the ratings' sum and how many; usually few."""
        t = self.traced
        journey = np.searchsorted(t.first, t.rated, "right") - 1
        picked = np.flatnonzero(self.chosen[journey])
        self.rated_steps, self.rated_journey = t.rated[picked], journey[picked]
        self.satisfaction, self.ratings = t.satisfaction[picked], t.ratings[picked]

    def means(self, group: np.ndarray, groups: int) -> list[Mean]:
        """Of the rated steps by their group, -1 where it belongs to none."""
        told = group >= 0
        customer = self.traced.customer[self.rated_journey[told]]
        return ratings.means(group[told], customer, self.satisfaction[told], self.ratings[told], groups)

    def figures(self) -> Figures:
        layout, t = self.layout, self.traced
        months, listed = self.periods.count + 1, asking.channels(layout)
        totals = np.zeros((months, 7), np.int64)
        channels, breadth = np.zeros((months, len(listed)), np.int64), np.zeros((months, len(listed) + 1), np.int64)
        to_goal = np.zeros(counts.BUCKETS, np.int64)
        counts.periods(
            t.first, t.at, t.customer, t.reached, self.over, self.chosen, self.periods.period, self.mask, totals,
            channels, breadth, to_goal,
        )  # fmt: skip
        month = self.periods.period[self.rated_journey]
        totals[:, 6] = np.bincount(month, self.ratings, months)
        paths, other = self.paths()
        stalls, loops, moves, looping = self.moves()
        return Figures(
            totals=self.totals(totals, to_goal),
            first_steps=flows.count(layout, self.chosen, "first"),
            before_goal=flows.count(layout, self.chosen, "goal"),
            before_leaving=flows.count(layout, self.chosen, "leaving"),
            paths=paths,
            other_paths=other,
            steps=self.steps(totals[:, 0]),
            stalls=stalls,
            loops=loops,
            moves=moves,
            looping=looping,
            months=self.periods.months(totals, np.bincount(month, self.satisfaction, months)),
            trend=self.periods.trend(totals, self.lately()),
            channels=[
                Channel(
                    channel=name,
                    journeys=int(channels[:, k].sum()),
                    share=float(channels[:, k].sum() / max(1, len(self.rows))),
                    months=channels[1:, k].tolist(),
                    change=self.periods.shift(channels[:, k], totals[:, 0]),
                )
                for k, name in sorted(enumerate(listed), key=lambda each: (-channels[:, each[0]].sum(), each[1]))
                if channels[:, k].any()
            ],
            breadth=breadth.sum(axis=0).tolist(),
            clock=self.clock(),
        )

    def lately(self) -> tuple[Mean, Mean]:
        """Satisfaction before and lately, by when the journey began."""
        before, lately = self.means(self.periods.stretch()[self.periods.period[self.rated_journey]], 2)
        return before, lately

    def totals(self, months: np.ndarray, to_goal: np.ndarray) -> Totals:
        """Of everything chosen."""
        t, began = self.traced, self.began
        whole = months.sum(axis=0).tolist()
        reached = t.customer[self.chosen & t.reached]
        return Totals(
            journeys=whole[0],
            customers=flows.distinct(t.customer[self.rows]),
            reached=whole[2],
            over=whole[3],
            customers_reached=flows.distinct(reached),
            steps=whole[4],
            satisfaction=self.means(np.zeros(len(self.rated_steps), np.int64), 1)[0],
            seconds_to_goal=quantile(to_goal, 0.5),
            first=clock.isoformat(int(began.min())) if len(began) else None,
            last=clock.isoformat(int(began.max())) if len(began) else None,
        )

    def steps(self, journeys: np.ndarray) -> list[StepCount]:
        """The steps taken most."""
        own = self.layout.own()
        means = self.means(self.shown.place[self.traced.code[self.rated_steps]], self.shown.other + 1)
        return [
            StepCount(
                step=self.shown.names[place],
                key=self.shown.keys[place],
                own=bool(own[code]),
                steps=int(self.taken[code, 0]),
                journeys=int(self.taken[code, 1]),
                customers=int(self.taken[code, 2]),
                satisfaction=means[place],
                change=self.periods.shift(self.taken_by_month[:, code], journeys),
            )
            for place, code in enumerate(self.shown.codes)
        ]

    def paths(self) -> tuple[list[Path], int]:
        """The commonest ways, and how many journeys took another."""
        t, base = self.traced, self.shown.other + 2
        key = np.empty(self.layout.journeys, np.int64)
        counts.paths(t.first, t.code, t.reached, self.over, self.chosen, self.shown.place, DEPTH, base, key)
        journeys, customers = np.zeros((2, base**DEPTH * 6), np.int32)
        counts.tally(key, t.customer, journeys, customers)
        found = np.flatnonzero(journeys)
        keys = sorted(found[np.argsort(-journeys[found], kind="stable")][: 4 * PATHS].tolist(),
                      key=lambda k: (-journeys[k], self._spelt(k)))[:PATHS]  # fmt: skip
        place = np.full(len(journeys), -1, np.int32)
        place[keys] = np.arange(len(keys))
        of = np.where(key >= 0, place[key], -1)
        months = np.zeros((len(keys), self.periods.count + 1), np.int64)
        np.add.at(months, (of[of >= 0], self.periods.period[of >= 0]), 1)
        rated = of[self.rated_journey]
        means = self.means(rated, len(keys))
        listed = [
            Path(
                steps=self._spelt(k)[0],
                more=bool(k // 3 % 2),
                ending=_ENDINGS[k % 3],
                journeys=int(journeys[k]),
                customers=int(customers[k]),
                satisfaction=means[i],
                months=months[i, 1:].tolist(),
                ratings=self._by_month(rated == i),
                change=self.periods.growth(months[i]),
            )
            for i, k in enumerate(keys)
        ]
        return listed, int(len(self.rows) - sum(path.journeys for path in listed))

    def _spelt(self, k: int) -> tuple[list[str], bool, int]:
        """What a path's number says, by name."""
        base, rest, spelt = self.shown.other + 2, k // 6, []
        for _ in range(DEPTH):
            rest, digit = divmod(rest, base)
            if digit:
                spelt.append(self.shown.names[digit - 1])
        return spelt[::-1], bool(k // 3 % 2), k % 3

    def _by_month(self, rows: np.ndarray) -> list[float | None]:
        """Mean ratings of some of the rated steps by the month in which their journey began."""
        month = self.periods.period[self.rated_journey[rows]]
        total = np.bincount(month, self.satisfaction[rows], self.periods.count + 1)
        rated = np.bincount(month, self.ratings[rows], self.periods.count + 1)
        return [float(a / b) if b else None for a, b in zip(total[1:], rated[1:], strict=True)]

    def moves(self) -> tuple[list[Stall], list[Loop], list[Move], int]:
        """Where journeys go on, stop, and turn round."""
        t, shown = self.traced, self.shown
        n = shown.other + 1
        visits, back, pairs = np.zeros((n, 5), np.int64), np.zeros(n + 1, np.int64), np.zeros((n, n), np.int64)
        times, loops = np.zeros((n, counts.BUCKETS), np.int64), np.zeros((n, n), np.int64)
        own = self.layout.own()
        counts.moves(t.first, t.at, t.code, t.reached, self.over, self.chosen, own, shown.place, visits, pairs, times,
                     back, loops)  # fmt: skip
        stalls = [
            Stall(
                step=shown.names[i],
                key=shown.keys[i],
                own=bool(own[code]),
                visits=int(visits[i, 0]),
                moved=int(visits[i, 1]),
                goal=int(visits[i, 2]),
                quiet=int(visits[i, 3]),
                open=int(visits[i, 4]),
                stuck=_share(visits[i, 3], visits[i, 1] + visits[i, 3]),
                median_seconds=quantile(times[i], 0.5),
                slow_seconds=quantile(times[i], 0.9),
                returns=int(back[i]),
            )
            for i, code in enumerate(shown.codes)
        ]
        there = [Loop(step=shown.names[a], over=shown.names[b], times=c) for a, b, c in _largest(loops, shown)]
        onward = [Move(source=shown.names[a], target=shown.names[b], times=c) for a, b, c in _largest(pairs, shown)]
        return stalls, there, onward, int(back[n])

    def clock(self) -> Clock:
        """When customers do what they do."""
        t = self.traced
        utc, local = np.zeros(7 * 24, np.int64), np.zeros(7 * 24, np.int64)
        span = (int(t.at.min()), int(t.at.max()) + 1) if len(t.at) else (0, 0)
        counts.hours(t.first, t.at, t.code, t.customer, self.chosen, self.layout.own(), self.layout.zone,
                     *offsets(self.layout.zones, *span), utc, local)  # fmt: skip
        return Clock(
            utc=utc.reshape(7, 24).tolist(),
            local=local.reshape(7, 24).tolist(),
            zones=flows.distinct(np.sort(self.layout.zone)),
        )


def quantile(times: np.ndarray, share: float) -> float | None:
    """Seconds, from counts by bucket: the middle (of logarithms) of the bucket that holds it, within 3 %."""
    total = int(times.sum())
    if not total:
        return None
    edges = counts.bucket_edges()
    k = int(np.searchsorted(np.cumsum(times), max(1, int(np.ceil(share * total)))))
    return float(edges[k + 1] if k == 0 else np.sqrt(edges[k] * edges[k + 1]))


def _largest(table: np.ndarray, shown: Shown) -> list[tuple[int, int, int]]:
    """Cells between steps that are shown by name, the largest first."""
    cells = [(a, b) for a, b in np.argwhere(table).tolist() if shown.other not in (a, b)]
    cells.sort(key=lambda cell: (-table[cell], shown.keys[cell[0]], shown.keys[cell[1]]))
    return [(a, b, int(table[a, b])) for a, b in cells[:PATHS]]


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
