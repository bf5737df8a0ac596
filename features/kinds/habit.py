"""The customer's own rhythm: gaps between active days, and whether the present silence breaks it.

A gap is the number of 24-hour periods from one active day to the next, so that many lines of one basket are one visit.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.clock import DAY
from features.definitions import Feature, Operation, Selector, last
from features.kernel.accumulators import (
    DAYS,
    FIRST,
    GAP_LONGEST,
    GAP_RECENT,
    GAP_SQUARES,
    GAP_SUM,
    GAPS,
    NEWEST,
    RECENT_GAPS,
    SUM,
)
from features.kernel.jit import inlined
from features.kinds.period import Comparison
from features.kinds.totals import HALF_A_CENT


@dataclass(frozen=True)
class Gap(Feature):
    """Common to all that look at gaps within the last 400 days."""

    who: Selector

    null = "fewer than two active days"

    def operation(self) -> Operation:
        return Operation(self.who)


@dataclass(frozen=True)
class GapMean(Gap):
    """Mean gap."""

    unit = "days"

    @property
    def name(self) -> str:
        return f"gap_mean_{self.who.name}"

    @property
    def text(self) -> str:
        return f"mean number of days from one day with {self.who.text} to the next"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        gaps = acc.moments[s, GAPS]
        return acc.moments[s, GAP_SUM] / gaps if gaps else np.nan


@dataclass(frozen=True)
class GapDeviation(Gap):
    """Standard deviation of the gaps (of these, not estimated from them)."""

    unit = "days"

    @property
    def name(self) -> str:
        return f"gap_deviation_{self.who.name}"

    @property
    def text(self) -> str:
        return f"standard deviation of the days from one day with {self.who.text} to the next"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        gaps = acc.moments[s, GAPS]
        if not gaps:
            return np.nan
        spread = gaps * acc.moments[s, GAP_SQUARES] - acc.moments[s, GAP_SUM] ** 2  # exact: these are integers
        return np.sqrt(float(spread)) / gaps


@dataclass(frozen=True)
class GapLongest(Gap):
    """The longest silence that the customer has come back from."""

    unit = "days"

    @property
    def name(self) -> str:
        return f"gap_longest_{self.who.name}"

    @property
    def text(self) -> str:
        return f"longest number of days from one day with {self.who.text} to the next"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return float(acc.moments[s, GAP_LONGEST]) if acc.moments[s, GAPS] else np.nan


@dataclass(frozen=True)
class GapRatio(Gap):
    """The present silence against the customer's own mean gap."""

    unit = "ratio"

    @property
    def name(self) -> str:
        return f"gap_ratio_{self.who.name}"

    @property
    def text(self) -> str:
        return f"days since the last of the {self.who.text}, divided by the customer's mean gap"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        gaps = acc.moments[s, GAPS]
        if not gaps:
            return np.nan
        return (t - acc.moments[s, NEWEST]) / DAY * gaps / acc.moments[s, GAP_SUM]


@dataclass(frozen=True)
class GapTrend(Gap):
    """Whether the gaps grow: the newest three against all."""

    unit = "ratio"
    null = "fewer than three active days"

    @property
    def name(self) -> str:
        return f"gap_trend_{self.who.name}"

    @property
    def text(self) -> str:
        return f"mean of the newest {RECENT_GAPS} gaps between days with {self.who.text}, divided by the mean of all"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        gaps = acc.moments[s, GAPS]
        if gaps < 2:
            return np.nan
        recent = acc.moments[s, GAP_RECENT] / min(gaps, RECENT_GAPS)
        return recent * gaps / acc.moments[s, GAP_SUM]


@inlined
def exposure(acc: Any, t: int, s: int, a: int, b: int) -> float:
    """How many times as many days the longer window `b` shows of this customer."""
    # a newcomer is compared over the days that there were
    known = (t - acc.moments[s, FIRST] - 1) // DAY + 1
    return min(known, acc.window_days[b]) / min(known, acc.window_days[a])


@dataclass(frozen=True)
class Trend(Comparison):
    """Active days now against before: the daily rate over `days` by that over `second_days`."""

    unit = "ratio"
    null = "no active day in the longer window"

    @property
    def name(self) -> str:
        return f"trend_{self.who.name}_{self.days}d_{self.second_days}d"

    @property
    def text(self) -> str:
        return f"days with {self.who.text}: their rate in {last(self.days)} by that in {self.second_days}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        long = acc.windows[s, b, DAYS]
        return acc.windows[s, a, DAYS] / long * exposure(acc, t, s, a, b) if long else np.nan


@dataclass(frozen=True)
class ValueTrend(Comparison):
    """Value now against before: the daily rate over `days` by that over `second_days`."""

    unit = "ratio"
    null = "no value above 0 in the longer window"

    @property
    def name(self) -> str:
        return f"value_trend_{self.who.name}_{self.days}d_{self.second_days}d"

    @property
    def text(self) -> str:
        return f"value of {self.who.text}: its rate in {last(self.days)} by that in {self.second_days}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        long = acc.windows[s, b, SUM]
        return acc.windows[s, a, SUM] / long * exposure(acc, t, s, a, b) if long >= HALF_A_CENT else np.nan
