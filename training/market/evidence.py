"""All that a company could count of each customer, day by day: what the ceiling of information is drawn from."""

from dataclasses import dataclass

import numpy as np

from features.simulate import events as ev
from features.simulate.market import Market
from features.simulate.outcome import Day

_LOOKS = (ev.PAGE_VIEW, ev.VISIT, ev.MESSAGE, ev.CALL, ev.AD_CLICK)
_TROUBLE = (ev.COMPLAINT, ev.CASE_OPENED)


@dataclass(frozen=True)
class Noted:
    """A day as it changes feelings, customers by position: trouble told; contacts and by which treatment, whether they
    complained, clicked or opted out; who bought. suffers: bool[n], an open case when the day began."""

    day: int
    trouble: np.ndarray
    contacted: np.ndarray
    treatment: np.ndarray
    complained: np.ndarray
    clicked: np.ndarray
    closed: np.ndarray
    bought: np.ndarray
    suffers: np.ndarray


class Evidence:
    """Columns of n customers: baskets and their money, purchases beside the one that they joined with, days with a
    visit, the end of the last day with a sign of life, last day with a purchase (-1 without), goodbye said."""

    def __init__(self, market: Market) -> None:
        n = len(market)
        self.profile = market.traits.profile
        self.joined = market.traits.joins.astype(np.int64)  # their first purchase says so; 0 where they came before
        self.baskets, self.money, self.purchases, self.visits, self.alive = (np.zeros(n) for _ in range(5))
        self.bought = np.full(n, -1, np.int64)
        self.suffers, self.goodbye = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        self.days: list[Noted] = []

    def add(self, news: ev.Events, day: int) -> list[Noted]:
        """What happened on a day; nothing where that day is known already."""
        if self.days and day <= self.days[-1].day:
            return []
        n, who, kind = len(self.bought), news.customer.astype(np.int64), news.kind
        suffered = self.suffers.copy()

        def of(*kinds: int) -> np.ndarray:
            return np.unique(who[np.isin(kind, kinds)])

        purchase = kind == ev.PURCHASE
        buyers, looked, trouble = of(ev.PURCHASE), of(*_LOOKS), of(*_TROUBLE)
        saved = np.nan_to_num(news.saved[purchase])
        full = news.value[purchase] + np.where(saved > 0.09 * news.value[purchase], saved, 0.0)  # a voucher took it off
        self.baskets += np.bincount(who[purchase], minlength=n)
        self.money += np.bincount(who[purchase], full, n)
        self.purchases += np.bincount(who[purchase], minlength=n)
        self.purchases[buyers[(self.joined[buyers] == day) & (day > 0)]] -= 1
        self.visits[looked] += 1
        for seen in (buyers, looked, trouble):
            self.alive[seen] = day + 1
        self.bought[buyers] = day
        self.suffers[trouble], self.suffers[of(ev.CASE_CLOSED)] = True, False
        self.goodbye[of(ev.ACCOUNT_CLOSED)] = True
        made = kind == ev.CONTACT
        contacted = who[made]
        complained, clicked, closed = (np.isin(contacted, of(each)) for each in (ev.COMPLAINED, ev.CLICKED, ev.OPTED))
        told = (contacted, news.treatment[made], complained, clicked, closed)
        self.days.append(Noted(day, trouble, *told, buyers, suffered))
        return self.days[-1:]

    def __call__(self, day: Day) -> None:
        """As a sink of the market's days."""
        self.add(day.news, day.view.day)
