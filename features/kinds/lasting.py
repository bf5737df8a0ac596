"""First, last, and everything since the first."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.clock import DAY
from features.definitions import Feature, Operation, Selector
from features.kernel.accumulators import COUNT, FIRST, MONEY, MONEY_SCALE, NEVER, NEWEST, NUMBER
from features.kernel.jit import inlined


@dataclass(frozen=True)
class Recency(Feature):
    """How long ago the newest one was."""

    who: Selector

    unit = "days"
    null = "no such interaction in the last 400 days"

    @property
    def name(self) -> str:
        return f"recency_{self.who.name}"

    @property
    def text(self) -> str:
        return f"days since the last of the {self.who.text}"

    def operation(self) -> Operation:
        return Operation(self.who)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return (t - acc.moments[s, NEWEST]) / DAY if acc.windows[s, -1, COUNT] else np.nan


@dataclass(frozen=True)
class Tenure(Feature):
    """How long ago the first one ever was."""

    who: Selector

    unit = "days"
    null = "no such interaction ever"

    @property
    def name(self) -> str:
        return f"tenure_{self.who.name}"

    @property
    def text(self) -> str:
        return f"days since the first of the {self.who.text}"

    def operation(self) -> Operation:
        return Operation(self.who)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        first = acc.moments[s, FIRST]
        return (t - first) / DAY if first != NEVER else np.nan


@dataclass(frozen=True)
class LifetimeCount(Feature):
    """How many ever."""

    who: Selector

    unit = "interactions"

    @property
    def name(self) -> str:
        return f"lifetime_count_{self.who.name}"

    @property
    def text(self) -> str:
        return f"number of {self.who.text} ever"

    def operation(self) -> Operation:
        return Operation(self.who)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return float(acc.moments[s, NUMBER])


@dataclass(frozen=True)
class LifetimeSum(Feature):
    """Value of all ever, each rounded to a millionth."""

    who: Selector

    unit = "money"

    @property
    def name(self) -> str:
        return f"lifetime_value_{self.who.name}"

    @property
    def text(self) -> str:
        return f"value of {self.who.text} ever"

    def operation(self) -> Operation:
        return Operation(self.who)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.moments[s, MONEY] / MONEY_SCALE
