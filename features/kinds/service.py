"""The last channel, satisfaction, and open service cases."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from features.definitions import Feature, Operation, Selector
from features.kernel.accumulators import COUNT, LAST_SATISFACTION, NEWEST_CHANNEL, OPEN, RATED, SATISFACTION
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
    @njit
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
    @njit
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
        return f"mean satisfaction of the {self.who.text} in the last {self.days} days"

    @staticmethod
    @njit
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        rated = acc.windows[s, a, RATED]
        return acc.windows[s, a, SATISFACTION] / rated if rated else np.nan


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
    @njit
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return float(acc.cases[OPEN])
