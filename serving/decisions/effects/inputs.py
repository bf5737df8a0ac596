"""What effects are functions of: numbers made of a customer's features and of the contacts that stand.

Each declaration makes one number; the package's text says how.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from features import clock
from features.workspace import WorkspaceError

#: What an input is, in the compiled tables.
VALUE, MISSING, LABEL, CONTACTS = 0, 1, 2, 3


@dataclass(frozen=True)
class Value:
    """A numeric feature within bounds, `fill` where it is null."""

    feature: str
    fill: float = 0.0
    low: float | None = None
    high: float | None = None
    transform: str = "identity"
    what: ClassVar[int] = VALUE


@dataclass(frozen=True)
class Missing:
    """Whether a feature is null."""

    feature: str
    missing: bool = True
    what: ClassVar[int] = MISSING


@dataclass(frozen=True)
class Label:
    """Whether a categorical feature is one of its labels."""

    feature: str
    label: str
    what: ClassVar[int] = LABEL


@dataclass(frozen=True)
class Contacts:
    """Contacts that stand on a channel (None: on any), of the last `days`, or fading by `half_life_days`.

    With weights by channel instead, each counts as much as its channel's, and `other` on a channel that is not named.
    """

    contacts: str | Mapping[str, float] | None
    days: float | None = None
    half_life_days: float | None = None
    low: float | None = None
    high: float | None = None
    transform: str = "identity"
    other: float | None = None
    what: ClassVar[int] = CONTACTS

    def __post_init__(self) -> None:
        stated = [span for span in (self.days, self.half_life_days) if span is not None]
        if len(stated) != 1 or not 0 < stated[0] < 10_000:
            raise ValueError("an input of contacts states either `days` or `half_life_days`, above 0")
        if (self.other is not None) != isinstance(self.contacts, Mapping):
            raise ValueError("an input of contacts states `other` beside weights by channel, and only there")
        if not all(0.0 <= weight < math.inf for weight in self.weights.values()):
            raise ValueError("a weight of contacts is no finite number from 0 up")

    @property
    def weights(self) -> Mapping[str | None, float]:
        """How much a contact counts by channel; None: on every other."""
        if isinstance(self.contacts, str):
            return {self.contacts: 1.0, None: 0.0}
        if self.contacts is None or self.other is None:
            return {None: 1.0}
        return dict[str | None, float]({**self.contacts}) | {None: self.other}


Input = Value | Missing | Label | Contacts


def read(told: Mapping[str, Any]) -> Input:
    """From `as_dict`; KeyError, TypeError or ValueError where it is none."""
    for key, kind in (("contacts", Contacts), ("missing", Missing), ("label", Label)):
        if key in told:
            return kind(**told)
    return Value(**told)


def as_dict(one: Input) -> dict[str, Any]:
    """Ready for JSON, without what is not stated."""
    needed = ("contacts", "feature", "fill")
    if isinstance(one, Contacts) and isinstance(one.contacts, Mapping):
        one = replace(one, contacts=dict(one.contacts))
    return {name: value for name, value in vars(one).items() if value is not None or name in needed}


@dataclass(frozen=True)
class Plan:
    """Inputs as compiled code reads them, one row each.

    `source` int64[p, 4]: what it is, which feature (or which of the contact counts), a label's code, 1 for log1p.
    `number` float64[p, 3]: fill, low, high. `counted` int64[k, 2]: microseconds, 1 where they are a half-life;
    `weight` float64[k, channels + 1]: how much a contact on each of `channels` counts, and on any other.
    """

    source: np.ndarray
    number: np.ndarray
    counted: np.ndarray
    weight: np.ndarray
    channels: Sequence[str]


def plan(inputs: Sequence[Input], names: Sequence[str], levels: Mapping[str, Sequence[str] | None]) -> Plan:
    """Bound to the catalogue's feature vector; WorkspaceError where it lacks what an input asks about."""
    place = {name: index for index, name in enumerate(names)}
    asked = dict.fromkeys(one.feature for one in inputs if not isinstance(one, Contacts))
    if lacking := [name for name in asked if name not in place]:
        raise WorkspaceError(f"it needs features that the catalogue no longer has ({', '.join(lacking[:5])})")
    of_contacts = [one for one in inputs if isinstance(one, Contacts)]
    channels = list(dict.fromkeys(name for one in of_contacts for name in one.weights if name is not None))
    weight = [[one.weights.get(name, one.weights[None]) for name in (*channels, None)] for one in of_contacts]
    source, number, counted = list[tuple[int, ...]](), list[tuple[float, ...]](), list[tuple[int, ...]]()
    for one in inputs:
        index, code, log, fill, low, high = 0, 0, False, 0.0, None, None
        if isinstance(one, Contacts):
            index, days = len(counted), one.half_life_days if one.days is None else one.days
            assert days is not None
            counted.append((max(1, round(days * clock.DAY)), one.days is None))
        else:
            index = place[one.feature]
            labels = levels.get(one.feature)
            if isinstance(one, Label):
                if labels is None or one.label not in labels:
                    raise WorkspaceError(f"it asks whether {one.feature} is {one.label!r}, which is none of its labels")
                code = list(labels).index(one.label)
            elif isinstance(one, Value) and labels is not None:
                raise WorkspaceError(f"it treats {one.feature} as a number, which is a category")
        if isinstance(one, Value | Contacts):
            log, low, high = _log(one.transform), one.low, one.high
        if isinstance(one, Value):
            fill = one.fill
        source.append((one.what, index, code, log))
        number.append((fill, -np.inf if low is None else low, np.inf if high is None else high))
    return Plan(
        np.array(source, np.int64).reshape(len(source), 4),
        np.array(number, np.float64).reshape(len(number), 3),
        np.array(counted, np.int64).reshape(len(counted), 2),
        np.array(weight, np.float64).reshape(len(counted), len(channels) + 1),
        channels,
    )


def _log(transform: str) -> bool:
    if transform not in ("identity", "log1p"):
        raise WorkspaceError(f"it asks for the transform {transform!r}; `identity` and `log1p` are known")
    return transform == "log1p"
