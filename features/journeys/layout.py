"""The journeys of everyone as arrays, written once by the report and mapped into memory by whoever counts."""

from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features import kept_arrays
from features.journeys.trace import Traced

VERSION = 4


@dataclass(frozen=True)
class Step:
    """What a step is: a type on a channel, by the customer (inbound) or by us (outbound)."""

    channel: str
    direction: str
    type: str


@dataclass(frozen=True)
class Segment:
    """A way to tell customers apart, known before the journey: label positions, -1 where nothing was known."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Rules:
    """What journeys depend on beside the log: the pause, and types that are the goal, show life, or end it."""

    pause_days: int
    goal: tuple[str, ...]
    signs: tuple[str, ...]
    departure: str | None
    silence: bool
    sensitive: tuple[str, ...]

    @property
    def meant(self) -> tuple[str, ...]:
        """Types that mean something here."""
        return (*self.goal, *self.signs, *((self.departure,) if self.departure else ()))

    @property
    def pause(self) -> int:
        """Microseconds; also how long a silence is leaving."""
        return self.pause_days * 86_400_000_000


@dataclass(frozen=True)
class Layout:
    """Steps and journeys as in trace.py, ordered by customer; `customers` of them.

    `newest` int64[customers] is the instant of each one's last interaction. `segment` int16[segments, journeys]; `zone`
    int32[customers] is the position in `zones` of where they live. `known_until` in microseconds.
    """

    traced: Traced
    steps: tuple[Step, ...]
    customers: int
    newest: np.ndarray
    segments: tuple[Segment, ...]
    segment: np.ndarray
    zones: tuple[str, ...]
    zone: np.ndarray
    rules: Rules
    known_until: int

    @property
    def journeys(self) -> int:
        return len(self.traced.customer)

    @cached_property
    def started(self) -> np.ndarray:
        """int64[journeys]: when each began."""
        return self.traced.at[self.traced.first[:-1]]

    @cached_property
    def over(self) -> np.ndarray:
        """bool[journeys]: whether it ended: at the goal, or quiet."""
        nobody = np.append(self.traced.customer[1:] == self.traced.customer[:-1], False)[: self.journeys]
        return self.traced.reached | nobody | (self.traced.anchor + self.rules.pause < self.known_until)

    def own(self) -> np.ndarray:
        """bool[steps]: what customers do themselves."""
        return np.array([step.direction == "inbound" for step in self.steps], np.bool_)

    def of_types(self, types: tuple[str, ...]) -> np.ndarray:
        """bool[steps]: the steps of these types."""
        return np.array([step.type in types for step in self.steps], np.bool_)


def write(folder: Path, layout: Layout, names: pa.Array, made_of: dict[str, Any]) -> None:
    """Keeps a layout, and beside it the customers' ids (`names[i]` is customer i) and what it was made of."""
    arrays = dict(zip(Traced._fields, layout.traced, strict=True))
    arrays |= {"segment": layout.segment, "zone": layout.zone, "newest": layout.newest}
    noted = {
        "version": VERSION,
        "known_until": layout.known_until,
        "steps": [[step.channel, step.direction, step.type] for step in layout.steps],
        "segments": [[segment.name, list(segment.labels)] for segment in layout.segments],
        "zones": list(layout.zones),
        "rules": {each.name: getattr(layout.rules, each.name) for each in fields(Rules)},
        "made_of": made_of,
    }
    kept_arrays.write(folder, str(layout.known_until), arrays, names, noted)


def about(folder: Path) -> dict[str, Any] | None:
    """What `write` noted; None where nothing is kept, or another version kept it, or it is damaged."""
    return kept_arrays.about(folder, VERSION)


def read(folder: Path) -> Layout | None:
    """The layout kept in `folder`, its arrays mapped and not read; None as in `about`."""
    for _ in range(3):  # a report may replace it while it is opened
        noted = about(folder)
        if noted is None:
            return None
        try:
            return _read(folder, noted)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def names(folder: Path) -> np.ndarray | None:
    """object[customers]: the ids of customers, None for who was erased since; None where nothing is kept."""
    return kept_arrays.names(folder, about(folder))


def _read(folder: Path, noted: dict[str, Any]) -> Layout:
    array = partial(kept_arrays.array, folder, noted)
    rules: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in noted["rules"].items()
    }
    return Layout(
        Traced(*(array(name) for name in Traced._fields)),
        tuple(Step(*step) for step in noted["steps"]),
        noted["customers"],
        array("newest"),
        tuple(Segment(name, tuple(labels)) for name, labels in noted["segments"]),
        array("segment"),
        tuple(noted["zones"]),
        array("zone"),
        Rules(**rules),
        noted["known_until"],
    )
