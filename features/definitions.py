"""What a feature declares: its name made from parameters, a text, a unit, the meaning of null, and how it is read.

The kinds themselves are in `features/kinds/`, each a frozen declaration beside the small compiled function that reads
it off the accumulators. A new kind is a subclass of `Feature` there, named in `features/kinds/__init__.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from features.kernel.accumulators import HORIZON_DAYS


@dataclass(frozen=True)
class Selector:
    """Which interactions: those that equal everything given here; what is None may be anything."""

    channel: str | None = None
    direction: str | None = None
    type: str | None = None
    topic: str | None = None

    @property
    def name(self) -> str:
        """`purchase`, `email_outbound`; `any` where nothing is asked."""
        return "_".join(part for part in (self.channel, self.direction, self.type, self.topic) if part) or "any"

    @property
    def text(self) -> str:
        """`outbound contact interactions about billing on email`."""
        words = [part.replace("_", " ") for part in (self.direction, self.type) if part]
        about = f" about {self.topic}" if self.topic else ""
        through = f" on {self.channel}" if self.channel else ""
        return " ".join([*words, "interactions"]) + about + through

    def matches(self, channel: str, direction: str, type: str, topic: str | None) -> bool:
        """Whether an interaction with these words is meant."""
        asked = (self.channel, self.direction, self.type, self.topic)
        return all(
            want is None or want == has for want, has in zip(asked, (channel, direction, type, topic), strict=True)
        )


ANY = Selector()


@dataclass(frozen=True)
class Operation:
    """What a feature needs from the kernel: whom it looks at, windows and half-life in days, a plain number."""

    who: Selector = ANY
    days: int | None = None
    second_days: int | None = None
    half_life: int | None = None
    number: int = 0


class Feature:
    """One column of the catalogue.

    `read(acc, t, s, a, b) -> float` is compiled: `acc` the accumulators of one customer at instant `t` (microseconds),
    `s` the position of the selector, `a` of the window, `b` of the second window or a plain number; with a half-life,
    `a` and `b` are the positions of fading days and values. NaN is null. Where `categorical`, the value is a position
    in the workspace's list of channels.
    """

    unit: ClassVar[str]
    null: ClassVar[str] = "never null"
    sensitivity: ClassVar[str] = "behavioural"
    categorical: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()  # of accumulators.NEEDS: what is only added up on demand
    read: ClassVar[Callable[[Any, int, int, int, int], float]]

    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def text(self) -> str:
        raise NotImplementedError

    def operation(self) -> Operation:
        raise NotImplementedError


def check_days(*days: int) -> None:
    """Raises ValueError for a window that no state could answer."""
    for number in days:
        if not 1 <= number <= HORIZON_DAYS:
            raise ValueError(f"a window has 1 to {HORIZON_DAYS} days, not {number}: a state remembers no further back")
