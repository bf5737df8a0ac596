"""Contact pressure: how much we reached out, and whether the customer answered.

A contact is an outbound interaction that does not merely report the fate of one (see NOT_CONTACTS). It is answered by
the next response within 30 days, where no other contact lies between: the newest contact gets the credit.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.definitions import Feature, Operation, check_days, last
from features.kernel.jit import inlined
from features.kernel.sequence import ANSWERED, CONTACTS, IGNORED, LOAD
from features.kinds.period import Period


@dataclass(frozen=True)
class ResponseRate(Period):
    """The share of contacts that was answered."""

    unit = "share"
    needs = frozenset({"contacts"})
    null = "no contact in the window"

    @property
    def name(self) -> str:
        return f"response_rate_{self.days}d"

    @property
    def text(self) -> str:
        return f"share of the contacts of {last(self.days)} that the customer responded to"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        contacts = acc.steps[a, CONTACTS]
        return acc.steps[a, ANSWERED] / contacts if contacts else np.nan


@dataclass(frozen=True)
class IgnoredInARow(Feature):
    """Contacts since the customer last reacted to one in any way."""

    unit = "contacts"
    needs = frozenset({"contacts"})

    @property
    def name(self) -> str:
        return "ignored_in_a_row"

    @property
    def text(self) -> str:
        return "contacts since the customer last reacted to one, within the last 400 days"

    def operation(self) -> Operation:
        return Operation()

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return float(acc.marks[IGNORED])


@dataclass(frozen=True)
class ContactLoad(Period):
    """Contacts weighted by channel: 1 is as much as one channel alone may bear in a quarter (see PRESSURE)."""

    unit = "tolerable quarters"
    needs = frozenset({"contacts"})

    @property
    def name(self) -> str:
        return f"contact_load_{self.days}d"

    @property
    def text(self) -> str:
        return f"contacts of {last(self.days)} on all channels, a call weighing more than an e-mail"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.steps[a, LOAD]


@dataclass(frozen=True)
class Pressure(Feature):
    """Contacts weighted by channel, each worth half as much every `half_life` days; age in whole 24-hour periods."""

    half_life: int

    unit = "tolerable quarters"
    needs = frozenset({"contacts"})

    def __post_init__(self) -> None:
        check_days(self.half_life)

    @property
    def name(self) -> str:
        return f"contact_pressure_{self.half_life}d"

    @property
    def text(self) -> str:
        return f"contacts on all channels by weight, fading by half every {self.half_life} days"

    def operation(self) -> Operation:
        return Operation(half_life=self.half_life)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.shares[a]
