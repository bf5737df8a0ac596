"""The customer's way across channels, by what they did themselves: last few, switches, spread, and where help began."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.definitions import Feature, Operation, check_days, last
from features.interactions import NAMED_TYPES
from features.kernel.jit import inlined
from features.kernel.sequence import CHANNEL_COUNTS, CHANNEL_RUN, ESCALATIONS, RUNS, SWITCHES, TYPE_RUN
from features.kinds.period import Period

if TYPE_CHECKING:
    from features.workspace import Settings

_ORDINALS = ("last", "second last", "third last")


def _check_position(position: int) -> None:
    if not 1 <= position <= RUNS:
        raise ValueError(f"the last {RUNS} are remembered: a position is 1 to {RUNS}, not {position}")


@dataclass(frozen=True)
class PathChannel(Feature):
    """The channel at a position counted back, where repeats on one channel count once."""

    position: int

    unit = "channel"
    needs = frozenset({"moves"})
    null = "fewer channels in a row in the last 400 days, or one that the workspace does not list"
    categorical = True

    def __post_init__(self) -> None:
        _check_position(self.position)

    @property
    def name(self) -> str:
        return f"path_channel_{self.position}"

    @property
    def text(self) -> str:
        return f"the {_ORDINALS[self.position - 1]} channel that the customer came on, repeats in a row counted once"

    def operation(self) -> Operation:
        return Operation(number=self.position - 1)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        channel = acc.marks[CHANNEL_RUN + b]
        return float(channel) if channel >= 0 else np.nan


@dataclass(frozen=True)
class PathType(Feature):
    """The type at a position counted back, where repeats count once; a type that has no name here is `other`."""

    position: int

    unit = "type"
    needs = frozenset({"deeds"})
    null = "fewer types in a row in the last 400 days"
    categorical = True

    def __post_init__(self) -> None:
        _check_position(self.position)

    @property
    def name(self) -> str:
        return f"path_type_{self.position}"

    @property
    def text(self) -> str:
        return f"the {_ORDINALS[self.position - 1]} thing that the customer did, repeats in a row counted once"

    def operation(self) -> Operation:
        return Operation(number=self.position - 1)

    def labels_in(self, settings: "Settings") -> tuple[str, ...]:  # noqa: ARG002
        return NAMED_TYPES

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        named = acc.marks[TYPE_RUN + b]
        return float(named) if named >= 0 else np.nan


@dataclass(frozen=True)
class ChannelSwitches(Period):
    """How often the customer came on another channel than the time before."""

    unit = "switches"
    needs = frozenset({"moves"})

    @property
    def name(self) -> str:
        return f"channel_switches_{self.days}d"

    @property
    def text(self) -> str:
        return f"how often in {last(self.days)} the customer came on another channel than the time before"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.steps[a, SWITCHES]


@dataclass(frozen=True)
class Transition(Feature):
    """How often the customer came on one channel right after another; as old as the arrival."""

    origin: str
    target: str
    days: int

    unit = "switches"
    needs = frozenset({"moves"})

    def __post_init__(self) -> None:
        check_days(self.days)
        if self.origin == self.target:
            raise ValueError(f"a transition leads from one channel to another, not from {self.origin} to itself")

    @property
    def name(self) -> str:
        return f"transition_{self.origin}_to_{self.target}_{self.days}d"

    @property
    def text(self) -> str:
        return f"how often in {last(self.days)} {self.target} came right after {self.origin}"

    def operation(self) -> Operation:
        return Operation(days=self.days, transition=(self.origin, self.target))

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.steps[a, b]


@dataclass(frozen=True)
class ChannelEntropy(Feature):
    """How evenly the customer uses channels: 0 for one channel, 2 bits for four alike; unlisted ones count as one."""

    unit = "bits"
    needs = frozenset({"channels"})
    null = "the customer did not come in the last 400 days"

    @property
    def name(self) -> str:
        return "channel_entropy"

    @property
    def text(self) -> str:
        return "how evenly the customer's interactions of the last 400 days spread over channels"

    def operation(self) -> Operation:
        return Operation()

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        total, entropy = 0, 0.0
        for channel in range(CHANNEL_COUNTS, acc.marks.shape[0]):
            total += acc.marks[channel]
        for channel in range(CHANNEL_COUNTS, acc.marks.shape[0]):
            share = acc.marks[channel] / max(total, 1)
            if 0 < share < 1:
                entropy -= share * np.log2(share)
        return entropy if total else np.nan


@dataclass(frozen=True)
class MainChannelShare(Feature):
    """The share of the channel that the customer comes on most."""

    unit = "share"
    needs = frozenset({"channels"})
    null = "the customer did not come in the last 400 days"

    @property
    def name(self) -> str:
        return "main_channel_share"

    @property
    def text(self) -> str:
        return "share of the most used channel in the customer's interactions of the last 400 days"

    def operation(self) -> Operation:
        return Operation()

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        total, most = 0, 0
        for channel in range(CHANNEL_COUNTS, acc.marks.shape[0]):
            total += acc.marks[channel]
            most = max(most, acc.marks[channel])
        return most / total if total else np.nan


@dataclass(frozen=True)
class Escalations(Period):
    """Phone or chat within 24 hours after a digital interaction; each time counts once."""

    unit = "escalations"
    needs = frozenset({"escalations"})

    @property
    def name(self) -> str:
        return f"escalations_{self.days}d"

    @property
    def text(self) -> str:
        return f"how often in {last(self.days)} the customer called or chatted within a day of a digital interaction"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.steps[a, ESCALATIONS]
