"""The last channel, satisfaction, and service cases."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.clock import DAY
from features.definitions import Feature, Operation, Selector, last
from features.kernel.accumulators import (
    COUNT,
    LAST_SATISFACTION,
    NEVER,
    NEWEST_CHANNEL,
    OPEN,
    OPEN_SINCE,
    RATED,
    SATISFACTION,
)
from features.kernel.jit import inlined
from features.kernel.sequence import RESOLVE_TIME, RESOLVED
from features.kinds.period import Comparison, Period
from features.kinds.totals import Windowed


@dataclass(frozen=True)
class LastChannel(Feature):
    """The channel of the newest interaction, as a position in the workspace's list of channels."""

    who: Selector

    unit = "channel"
    null = "no such interaction in the last 400 days"
    categorical = True

    @property
    def name(self) -> str:
        return f"last_channel_{self.who.name}"

    @property
    def text(self) -> str:
        return f"channel of the last of the {self.who.text}"

    def operation(self) -> Operation:
        return Operation(self.who)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        known = acc.windows[s, -1, COUNT] and acc.moments[s, NEWEST_CHANNEL] >= 0
        return float(acc.moments[s, NEWEST_CHANNEL]) if known else np.nan


@dataclass(frozen=True)
class LastSatisfaction(Feature):
    """Satisfaction of the newest interaction that was rated."""

    who: Selector

    unit = "0 to 1"
    needs = frozenset({"satisfaction"})
    null = "none was rated in the last 400 days"

    @property
    def name(self) -> str:
        return f"last_satisfaction_{self.who.name}"

    @property
    def text(self) -> str:
        return f"satisfaction of the last rated one of the {self.who.text}"

    def operation(self) -> Operation:
        return Operation(self.who)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.fading[s, LAST_SATISFACTION]


@dataclass(frozen=True)
class MeanSatisfaction(Windowed):
    """Mean satisfaction of those that were rated."""

    unit = "0 to 1"
    needs = frozenset({"satisfaction"})
    null = "none was rated in the window"

    @property
    def name(self) -> str:
        return f"mean_satisfaction_{self.who.name}_{self.days}d"

    @property
    def text(self) -> str:
        return f"mean satisfaction of the {self.who.text} in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        rated = acc.windows[s, a, RATED]
        return acc.windows[s, a, SATISFACTION] / rated if rated else np.nan


@dataclass(frozen=True)
class SatisfactionTrend(Comparison):
    """Mean satisfaction in the shorter window less that in the longer one."""

    unit = "-1 to 1"
    needs = frozenset({"satisfaction"})
    null = "none was rated in the shorter window"

    @property
    def name(self) -> str:
        return f"satisfaction_trend_{self.who.name}_{self.days}d_{self.second_days}d"

    @property
    def text(self) -> str:
        return f"mean satisfaction of the {self.who.text}: in {last(self.days)} less in {self.second_days}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        rated, before = acc.windows[s, a, RATED], acc.windows[s, b, RATED]
        return acc.windows[s, a, SATISFACTION] / rated - acc.windows[s, b, SATISFACTION] / before if rated else np.nan


@dataclass(frozen=True)
class OpenCases(Feature):
    """Cases of the last 400 days whose newest complaint, opening or closing is not a closing."""

    unit = "cases"
    needs = frozenset({"cases"})

    @property
    def name(self) -> str:
        return "open_cases"

    @property
    def text(self) -> str:
        return "complaints and service cases that are open"

    def operation(self) -> Operation:
        return Operation()

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return float(acc.cases[OPEN])


@dataclass(frozen=True)
class LongestOpen(Feature):
    """How long the case that is open longest has been, from its first opening after a closing."""

    unit = "days"
    needs = frozenset({"cases"})
    null = "no case is open"

    @property
    def name(self) -> str:
        return "longest_open_case"

    @property
    def text(self) -> str:
        return "days since the oldest complaint or service case that is open was opened"

    def operation(self) -> Operation:
        return Operation()

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return (t - acc.cases[OPEN_SINCE]) / DAY if acc.cases[OPEN_SINCE] != NEVER else np.nan


@dataclass(frozen=True)
class CasesResolved(Period):
    """Cases whose opening is known and whose newest word is a closing in the window."""

    unit = "cases"
    needs = frozenset({"cases"})

    @property
    def name(self) -> str:
        return f"cases_resolved_{self.days}d"

    @property
    def text(self) -> str:
        return f"complaints and service cases that were closed for good in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.steps[a, RESOLVED]


@dataclass(frozen=True)
class ResolveDays(Period):
    """Mean time from the first opening to the last closing of the cases that were closed."""

    unit = "days"
    needs = frozenset({"cases"})
    null = "no case was closed for good in the window"

    @property
    def name(self) -> str:
        return f"resolve_days_{self.days}d"

    @property
    def text(self) -> str:
        return f"mean time to resolve the complaints and service cases that were closed in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        resolved = acc.steps[a, RESOLVED]
        return acc.steps[a, RESOLVE_TIME] / DAY / resolved if resolved else np.nan
