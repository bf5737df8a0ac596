"""What fatigue is learned from, as arrays: outbound decisions with the chance of a contact, and what came after.

A trial is a decision in which chance chose between contacts and silence; a ghost counts as silence. Effects are read
off what happened to contacted and silent customers alike, never through a `decision_id`:

    opted out    of a channel, until the customer's next decision and `soon` after this one at the most
    complained   likewise

Both are known of a trial where `soon` after it was over when history ends. Whether the next decision came before says
nothing: a customer who opted out may have none. What becomes of spending takes longer; spending.py reads it off the
purchases.
"""

from dataclasses import dataclass, replace

import numpy as np

from features.clock import DAY
from training.fatigue import fading

#: No channel: nobody was contacted.
SILENCE = -1


@dataclass(frozen=True)
class Events:
    """In order of customer and time, [k] each: whose (a number), when (microseconds), channel, amount of money."""

    who: np.ndarray
    at: np.ndarray
    channel: np.ndarray
    amount: np.ndarray

    @classmethod
    def of(
        cls, who: np.ndarray, at: np.ndarray, channel: np.ndarray | None = None, amount: np.ndarray | None = None
    ) -> "Events":
        """Brought in order."""
        order = np.lexsort((at, who))
        kinds = np.zeros(len(who), np.int16) if channel is None else channel
        money = np.ones(len(who)) if amount is None else amount
        return cls(who[order].astype(np.int64), at[order].astype(np.int64), kinds[order].astype(np.int16),
                   money[order].astype(np.float64))  # fmt: skip

    def __len__(self) -> int:
        return len(self.who)

    def rows(self, chosen: np.ndarray) -> "Events":
        """Some of them, in the old order."""
        return Events(*(column[chosen] for column in vars(self).values()))


@dataclass(frozen=True)
class Clock:
    """The stated times, in microseconds: how soon opt-outs and complaints follow; the half-lives of what a contact
    sells, of the activity that it costs, and of contact pressure."""

    soon: int = 14 * DAY
    sale: int = 4 * DAY
    half_life: int = 60 * DAY
    pressure: int = 54 * DAY


@dataclass(frozen=True)
class Trials:
    """In order of customer and time, [n] each, over `channels` [C].

    made: int16, a channel or SILENCE; chance: float32[n, C] of a contact on each channel; silent: float32, of none;
    level: float32, the factor on caps that the customer lives under (1: none); pressure: float32 just before;
    opted_out: bool[n, C]; complained: bool; past: float64[n, p], what the customer spent a day before, fading;
    known: bool, whether opt-outs and complaints after it would be in the log.
    """

    channels: tuple[str, ...]
    who: np.ndarray
    at: np.ndarray
    made: np.ndarray
    chance: np.ndarray
    silent: np.ndarray
    level: np.ndarray
    pressure: np.ndarray
    opted_out: np.ndarray
    complained: np.ndarray
    past: np.ndarray
    known: np.ndarray

    def __len__(self) -> int:
        return len(self.who)

    def rows(self, chosen: np.ndarray) -> "Trials":
        """Some of them, in the old order."""
        columns = {
            name: value[chosen]
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray) and len(value) == len(self)
        }
        return replace(self, **columns)


@dataclass(frozen=True)
class Decided:
    """Decisions before anything came of them, [n] each, in order of customer and time; see Trials."""

    channels: tuple[str, ...]
    who: np.ndarray
    at: np.ndarray
    made: np.ndarray
    chance: np.ndarray
    silent: np.ndarray
    level: np.ndarray

    @classmethod
    def of(cls, channels: tuple[str, ...], who: np.ndarray, at: np.ndarray, *columns: np.ndarray) -> "Decided":
        """Brought in order; `columns` are the rest."""
        order = np.lexsort((at, who))
        return cls(channels, who[order].astype(np.int64), at[order].astype(np.int64),
                   *(column[order] for column in columns))  # fmt: skip

    def rows(self, chosen: np.ndarray) -> "Decided":
        """Some of them: a mask, or positions."""
        return Decided(self.channels, *(column[chosen] for name, column in vars(self).items() if name != "channels"))


@dataclass(frozen=True)
class Happened:
    """Contacts (ours and other tools'), opt-outs, complaints and purchases; `until`: until when history knows what
    customers did, which is when the newest interaction came in (an outcome is one). Decisions may run past it."""

    contacts: Events
    opted_out: Events
    complained: Events
    purchases: Events
    until: int


def trials(decided: Decided, happened: Happened, weights: np.ndarray, clock: Clock) -> Trials:
    """What came of each decision. `weights` [C]: how much of the tolerable load one contact is, by channel."""
    who, at = decided.who, decided.at
    contacts, bought = happened.contacts, happened.purchases
    pressure = fading.before(
        contacts.who, contacts.at, weights[contacts.channel].astype(np.float64), who, at, float(clock.pressure)
    )
    opted = np.zeros((len(who), len(decided.channels)), bool)
    rows, found = _decision_of(happened.opted_out, who, at, clock.soon)
    opted[rows, happened.opted_out.channel[found]] = True
    complained = np.zeros(len(who), bool)
    complained[_decision_of(happened.complained, who, at, clock.soon)[0]] = True
    past = np.column_stack(
        [
            fading.before(bought.who, bought.at, bought.amount, who, at, float(days * DAY)) / days
            for days in (14, 60, 240)
        ]
    )
    return Trials(
        decided.channels, who, at, decided.made, decided.chance, decided.silent, decided.level,
        pressure.astype(np.float32), opted, complained, past, at + clock.soon <= happened.until,
    )  # fmt: skip


def for_later(decided: Decided, happened: Happened, soon: int) -> dict[str, float]:
    """Of opt-outs and complaints that came within `soon` of a contact (an opt-out: on its channel), the share that came
    after a later decision than the last such contact's, and counts for that one; no share of what there is none of."""
    made, out = decided.made, happened.opted_out
    channels = np.unique(made[made != SILENCE]).tolist()
    later = {
        "opt-out": [_later(out.rows(out.channel == c), decided, np.flatnonzero(made == c), soon) for c in channels],
        "complaint": [_later(happened.complained, decided, np.flatnonzero(made != SILENCE), soon)],
    }
    return {name: float(np.concatenate(each).mean()) for name, each in later.items() if any(map(len, each))}


def _later(events: Events, decided: Decided, contacts: np.ndarray, soon: int) -> np.ndarray:
    """bool[k]: of events within `soon` of one of the decisions `contacts`, whether another decision came between."""
    contact, event = _decision_of(events, decided.who[contacts], decided.at[contacts], soon)
    last, of = _decision_of(events, decided.who, decided.at, soon)
    return np.asarray(last[np.searchsorted(of, event)] != contacts[contact], bool)


def _decision_of(events: Events, who: np.ndarray, at: np.ndarray, soon: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the customer's last decision by each event, and of the event, where that was `soon` before it."""
    if not len(events) or not len(who):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # searched by rank among all instants: customer and time together would not fit one number
    instants, rank = np.unique(np.concatenate([at, events.at]), return_inverse=True)
    span = len(instants)
    keys, asked = who * span + rank[: len(at)], events.who * span + rank[len(at) :]
    row = np.searchsorted(keys, asked, side="right") - 1
    near = (row >= 0) & (who[row] == events.who) & (events.at - at[row] < soon)
    return row[near], np.flatnonzero(near)
