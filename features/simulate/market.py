"""The market: customers who live from day to day, and policies that may contact them.

market = Market(100_000, "usual", seed=1)
market.run(180)                                   # everybody lives for half a year, nobody is contacted
log = market.play(Uniform(0.02), 60)              # 60 days of randomised contacts
for policy in (Silent(), mine):                   # your own: see `Policy` in policy.py
    print(market.copy().play(policy, 90))         # from the same morning on, with the same luck
knowing = market.copy()
print(knowing.play(Oracle(knowing), 90))          # who knows everything must know the very market that it plays on
"""

from collections.abc import Callable

import numpy as np

from features import clock
from features.simulate import events as ev
from features.simulate import worth as wo
from features.simulate.contacting import TREATED
from features.simulate.day import live_through
from features.simulate.outcome import Day, Log, Outcome
from features.simulate.parameters import Parameters, setting
from features.simulate.policy import SILENCE, Choice, Policy, Silent, View, checked
from features.simulate.spontaneous import season
from features.simulate.state import State, opening, tally
from features.simulate.traits import Traits, draw_traits
from features.simulate.truth import COLUMNS, Truth, permission, truths
from features.workspace import WorkspaceError

START = clock.parse_instant("2025-01-01")
#: Rows of one call of the day loop, and customers whose numbers fit the ids.
ROOM, MOST = 1 << 18, 10_000_000


class Market:
    """n customers of a setting. `start` is midnight of day 0, microseconds UTC; seasons are the calendar's."""

    def __init__(self, customers: int, setting_name: str = "usual", seed: int = 0, start: int = START) -> None:
        if not 1 <= customers <= MOST:
            raise WorkspaceError(f"a market has 1 to {MOST:,} customers, not {customers:,}")
        self.parameters: Parameters = setting(setting_name)
        self.setting, self.seed, self.start = setting_name, seed, start
        self.traits: Traits = draw_traits(self.parameters, seed, 0, customers)
        self.state: State = opening(self.traits)
        self.day = 0
        self.news = ev.room(0)
        self._tally = tally(customers)
        self._worth: wo.Worth | None = None
        self._room = ev.room(ROOM)

    def __len__(self) -> int:
        return len(self.traits.rate)

    @property
    def worth(self) -> wo.Worth:
        """What customers are worth, worked out once."""
        if self._worth is None:
            self._worth = wo.worth(self.parameters, self.traits)
        return self._worth

    def copy(self) -> "Market":
        """The same morning once more, to live it differently."""
        other = object.__new__(Market)
        other.__dict__ |= self.__dict__
        other.state, other._tally, other._room = self.state.copy(), tally(len(self)), ev.room(ROOM)
        return other

    def view(self) -> View:
        """What a company knows this morning."""
        known = (self.traits.joins < self.day) | (self.traits.joins == 0)
        return View(
            self.day, self.start + self.day * clock.DAY, known, self.state.closed.copy(), self.traits.profile, self.news
        )

    def step(self, choice: Choice) -> np.ndarray:
        """Everybody lives through the day; the treatments that were really made, int16[n]."""
        view = self.view()
        chosen = checked(choice, len(self))
        reached = view.known & (view.closed >> TREATED.channel[chosen] & 1 == 0)
        chosen = np.where(reached, chosen, SILENCE).astype(np.int16)
        parts, first = [], 0
        while first < len(self):
            first, rows = live_through(
                self.parameters, self.traits, self.state, self._tally, TREATED, chosen, self.seed, self.day,
                self._season(self.day), first, self._room,
            )  # fmt: skip
            parts.append(self._room.rows(slice(rows)).copy())
        self.news = ev.together(parts)
        self.day += 1
        return chosen

    def run(self, days: int, policy: Policy | None = None, sink: Callable[[Day], object] | None = None) -> None:
        """Days go by, under a policy or nobody's; `sink` is given each of them."""
        policy = policy or Silent()
        for _ in range(days):
            view = self.view()
            choice = policy.decide(view)
            made = self.step(choice)
            if sink is not None:
                sink(Day(view, choice, made, self.news))

    def play(
        self, policy: Policy, days: int, distributions: bool = False, sink: Callable[[Day], object] | None = None
    ) -> Outcome:
        """What a policy earns in so many days, and leaves behind.

        The outcome's log holds all decisions in memory, with `distributions` every answer's whole one; where `sink` is
        given, the days go there instead.
        """
        self._tally = tally(len(self))
        log = Log(distributions)
        here = self.state.gone > self.day
        self.run(days, policy, sink or log.add)
        return self._outcome(policy.name, days, here, log)

    def truth(self) -> Truth:
        """What every treatment would do to every customer this morning."""
        out = np.empty((len(self), len(TREATED.channel), COLUMNS))
        truths(self.parameters, self.traits, self.state, self.worth, TREATED, self.day, out)
        return Truth(*(out[:, :, k] for k in range(COLUMNS)))

    def _outcome(self, name: str, days: int, here: np.ndarray, log: Log) -> Outcome:
        p, last = self.parameters, self.day - 1
        left, allowed = np.empty(len(self)), np.empty(len(self))
        ahead = wo.ahead(p)
        seasons = np.array([self._season(self.day + t) for t in range(len(ahead.discount))])
        wo.remaining(p, self.traits, self.state, ahead, seasons, last, left)
        permission(p, self.traits, self.state, self.worth, last, allowed)
        money = self._tally
        return Outcome(
            policy=name,
            days=days,
            margin=money.margin,
            cost=money.cost,
            remaining=left * self.traits.basket * p.margin,
            permission=allowed,
            contacts=money.contacts,
            opted_out=money.opted_out,
            complained=money.complained,
            left=here & (self.state.gone <= last),
            log=log,
        )

    def _season(self, day: int) -> float:
        date = (self.start // clock.DAY) + day
        return season(self.parameters, _day_of_year(date), int(date + 3) % 7)


def _day_of_year(date: int) -> int:
    """Days since 1 January; `date` in days since 1970."""
    moment = np.datetime64(int(date), "D")
    return int((moment - moment.astype("datetime64[Y]")).astype(int))
