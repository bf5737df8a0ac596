"""What a company knows of its customers, day after day: the market's news as the kernel's records, and features.

Customer i belongs to cohort i % cohorts. A cohort's news waits until somebody asks about the cohort, so that a day
costs as much as those who are decided about on it. The features are those of `features.batch.compute` over the same
rows (a test says so); only the way into the kernel's records is shorter than over Arrow.
"""

from functools import cache

import numpy as np

from features import clock
from features.arrange import arrange
from features.catalogue import Catalogue
from features.interactions import CHANNELS
from features.kernel.facts import NO_FACTS
from features.kernel.jit import compiled
from features.kernel.records import EXTRAS, RECEIVED
from features.simulate import events as ev
from features.simulate.events import KINDS, TOPICS, Events, put, room, together
from features.simulate.log import interactions
from features.vocabulary import Vocabulary
from features.workspace import Settings
from training.market.catalogue import CATALOGUE

_AT, _VALUE, _ID, _KEY = range(4)


class Ledger:
    """Records of n customers. `add` the news of each day; `features` as of a morning, of one cohort."""

    def __init__(self, customers: int, cohorts: int, start: int, catalogue: Catalogue = CATALOGUE) -> None:
        self.customers, self.cohorts, self.start = customers, cohorts, start
        self.catalogue = catalogue
        self.vocabulary, self._keys = _words(start)
        self.compiled = catalogue.compile(self.vocabulary, Settings())
        self.day = -1  # the last one that was added
        self._waiting: list[list[Events]] = [[] for _ in range(cohorts)]
        sizes = [len(range(c, customers, cohorts)) for c in range(cohorts)]
        self._edges = [np.zeros(size + 1, np.int64) for size in sizes]
        self._records = [np.empty((0, 4), np.int64) for _ in sizes]
        self._extras = [np.zeros((1, EXTRAS), np.int64) for _ in sizes]

    def copy(self) -> "Ledger":
        """To go on differently: arrays are shared, for none is ever changed."""
        other = object.__new__(Ledger)
        other.__dict__ |= self.__dict__
        other._waiting = [list(parts) for parts in self._waiting]
        for name in ("_edges", "_records", "_extras"):
            setattr(other, name, list(getattr(self, name)))
        return other

    def members(self, cohort: int) -> np.ndarray:
        """int64: the customers of a cohort."""
        return np.arange(cohort, self.customers, self.cohorts)

    def add(self, news: Events, day: int) -> None:
        """What happened on a day; nothing where that day is known already."""
        if day <= self.day:
            return
        self.day = day
        cohort = news.customer % self.cohorts
        for c in range(self.cohorts):
            rows = news.rows(cohort == c)
            if len(rows.customer):
                self._waiting[c].append(rows)

    def features(self, cohort: int, now: int) -> np.ndarray:
        """float64[members, features] of a cohort as of `now` (microseconds); NaN is null."""
        return self.features_of(self.members(cohort), now)

    def features_of(self, customers: np.ndarray, now: int) -> np.ndarray:
        """The same of any customers, float64[customers, features]."""
        values = np.empty((len(self.catalogue), len(customers)))
        present = np.ones(EXTRAS, bool)
        present[RECEIVED] = False
        cohort = customers % self.cohorts
        for c in np.unique(cohort):
            self._settle(c)
            which = np.flatnonzero(cohort == c)
            place = customers[which] // self.cohorts
            rows = np.zeros((len(which), 6), np.int64)
            rows[:, 0], rows[:, 1] = self._edges[c][place], self._edges[c][place + 1]
            rows[:, 2], rows[:, 3] = now, which
            self.compiled.kernel.run_log(
                self._records[c], self._extras[c], present, NO_FACTS, self.compiled.packed, rows, values
            )
        return values.T

    def _settle(self, cohort: int) -> None:
        """Puts what waits behind each customer's older rows."""
        if not self._waiting[cohort]:
            return
        news = together(self._waiting[cohort])
        self._waiting[cohort] = []
        second = news.day.astype(np.int64) * 86_400 + news.second
        news = news.rows(np.lexsort((news.number, second, news.customer)))
        fresh, extras = self._as_records(news, len(self._extras[cohort]))
        owner = news.customer.astype(np.int64) // self.cohorts
        old = self._records[cohort]
        merged = np.empty((len(old) + len(fresh), 4), np.int64)
        edges = np.empty_like(self._edges[cohort])
        _merge(old, self._edges[cohort], fresh, owner, merged, edges)
        self._records[cohort], self._edges[cohort] = merged, edges
        self._extras[cohort] = np.concatenate([self._extras[cohort], extras])

    def _as_records(self, news: Events, used: int) -> tuple[np.ndarray, np.ndarray]:
        n = len(news.customer)
        records = np.empty((n, 4), np.int64)
        at = self.start + news.day.astype(np.int64) * clock.DAY + news.second * np.int64(1_000_000)
        records[:, _AT] = at
        records[:, _VALUE] = np.round(news.value.astype(np.float64), 2).view(np.int64)
        records[:, _ID] = (news.day.astype(np.int64) << 8) | news.number
        few = ~np.isnan(news.satisfaction) | ~np.isnan(news.saved) | (news.case != 0)
        extras = np.zeros((int(few.sum()), EXTRAS), np.int64)
        extras[:, 0] = at[few]
        extras[:, 1] = np.round(news.satisfaction[few].astype(np.float64), 2).view(np.int64)
        extras[:, 2] = np.where(news.case[few] == 0, 0, news.customer[few] * np.int64(1000) + news.case[few])
        extras[:, 3] = np.round(news.saved[few].astype(np.float64), 2).view(np.int64)
        extra = np.zeros(n, np.int64)
        extra[few] = used + np.arange(len(extras))
        keys = self._keys[news.kind, news.channel, news.topic, (news.decided >= 0).astype(np.int64)]
        records[:, _KEY] = (keys.astype(np.int64) << 32) | extra
        return records, extras


@compiled
def _merge(old: np.ndarray, start: np.ndarray, fresh: np.ndarray, owner: np.ndarray, out: np.ndarray,
           edges: np.ndarray) -> None:  # fmt: skip
    """Each customer's old rows, then their new ones; `owner` rises."""
    place, k = 0, 0
    for i in range(edges.shape[0] - 1):
        edges[i] = place
        for row in range(start[i], start[i + 1]):
            out[place] = old[row]
            place += 1
        while k < fresh.shape[0] and owner[k] == i:
            out[place] = fresh[k]
            place, k = place + 1, k + 1
    edges[-1] = place


@cache
def _words(start: int) -> tuple[Vocabulary, np.ndarray]:
    """All words of the market; int64[kinds, channels, topics, own or not], the kernel's keys."""
    shape = (len(KINDS), len(CHANNELS), len(TOPICS), 2)
    rows = room(int(np.prod(shape)))
    for k, (kind, channel, topic, own) in enumerate(np.ndindex(*shape)):
        put(rows, k, k, 0, 0, kind, channel, 0)
        rows.topic[k] = topic
        if own:
            ev.tied(rows, k, 0, 0)
    vocabulary = Vocabulary()
    log = arrange(interactions(rows, start), vocabulary)
    return vocabulary, (log.records[:, _KEY] >> 32).reshape(shape)
