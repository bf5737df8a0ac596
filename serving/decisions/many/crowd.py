"""What the guard knows of n customers, as arrays; packed from customers as a store reads them, or laid out by hand."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from serving.decisions.arms import Arms
from serving.decisions.arms import arms as arms_of
from serving.decisions.customer import Customer
from serving.decisions.guard import consent, rests, signals
from serving.decisions.guard.calendar import Calendar
from serving.decisions.guard.caps import local_day
from serving.decisions.guard.guard import Guard, calendar_of
from serving.decisions.guard.standing import Standing, standing
from serving.decisions.many.board import ACTION as BY_ACTION
from serving.decisions.many.board import CHANNEL as BY_CHANNEL
from serving.decisions.many.board import GROUP, ISSUE, ROLLING, TAG, Board

#: Bits of `shut`: all is refused; what sells; what is not exempt; what quiet hours bind; what calendar caps bind.
ALL, SALES, PAUSED, QUIET, NO_CALENDAR = 1, 2, 4, 8, 16
NEVER = -(2**62)


@dataclass(frozen=True)
class Contacts:
    """Every contact that counts, customer after customer: those of customer i are `start[i]:start[i + 1]`.

    `at` when it was made, or now where it is reserved (`held`); `respond_by` when silence is no response; int64
    microseconds. `names` int64[c, 4]: codes of the board for channel, issue, group, action (-1: no cap counts it);
    `tags[tag_start[k]:tag_start[k + 1]]` those of its tags, each once. `channel` is its position in
    `board.channels` (-1: none of them), `weight` what it weighs. `days` int64[c, 3]: the local day, week and month it
    counts in; only where a cap asks for them. `counted` is its position among the channels that a model of harm counts
    contacts by (-1: none of them); only where one does.
    """

    start: np.ndarray
    at: np.ndarray
    held: np.ndarray
    respond_by: np.ndarray
    names: np.ndarray
    tag_start: np.ndarray
    tags: np.ndarray
    channel: np.ndarray
    weight: np.ndarray
    days: np.ndarray
    counted: np.ndarray | None = None


@dataclass(frozen=True)
class Crowd:
    """Row i is a customer at `now[i]` (microseconds). `shut` are bits; `factor` scales caps and pressure.

    `open` bool[n, consents]: what they may be told. `barred` bool[n, actions]: a cool-down, a ghost, a signal that may
    not be shown, a volume given out. `answered` int64[n, channels]: the newest reaction, NEVER without. `today`
    int64[n, 3] as in Contacts. `arms` are theirs, one for each.
    """

    now: np.ndarray
    shut: np.ndarray
    factor: np.ndarray
    open: np.ndarray
    barred: np.ndarray
    answered: np.ndarray
    today: np.ndarray
    contacts: Contacts
    arms: Sequence[Arms] = field(default=())

    def __len__(self) -> int:
        return len(self.now)

    @classmethod
    def packed(
        cls,
        customers: Sequence[Customer],
        board: Board,
        now: Sequence[int],
        spent: Sequence[Collection[str]] = (),
        arms: Sequence[Arms] = (),
        counted: Sequence[str] = (),
    ) -> "Crowd":
        """`spent`: actions whose volume is given out, for each customer; `arms` where they are not as by the policy;
        `counted`: the channels that a model of harm counts contacts by."""
        packer = _Packer(board, len(customers), counted)
        arms = arms or [arms_of(customer.arm_id, board.playbook.policy) for customer in customers]
        for i, (customer, at) in enumerate(zip(customers, now, strict=True)):
            packer.add(i, customer, at, arms[i].factor, spent[i] if spent else ())
        return packer.crowd(now, arms)


class _Packer:
    def __init__(self, board: Board, n: int, counted: Sequence[str] = ()) -> None:
        self.board, self.playbook, self.policy = board, board.playbook, board.playbook.policy
        self.shut, self.factor = np.zeros(n, np.int64), np.ones(n)
        self.open = np.empty((n, len(board.consents)), np.bool_)
        self.barred = np.zeros((n, len(board.actions)), np.bool_)
        self.answered = np.full((n, len(board.channels)), NEVER, np.int64)
        self.today = np.zeros(n, np.int64)
        self.start = [0]
        self.rows: list[tuple[int, bool, int, int, int, int, int, int, float, int]] = []
        self.days: list[int] = []
        self.tag_start, self.tags = [0], list[int]()
        self.of_channel = {channel: k for k, channel in enumerate(board.channels)}
        self.counted = {channel: k for k, channel in enumerate(counted)}
        limits = board.slots.limits
        #: How far back a calendar cap looks; nothing where there is none.
        self.reach = int(max(limits[limits[:, 2] != ROLLING, 1], default=0))
        self.revealing = [(k, action) for k, action in enumerate(board.actions) if action.reveals]
        self.quiet_asked = bool(board.quiet.any())
        self.unsaid = self._consents(Customer(""), 0)
        self.calendars: dict[object, Calendar | None] = {}
        self.rested: dict[tuple[object, ...], bool] = {}

    def add(self, i: int, customer: Customer, now: int, factor: float, spent: Collection[str]) -> None:
        profile, policy = customer.profile, self.policy
        calendar = self._calendar(customer, now) if self.reach or self.quiet_asked else None
        asked = profile.less_often
        if asked is not None and not asked.granted:
            factor = min(factor, 1.0) / policy.cool_down.less_often.factor
        self.factor[i] = factor
        shut = ALL if customer.restricted else 0
        if calendar is None and self.reach:
            shut |= NO_CALENDAR
        if (profile.cases or profile.caseless) and any(rests.open_cases(profile, policy, now)):
            shut |= SALES
        if profile.complained is not None and any(rests.after_complaint(profile, policy.cool_down, now)):
            shut |= SALES
        if profile.paused is not None and now < profile.paused.until:
            shut |= PAUSED
        if self.quiet_asked and self._resting(customer, calendar, now):
            shut |= QUIET
        self.shut[i] = shut
        unsaid = not profile.consent and "consent" not in profile.facts
        self.open[i] = self.unsaid if unsaid else self._consents(customer, now)
        for channel, moment in profile.answered.items():
            if (k := self.of_channel.get(channel)) is not None:
                self.answered[i, k] = moment.at
        self._bar(i, customer, now, spent)
        self._stand(customer, calendar, now)
        if calendar is not None and self.reach:
            self.today[i] = calendar.day(now)

    def crowd(self, now: Sequence[int], arms: Sequence[Arms]) -> Crowd:
        columns = list(zip(*self.rows, strict=True)) or [()] * 10
        at, held, respond_by, channel, issue, group, action, position, weight, counted = columns

        def whole(of: Sequence[int]) -> np.ndarray:
            return np.array(of, np.int64)

        contacts = Contacts(
            start=whole(self.start),
            at=whole(at),
            held=np.array(held, np.bool_),
            respond_by=whole(respond_by),
            names=np.stack([whole(channel), whole(issue), whole(group), whole(action)], axis=1),
            tag_start=whole(self.tag_start),
            tags=whole(self.tags),
            channel=whole(position),
            weight=np.array(weight, np.float64),
            days=periods(whole(self.days)) if self.reach else np.zeros((len(at), 3), np.int64),
            counted=whole(counted),
        )
        return Crowd(
            whole(now), self.shut, self.factor, self.open, self.barred, self.answered, periods(self.today), contacts,
            arms,
        )  # fmt: skip

    def _stand(self, customer: Customer, calendar: Calendar | None, now: int) -> None:
        """Appends the contacts that count, in the order in which the guard weighs them."""
        codes, of_channel, policy = self.board.codes, self.of_channel, self.policy
        for each in standing(customer, self.playbook, now) if customer.contacts or customer.touches else ():
            self.rows.append(
                (
                    each.at,
                    each.held is not None,
                    each.respond_by,
                    codes[BY_CHANNEL].get(each.channel, -1),
                    codes[ISSUE].get(each.issue or "", -1),
                    codes[GROUP].get(each.group or "", -1),
                    codes[BY_ACTION].get(each.action or "", -1),
                    of_channel.get(each.channel, -1),
                    0.0 if policy.pressure is None else policy.pressure.weight(each.channel),
                    self.counted.get(each.channel, -1),
                )
            )
            if self.reach:
                self.days.append(self._day(each, calendar, now))
            if each.tags:
                self.tags += {codes[TAG][tag] for tag in each.tags if tag in codes[TAG]}
            self.tag_start.append(len(self.tags))
        self.start.append(len(self.rows))

    def _day(self, contact: Standing, calendar: Calendar | None, now: int) -> int:
        """0 where it is no matter: too long ago, or nobody knows the customer's calendar."""
        if calendar is None or contact.at < now - self.reach:
            return 0
        return local_day(contact, calendar)

    def _consents(self, customer: Customer, now: int) -> list[bool]:
        rule = self.policy.consent
        return [
            consent.refusal(customer, rule, channel, purpose, now, "outbound") is None
            for channel, purpose in self.board.consents
        ]

    def _bar(self, i: int, customer: Customer, now: int, spent: Collection[str]) -> None:
        profile, actions, rule = customer.profile, self.playbook.actions, self.policy.cool_down
        ghosts = any(contact.state == "ghost" for contact in customer.contacts)
        if profile.rejected or ghosts or spent:
            for k, action in enumerate(self.board.actions):
                self.barred[i, k] = (
                    action.name in spent
                    or any(rests.after_rejection(profile, actions, rule, action, now))
                    or (ghosts and any(rests.withheld(customer, action.name, now)))
                )
        for k, action in self.revealing:
            self.barred[i, k] |= any(
                signals.evidence(customer, signal, self.policy.signals, now).newest_usable_at is None
                for signal in action.reveals
            )

    def _calendar(self, customer: Customer, now: int) -> Calendar | None:
        """One for all customers of a zone: they ask about the same instants."""
        fact = customer.profile.fact("time_zone", now)
        name = None if fact is None or not isinstance(fact.value, str) else fact.value
        if name not in self.calendars:
            self.calendars[name] = calendar_of(customer, self.playbook, now)
        return self.calendars[name]

    def _resting(self, customer: Customer, calendar: Calendar | None, now: int) -> bool:
        """Whether it is quiet where they are: asked once for all who share zone, country and instant."""
        stated = (customer.profile.fact(name, now) for name in ("country", "subdivision"))
        where = (None if fact is None else str(fact.value) for fact in stated)
        key = (None if calendar is None else calendar.zone.key, *where, now)
        if key not in self.rested:
            self.rested[key] = bool(Guard(customer, self.playbook, now, "outbound").quiet().trips)
        return self.rested[key]


def periods(days: np.ndarray) -> np.ndarray:
    """int64[n, 3] of local days counted from 0001-01-01, which is 1: the day, its ISO week, its month."""
    months = (days - 719_163).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return np.stack([days, (days - 1) // 7, months], axis=1)
