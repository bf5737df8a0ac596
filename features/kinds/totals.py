"""Totals over a window of days, and totals that fade with age."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.definitions import Feature, Operation, Selector, check_days, last
from features.kernel.accumulators import CHANNELS, COUNT, DAYS, FADING, SAVED, SUM, TOPICAL, TOPICS, VALUED
from features.kernel.jit import inlined

#: Less money than this is none: what is left when sums cancel.
HALF_A_CENT = 0.005


@dataclass(frozen=True)
class Windowed(Feature):
    """Common to all that look at one window of `days`."""

    who: Selector
    days: int

    def __post_init__(self) -> None:
        check_days(self.days)

    def operation(self) -> Operation:
        return Operation(self.who, days=self.days)


@dataclass(frozen=True)
class Count(Windowed):
    """How many interactions."""

    unit = "interactions"

    @property
    def name(self) -> str:
        return f"count_{self.who.name}_{self.days}d"

    @property
    def text(self) -> str:
        return f"number of {self.who.text} in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.windows[s, a, COUNT]


@dataclass(frozen=True)
class Sum(Windowed):
    """Their value, added up."""

    unit = "money"

    @property
    def name(self) -> str:
        return f"sum_value_{self.who.name}_{self.days}d"

    @property
    def text(self) -> str:
        return f"value of {self.who.text} in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.windows[s, a, SUM]


@dataclass(frozen=True)
class MeanValue(Windowed):
    """Value by interaction that has one."""

    unit = "money"
    null = "no such interaction with a value"

    @property
    def name(self) -> str:
        return f"mean_value_{self.who.name}_{self.days}d"

    @property
    def text(self) -> str:
        return f"mean value of {self.who.text} in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        valued = acc.windows[s, a, VALUED]
        return acc.windows[s, a, SUM] / valued if valued else np.nan


@dataclass(frozen=True)
class DayValue(Windowed):
    """Value by active day: what one visit brings, however many lines it has."""

    unit = "money"
    null = "no active day in the window"

    @property
    def name(self) -> str:
        return f"day_value_{self.who.name}_{self.days}d"

    @property
    def text(self) -> str:
        return f"mean value of a day with {self.who.text} among the last {self.days}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        days = acc.windows[s, a, DAYS]
        return acc.windows[s, a, SUM] / days if days else np.nan


@dataclass(frozen=True)
class DiscountShare(Windowed):
    """Money saved (`discount` of the attributes), as a share of what it would have cost without."""

    unit = "share"
    needs = frozenset({"discount"})
    null = "nothing in the window had a price"

    @property
    def name(self) -> str:
        return f"discount_share_{self.who.name}_{self.days}d"

    @property
    def text(self) -> str:
        return f"discount on {self.who.text} in {last(self.days)}, as a share of their price without it"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        price = acc.windows[s, a, SUM] + acc.windows[s, a, SAVED]
        return acc.windows[s, a, SAVED] / price if price >= HALF_A_CENT else np.nan


@dataclass(frozen=True)
class ActiveDays(Windowed):
    """Distinct 24-hour periods, counted back from the cutoff, with at least one interaction."""

    unit = "days"

    @property
    def name(self) -> str:
        return f"active_days_{self.who.name}_{self.days}d"

    @property
    def text(self) -> str:
        return f"days with {self.who.text} among the last {self.days}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.windows[s, a, DAYS]


@dataclass(frozen=True)
class DistinctChannels(Windowed):
    """How many different channels."""

    unit = "channels"
    needs = frozenset({"distinct"})

    @property
    def name(self) -> str:
        return f"distinct_channels_{self.who.name}_{self.days}d"

    @property
    def text(self) -> str:
        return f"different channels of {self.who.text} in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.windows[s, a, CHANNELS]


@dataclass(frozen=True)
class DistinctTopics(Windowed):
    """How many different topics; interactions without one do not count."""

    unit = "topics"
    needs = frozenset({"distinct"})

    @property
    def name(self) -> str:
        return f"distinct_topics_{self.who.name}_{self.days}d"

    @property
    def text(self) -> str:
        return f"different topics of {self.who.text} in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.windows[s, a, TOPICS]


@dataclass(frozen=True)
class RepeatTopics(Windowed):
    """How many interactions were about a topic that an older one in the window was about already."""

    unit = "interactions"
    needs = frozenset({"distinct"})

    @property
    def name(self) -> str:
        return f"repeat_topics_{self.who.name}_{self.days}d"

    @property
    def text(self) -> str:
        return f"number of {self.who.text} in {last(self.days)} on a topic that had come up there before"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.windows[s, a, TOPICAL] - acc.windows[s, a, TOPICS]


@dataclass(frozen=True)
class Decayed(Feature):
    """Common to totals that halve every `half_life` days; age is counted in whole 24-hour periods."""

    who: Selector
    half_life: int

    def __post_init__(self) -> None:
        check_days(self.half_life)

    def operation(self) -> Operation:
        return Operation(self.who, half_life=self.half_life)


@dataclass(frozen=True)
class DecayedDays(Decayed):
    """Active days, each worth half as much every `half_life` days."""

    unit = "days"
    needs = frozenset({"decay"})

    @property
    def name(self) -> str:
        return f"decayed_days_{self.who.name}_{self.half_life}d"

    @property
    def text(self) -> str:
        return f"days with {self.who.text}, fading by half every {self.half_life} days"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.fading[s, FADING + a]


@dataclass(frozen=True)
class DecayedSum(Decayed):
    """Value, worth half as much every `half_life` days."""

    unit = "money"
    needs = frozenset({"decay"})

    @property
    def name(self) -> str:
        return f"decayed_value_{self.who.name}_{self.half_life}d"

    @property
    def text(self) -> str:
        return f"value of {self.who.text}, fading by half every {self.half_life} days"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.fading[s, FADING + b]
