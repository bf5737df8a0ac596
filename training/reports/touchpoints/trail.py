"""The log as arrays in order of customer and time, and questions about windows of it answered by binary search."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from features.interactions import REACTIONS, SURVEY
from features.step_words import step_names
from features.trail.kept import up_to_date
from features.vocabulary import Entry
from features.workspace import Workspace, WorkspaceError

#: A key is the customer above milliseconds since the log began: 34 years, 8 million customers.
_BITS = 40


@dataclass(frozen=True)
class Touchpoint:
    """`codes` are the vocabulary's that belong to it."""

    name: str
    codes: np.ndarray
    channel: str | None = None
    direction: str | None = None
    type: str | None = None
    topic: str | None = None


@dataclass(frozen=True)
class Trail:
    """Row by row, each customer's together and in order. `customer` is a position among `names`; `at` microseconds."""

    names: np.ndarray
    entries: Sequence[Entry]
    customer: np.ndarray
    at: np.ndarray
    code: np.ndarray
    value: np.ndarray
    satisfaction: np.ndarray
    known_until: int

    @classmethod
    def read(cls, workspace: Workspace) -> "Trail":
        """Raises WorkspaceError where history is empty."""
        kept = up_to_date(workspace)
        if kept is None:
            raise WorkspaceError(f"{workspace.history}: there are no interactions to report on; `tactful ingest FILE`")
        rows = kept.rows
        value, satisfaction = np.full(len(rows.at), np.nan), np.full(len(rows.at), np.nan)
        value[rows.noted], satisfaction[rows.noted] = rows.value, rows.satisfaction
        customer = np.repeat(np.arange(len(kept.names), dtype=np.int32), np.diff(rows.start))
        return cls(kept.names, kept.entries, customer, rows.at, rows.code, value, satisfaction, kept.known_until)

    def only(self, customers: np.ndarray) -> "Trail":
        """The rows of some customers, by the same numbers."""
        wanted = np.zeros(len(self.names), bool)
        wanted[customers] = True
        rows = wanted[self.customer]
        columns = ("customer", "at", "code", "value", "satisfaction")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    @cached_property
    def base(self) -> int:
        return int(self.at.min()) if len(self.at) else 0

    @cached_property
    def keys(self) -> np.ndarray:
        """int64[n], ascending."""
        return self.key(self.customer, self.at)

    def key(self, customer: np.ndarray, at: np.ndarray) -> np.ndarray:
        """What a customer did before `at` has smaller keys, and what another did is beyond the ends."""
        return (customer.astype(np.int64) << _BITS) + np.clip((at - self.base) // 1000, 0, (1 << _BITS) - 1)

    def of_types(self, types: Collection[str]) -> np.ndarray:
        """bool[n]."""
        return self.of_codes(np.flatnonzero([entry[2] in types for entry in self.entries]))

    def of_codes(self, codes: np.ndarray) -> np.ndarray:
        """bool[n]."""
        asked = np.zeros(len(self.entries) + 1, bool)
        asked[codes] = True
        return asked[self.code]

    def rows(self, codes: np.ndarray) -> np.ndarray:
        """int64[k], ascending: the same rows by their positions, without looking at all the others."""
        order, first = self._by_code
        return np.sort(np.concatenate([order[first[code] : first[code + 1]] for code in codes.tolist()]))

    @cached_property
    def _by_code(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions in order of code, and where each code's begin."""
        few = len(self.entries) < 1 << 16  # numbers so small are sorted by radix
        order = np.argsort(self.code.astype(np.uint16) if few else self.code, kind="stable")
        return order, np.searchsorted(self.code[order], np.arange(len(self.entries) + 1))

    def within(self, marked: np.ndarray, customer: np.ndarray, since: np.ndarray, until: np.ndarray) -> np.ndarray:
        """bool[m]: whether customer i has a marked row (bool[n], or positions) in [since[i], until[i])."""
        first, last = self.span(marked, customer, since, until)
        return last > first

    def span(
        self, marked: np.ndarray, customer: np.ndarray, since: np.ndarray, until: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions among the marked rows: those in [since[i], until[i]) of customer i are first[i]:last[i]."""
        keys = self.keys[marked]
        return np.searchsorted(keys, self.key(customer, since)), np.searchsorted(keys, self.key(customer, until))

    def touchpoints(self, goal: Collection[str]) -> list[Touchpoint]:
        """Every type on a channel, and every topic (of what is not itself the goal).

        Surveys and answers to contacts are none: they only tell how others were. Nor is what stands in the vocabulary
        alone: rows on sensitive topics were left out, and their names are told nobody.
        """
        steps: dict[tuple[str, str, str], list[int]] = {}
        topics: dict[str, list[int]] = {}
        for code in np.flatnonzero(np.bincount(self.code, minlength=1)).tolist():
            channel, direction, type_, topic = self.entries[code]
            if type_ != SURVEY and type_ not in REACTIONS:
                steps.setdefault((channel, direction, type_), []).append(code)
                if topic is not None and type_ not in goal:
                    topics.setdefault(topic, []).append(code)
        listed = sorted(steps.items())
        names = step_names([(type_, channel, direction) for (channel, direction, type_), _ in listed])
        found = [
            Touchpoint(name, np.array(codes), *step)
            for name, (step, codes) in zip(names, listed, strict=True)
        ]  # fmt: skip
        return found + [
            Touchpoint(f"topic {topic}", np.array(codes), topic=topic) for topic, codes in sorted(topics.items())
        ]
