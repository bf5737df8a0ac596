"""Contacts that were made, as the guard counts them."""

import numpy as np

from features import clock
from features.interactions import CHANNELS, PRESSURE
from features.simulate import events as ev
from features.simulate.actions import CHANNEL_OF, TREATMENTS
from features.simulate.events import Events
from serving.decisions.many import Board
from serving.decisions.many.board import ACTION, CHANNEL, GROUP, ISSUE
from serving.decisions.many.crowd import Contacts

#: What a contact by each treatment adds to pressure.
WEIGHT_OF = np.array([PRESSURE[CHANNELS[c]] for c in CHANNEL_OF])


class Made:
    """Contacts of every customer since the log began, for the guard."""

    def __init__(self, customers: int) -> None:
        self.day = -1
        self.start = np.zeros(customers + 1, np.int64)
        self.days, self.treatments = np.zeros(0, np.int32), np.zeros(0, np.int16)
        self.waiting: list[Events] = []

    def copy(self) -> "Made":
        other = object.__new__(Made)
        other.__dict__ |= self.__dict__
        other.waiting = list(self.waiting)
        return other

    def add(self, news: Events, day: int) -> None:
        if day > self.day:
            self.day = day
            self.waiting.append(news.rows(news.kind == ev.CONTACT))

    def of(self, rows: np.ndarray, by: Board, start: int) -> Contacts:
        """Those of these customers, in order."""
        self._settle()
        lo, hi = self.start[rows], self.start[rows + 1]
        sizes = hi - lo
        edges = np.concatenate([[0], np.cumsum(sizes)])
        which = np.repeat(lo - edges[:-1], sizes) + np.arange(edges[-1])
        treatment = self.treatments[which].astype(np.int64)
        at = start + self.days[which].astype(np.int64) * clock.DAY + 10 * clock.HOUR
        codes, table = by.codes, np.zeros((len(TREATMENTS), 4), np.int64)
        named = {action.name: action for action in by.actions}
        for t, (name, channel) in enumerate(TREATMENTS):
            action = named[name]
            table[t] = (
                codes[CHANNEL].get(channel, -1), codes[ISSUE].get(action.issue, -1), codes[GROUP].get(action.group, -1),
                codes[ACTION].get(name, -1),
            )  # fmt: skip
        weigh = by.playbook.policy.pressure
        weight = np.array([0.0 if weigh is None else weigh.weight(channel) for _, channel in TREATMENTS])
        position = np.array([by.channels.index(channel) for _, channel in TREATMENTS])
        return Contacts(
            start=edges,
            at=at,
            held=np.zeros(len(at), np.bool_),
            respond_by=at + 7 * clock.DAY,
            names=table[treatment],
            tag_start=np.zeros(len(at) + 1, np.int64),
            tags=np.zeros(0, np.int64),
            channel=position[treatment],
            weight=weight[treatment],
            days=np.zeros((len(at), 3), np.int64),
        )

    def _settle(self) -> None:
        if not self.waiting:
            return
        n = len(self.start) - 1
        owner = np.concatenate([np.repeat(np.arange(n), np.diff(self.start)), *(e.customer for e in self.waiting)])
        days = np.concatenate([self.days, *(e.day for e in self.waiting)])
        treatments = np.concatenate([self.treatments, *(e.treatment for e in self.waiting)])
        self.waiting = []
        order = np.argsort(owner, kind="stable")
        self.days, self.treatments = days[order], treatments[order]
        self.start = np.searchsorted(owner[order], np.arange(n + 1))
