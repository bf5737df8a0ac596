"""The simulated market as what fatigue is learned from, with the true chance that each contact ends in an opt-out."""

import numpy as np

from features.clock import DAY
from features.interactions import CHANNELS, PRESSURE
from features.simulate import events as ev
from features.simulate.actions import CHANNEL_OF, TREATMENTS
from features.simulate.policy import SILENCE
from training.fatigue.harm import Pressure
from training.fatigue.trials import Decided, Events, Happened

WEIGHTS = np.array([PRESSURE[name] for name in CHANNELS])
REACHED = np.unique(CHANNEL_OF)
_TO = np.eye(len(CHANNELS), dtype=np.float32)[CHANNEL_OF]
_KEPT = (ev.CONTACT, ev.PURCHASE, ev.OPTED, ev.COMPLAINED)


def pressure():
    return Pressure(CHANNELS, WEIGHTS, 0.25, 54 * DAY)


class Book:
    """A policy, played through this, leaves its decisions here: `market.run(days, book.of(policy), book.lived)`."""

    def __init__(self, market):
        self.market, self.made, self.truth, self.events = market, [], [], []

    def of(self, policy):
        self.policy, self.name = policy, policy.name
        return self

    def decide(self, view):
        """Before the day: who would opt out of each channel because of a contact."""
        choice = self.policy.decide(view)
        p, traits, state = self.market.parameters, self.market.traits, self.market.state
        rows = np.flatnonzero(view.known if choice.considered is None else view.known & choice.considered)
        load = state.load[rows] * np.exp(-(view.day - state.loaded[rows]) / p.memory)[:, None]
        straight, squares = load.sum(axis=1), (load**2).sum(axis=1)
        x = (straight + p.mixing * (straight**2 - squares)) / traits.tolerance[rows]
        leaves = np.array(p.opts_out) * ((1 + 2 * traits.dog[rows]) * (1 + p.steep * x**2))[:, None]
        leaves = np.minimum(0.5, leaves) * (state.gone[rows] > view.day)[:, None]
        self.truth.append(leaves)
        return choice

    def decided_today(self, day):
        self.lived(day)
        rows, choice = day.considered, day.choice
        made = day.made[rows]
        channel = np.where(made == SILENCE, -1, CHANNEL_OF[made]).astype(np.int16)
        at = np.full(len(rows), day.view.day * DAY + 9 * DAY // 24, np.int64)
        chance = choice.distribution[rows]
        level = np.ones(len(rows), np.float32) if choice.level is None else choice.level[rows]
        self.made.append((rows.astype(np.int64), at, channel, chance[:, : len(TREATMENTS)] @ _TO, chance[:, -1], level))

    def lived(self, day):
        self.events.append(day.news.rows(np.isin(day.news.kind, _KEPT)).copy())

    def decided(self):
        """Decisions, and the true chance to opt out because of a contact float64[n, C], in the same order."""
        columns = [np.concatenate(column) for column in zip(*self.made, strict=True)]
        truth = np.concatenate(self.truth)
        order = np.lexsort((columns[1], columns[0]))
        return Decided.of(CHANNELS, *columns), truth[order]

    def happened(self):
        rows = ev.together(self.events)
        at = (rows.day.astype(np.int64) * 86_400 + rows.second) * 1_000_000

        def of(kind):
            mine = np.flatnonzero(rows.kind == kind)
            return Events.of(rows.customer[mine], at[mine], rows.channel[mine], np.nan_to_num(rows.value[mine]))

        return Happened(of(ev.CONTACT), of(ev.OPTED), of(ev.COMPLAINED), of(ev.PURCHASE), self.market.day * DAY)


def block(of, low, high):
    """What belongs to customers low to high (excluded), of Decided with truth, or of Happened."""
    if isinstance(of, Happened):

        def events(some):
            rows = slice(*np.searchsorted(some.who, (low, high)))
            return Events(*(column[rows] for column in vars(some).values()))

        parts = (events(getattr(of, name)) for name in ("contacts", "opted_out", "complained", "purchases"))
        return Happened(*parts, of.until)
    decided, truth = of
    rows = slice(*np.searchsorted(decided.who, (low, high)))
    columns = (column[rows] for name, column in vars(decided).items() if name != "channels")
    return Decided(decided.channels, *columns), truth[rows]
