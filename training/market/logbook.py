"""A randomised log as training sees it: each decision with what was known then, and what came of it.

Outcomes are read from goal interactions alike for contacts and silence. Windows count whole days, the day of the
decision included, for contacts go out in the morning.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from features.simulate import events as ev
from features.simulate.actions import OFF_OF
from features.simulate.market import Market
from features.simulate.outcome import Day
from features.simulate.policy import SILENCE, Uniform
from training.market.aftermath import Aftermath
from training.market.contacts import Made
from training.market.ledger import Ledger
from training.market.observed import Habit

#: Days before anybody is contacted, and of the randomised log.
BEFORE, LOGGED = 365, 60
#: Every customer is decided about once a week; this share of decisions is a contact, by any treatment alike.
EVERY, RATE = 7, 0.5
#: Most of a contact's own purchases come within SOON days, and nearly all in FULL; a shorter window has less noise.
SOON, FULL = 7, 14
#: Discounts above this share of what was paid are a voucher's.
VOUCHER = 0.09


@dataclass(frozen=True)
class Logbook:
    """Row i is a decision, a contact (by any treatment alike) with the same probability for all; -1 is silence.

    features float32[rows, features], profile uint8[rows, questions]: as of that morning. bought: purchases in the SOON
    days from then on; in_full: those of FULL days, saved: money that a voucher took off in them, both NaN where the log
    ends before; felt: the first satisfaction that they told in FULL days, NaN without; objected: opted out or
    complained because of the contact; answered: clicked or accepted it. customer: a number, the same for all decisions
    about one. aftermath: not by row: what trouble did to those it befell (aftermath.py), since the market began.
    """

    day: np.ndarray
    customer: np.ndarray
    treatment: np.ndarray
    features: np.ndarray
    profile: np.ndarray
    bought: np.ndarray
    in_full: np.ndarray
    saved: np.ndarray
    felt: np.ndarray
    objected: np.ndarray
    answered: np.ndarray
    aftermath: np.ndarray

    def __len__(self) -> int:
        return len(self.day)

    def rows(self, which: np.ndarray) -> "Logbook":
        return replace(self, **{name: getattr(self, name)[which] for name in _BY_ROW})

    @classmethod
    def together(cls, books: "list[Logbook]") -> "Logbook":
        """Logs of several markets: no customer is in two of them."""
        moved, base = [], 0
        for book in books:
            moved.append(book.customer + base)
            base += int(book.customer.max(initial=-1)) + 1
        columns = {name: np.concatenate([getattr(book, name) for book in books]) for name in _BY_ROW}
        after = np.sum([book.aftermath for book in books], axis=0)
        return cls(**columns | {"customer": np.concatenate(moved), "aftermath": after})


_BY_ROW = tuple(field.name for field in fields(Logbook) if field.name != "aftermath")


class Played:
    """A sink for the days of the log: keeps decisions, features as of each, and what happened to whom."""

    def __init__(self, market: Market, ledger: Ledger, contacts: Made, aftermath: Aftermath) -> None:
        self.market, self.ledger, self.contacts, self.first = market, ledger, contacts, market.day
        self.aftermath = aftermath
        self.decisions = 0
        n = len(market)
        self._parts: list[tuple[np.ndarray, ...]] = []
        self._bought, self._saved = ([np.zeros(n, np.float32)] for _ in range(2))
        self._felt: list[np.ndarray] = []
        self._objected, self._answered = set[int](), set[int]()

    def __call__(self, day: Day) -> None:
        cohort = -day.view.day % self.ledger.cohorts
        members = self.ledger.members(cohort)
        values = self.ledger.features(cohort, day.view.at).astype(np.float32)
        asked = day.view.known[members]
        rows = members[asked]
        days = np.full(len(rows), day.view.day, np.int32)
        part = (days, rows, day.made[rows], values[asked], day.view.profile[rows])
        self._parts.append(part)
        self.decisions += len(rows)
        self._note(day)
        self.ledger.add(day.news, day.view.day)
        self.contacts.add(day.news, day.view.day)
        self.aftermath.add(day.news)

    def _note(self, day: Day) -> None:
        n, news = len(self.market), day.news
        purchase = news.kind == ev.PURCHASE
        voucher = purchase & (news.saved > VOUCHER * news.value)
        for into, counted, weight in (
            (self._bought, purchase, None),
            (self._saved, voucher, np.nan_to_num(news.saved[voucher])),
        ):
            today = np.bincount(news.customer[counted], weight, n)
            into.append(into[-1] + today.astype(np.float32))
        told = ~np.isnan(news.satisfaction)
        self._felt.append(np.full(n, np.nan, np.float32))
        self._felt[-1][news.customer[told]] = news.satisfaction[told]
        ours = news.decided >= 0
        key = news.decided.astype(np.int64) * n + news.customer
        self._objected |= set(key[ours & np.isin(news.kind, (ev.OPTED, ev.COMPLAINED))].tolist())
        self._answered |= set(key[ours & np.isin(news.kind, (ev.CLICKED, ev.ACCEPTED))].tolist())

    def logbook(self) -> Logbook:
        """Of decisions whose SOON days are all in the log."""
        bought, saved = np.stack(self._bought), np.stack(self._saved)
        end = len(bought) - 1
        day, customer, treatment, features, profile = (
            np.concatenate(column) for column in zip(*self._parts, strict=True)
        )
        kept = np.flatnonzero(day - self.first + SOON <= end)
        day, customer, treatment = day[kept], customer[kept], treatment[kept]
        at = day - self.first
        full = np.minimum(at + FULL, end)
        ended = np.where(at + FULL > end, np.nan, np.float32(0.0))
        voucher = (treatment != SILENCE) & (OFF_OF[treatment] > 0)
        key = day.astype(np.int64) * len(self.market) + customer

        def among(found: set[int]) -> np.ndarray:
            return np.isin(key, np.fromiter(found, np.int64, len(found)))

        habit = Habit.fit(features[kept])
        return Logbook(
            day=day,
            customer=customer,
            treatment=treatment,
            features=features[kept],
            profile=profile[kept],
            bought=bought[at + SOON, customer] - bought[at, customer],
            in_full=bought[full, customer] - bought[at, customer] + ended,
            saved=(saved[full, customer] - saved[at, customer]) * voucher + ended,
            felt=self._first_told()[at, customer],
            objected=among(self._objected),
            answered=among(self._answered),
            aftermath=self.aftermath.sums(habit.shape, habit.days),
        )

    def _first_told(self) -> np.ndarray:
        """float32[days, n]: the first satisfaction told on that day or one of the FULL - 1 after it."""
        found = np.full((len(self._felt), len(self.market)), np.nan, np.float32)
        for later in range(FULL - 1, -1, -1):
            told = np.stack(self._felt[later:])
            found[: len(told)] = np.where(np.isnan(told), found[: len(told)], told)
        return found


def thinned(book: Logbook) -> Logbook:
    """All contacts, every answer, and a quarter of the silence, of which there is more than anything needs."""
    quarter = (book.customer.astype(np.int64) * 7919 + book.day) % 4 == 0
    return book.rows(np.flatnonzero((book.treatment != SILENCE) | quarter | ~np.isnan(book.felt)))


def logged(
    customers: int, setting: str, seed: int, also: Callable[[Market], Callable[[Day], object]] | None = None
) -> tuple[Market, Ledger, Made, Logbook, int]:
    """A market on the morning after its log; what the company has noted, its contacts, the log, how many decisions.

    also(market) makes a sink that is given every day as well.
    """
    market = Market(customers, setting, seed)
    more = None if also is None else also(market)
    ledger, contacts = Ledger(customers, EVERY, market.start), Made(customers)
    aftermath = Aftermath(customers)

    def lived(day: Day) -> None:
        ledger.add(day.news, day.view.day)
        aftermath.add(day.news)
        if more is not None:
            more(day)

    market.run(BEFORE, None, lived)
    played = Played(market, ledger, contacts, aftermath)

    def logging(day: Day) -> None:
        played(day)
        if more is not None:
            more(day)

    market.play(Uniform(RATE, EVERY, seed), LOGGED, sink=logging)
    return market, ledger, contacts, played.logbook(), played.decisions
