"""What a feature declares: its name made from parameters, a text, a unit, the meaning of null, and how it is read.

The kinds themselves are in `features/kinds/`, each a frozen declaration beside the small compiled function that reads
it off the accumulators. A new kind is a subclass of `Feature` there, named in `features/kinds/__init__.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from features.kernel.accumulators import HORIZON_DAYS

if TYPE_CHECKING:
    from features.workspace import Settings


@dataclass(frozen=True)
class Selector:
    """Which interactions: those that equal everything given here; what is None may be anything.

    `types` means any of several types, `without` all but these; `own` True asks for rows that carry a decision_id of
    ours, False for those that do not. `label` replaces the name made of all that.
    """

    channel: str | None = None
    direction: str | None = None
    type: str | None = None
    topic: str | None = None
    types: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    own: bool | None = None
    label: str | None = None

    @property
    def name(self) -> str:
        """`purchase`, `email_outbound`; `any` where nothing is asked."""
        if self.label is not None:
            return self.label
        whose = None if self.own is None else "own" if self.own else "other"
        types = self.types and "_or_".join(self.types)
        without = self.without and "without_" + "_".join(self.without)
        parts = (whose, self.channel, self.direction, self.type, types, self.topic, without)
        return "_".join(part for part in parts if part) or "any"

    @property
    def text(self) -> str:
        """`outbound contact interactions about billing on email`; where labelled, `help requests`."""
        if self.label is not None:
            return self.label.replace("_", " ") + "s"
        whose = None if self.own is None else "our own" if self.own else "other tools'"
        types = self.types and " or ".join(self.types)
        words = [part.replace("_", " ") for part in (whose, self.direction, self.type, types) if part]
        about = f" about {self.topic}" if self.topic else ""
        through = f" on {self.channel}" if self.channel else ""
        but = f", without {', '.join(self.without)}".replace("_", " ") if self.without else ""
        return " ".join([*words, "interactions"]) + about + through + but

    def matches(self, channel: str, direction: str, type: str, topic: str | None, own: bool = False) -> bool:
        """Whether an interaction with these words is meant; `own` says that it carries a decision_id."""
        asked = (self.channel, self.direction, self.type, self.topic, self.own)
        has = (channel, direction, type, topic, own)
        return (
            all(want is None or want == word for want, word in zip(asked, has, strict=True))
            and (self.types is None or type in self.types)
            and type not in self.without
        )


ANY = Selector()


@dataclass(frozen=True)
class Operation:
    """What a feature needs from the kernel: whom it looks at, windows and half-life in days, a plain number.

    `attribute` names the customer attribute that it is read from, if any; then `b` is its position in `acc.facts`,
    which holds its number, or with `labels` its position among them. With a `transition` from one channel to another,
    `b` is its column in `acc.steps`; with `parameters`, where they begin in `acc.parameters`.
    """

    who: Selector = ANY
    days: int | None = None
    second_days: int | None = None
    half_life: int | None = None
    number: int = 0
    attribute: str | None = None
    labels: tuple[str, ...] = ()
    transition: tuple[str, str] | None = None
    parameters: tuple[float, ...] = ()


class Feature:
    """One column of the catalogue.

    `read(acc, t, s, a, b) -> float` is compiled: `acc` the accumulators of one customer at instant `t` (microseconds),
    `s` the position of the selector, `a` of the window, `b` of the second window or a plain number; with a half-life,
    `a` and `b` are the positions of fading days and values. NaN is null. Where `categorical`, the value is a position
    among `labels_in` the workspace.
    """

    unit: ClassVar[str]
    null: ClassVar[str] = "never null"
    sensitivity: ClassVar[str] = "behavioural"
    categorical: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()  # of accumulators.NEEDS, roles.PARTS, "cases": added up on demand
    read: ClassVar[Callable[[Any, int, int, int, int], float]]

    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def text(self) -> str:
        raise NotImplementedError

    def operation(self) -> Operation:
        raise NotImplementedError

    def labels_in(self, settings: "Settings") -> tuple[str, ...]:
        """What the positions of a categorical feature stand for: the channels, unless a kind says otherwise."""
        return tuple(settings.channels)


def check_days(*days: int) -> None:
    """Raises ValueError for a window that no state could answer."""
    for number in days:
        if not 1 <= number <= HORIZON_DAYS:
            raise ValueError(f"a window has 1 to {HORIZON_DAYS} days, not {number}: a state remembers no further back")


def last(days: int) -> str:
    """How texts name a window.

    >>> last(1), last(30)
    ('the last day', 'the last 30 days')
    """
    return "the last day" if days == 1 else f"the last {days} days"
