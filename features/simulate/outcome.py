"""What came of a policy: true value and harm by customer, and the log that training may learn from."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.simulate.events import Events
from features.simulate.policy import Choice, View


class Day(NamedTuple):
    """What there is to tell of a day: the morning, the answers, what was done of them (int16[n]), and what happened."""

    view: View
    choice: Choice
    made: np.ndarray
    news: Events

    @property
    def considered(self) -> np.ndarray:
        """int32[k]: the customers that there was a decision about."""
        asked = self.view.known if self.choice.considered is None else self.choice.considered & self.view.known
        return np.flatnonzero(asked).astype(np.int32)


class Log:
    """Decisions as columns: every customer considered on every day, silence too.

    `day`, `customer` int32, `treatment` int16 (what was really done), `probability` float32 of that answer,
    `distribution` float32[rows, treatments + 1] (silence last) or None.
    """

    def __init__(self, distributions: bool = False) -> None:
        self.keeps = distributions
        self._parts: list[tuple[np.ndarray, ...]] = []

    def add(self, day: Day) -> None:
        """One day's."""
        rows, choice = day.considered, day.choice
        days = np.full(len(rows), day.view.day, np.int32)
        part: tuple[np.ndarray, ...] = (days, rows, day.made[rows], np.asarray(choice.probability, np.float32)[rows])
        if self.keeps:
            if choice.distribution is None:
                raise ValueError("the policy does not say its distributions; play it with distributions=False")
            part = (*part, choice.distribution[rows])
        self._parts.append(part)

    def __len__(self) -> int:
        return sum(len(part[0]) for part in self._parts)

    def _column(self, k: int) -> np.ndarray:
        return np.concatenate([part[k] for part in self._parts])

    @property
    def day(self) -> np.ndarray:
        return self._column(0)

    @property
    def customer(self) -> np.ndarray:
        return self._column(1)

    @property
    def treatment(self) -> np.ndarray:
        return self._column(2)

    @property
    def probability(self) -> np.ndarray:
        return self._column(3)

    @property
    def distribution(self) -> np.ndarray | None:
        return self._column(4) if self.keeps else None


@dataclass(frozen=True)
class Outcome:
    """Columns of n customers, in money: margin earned and cost of contacts in the days played; remaining, what they are
    expected to bring in the long run if nobody contacts them; permission, what they still let us earn by contacts.
    Counts: contacts, opted_out, complained; left: bool, who left in these days.
    """

    policy: str
    days: int
    margin: np.ndarray
    cost: np.ndarray
    remaining: np.ndarray
    permission: np.ndarray
    contacts: np.ndarray
    opted_out: np.ndarray
    complained: np.ndarray
    left: np.ndarray
    log: Log

    @property
    def value(self) -> np.ndarray:
        """The true long-run value, by customer."""
        return self.margin - self.cost + self.remaining + self.permission

    def above(self, other: "Outcome") -> tuple[float, float]:
        """Value per customer above another policy's from the same morning, and its standard error over customers."""
        difference = self.value - other.value
        return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))

    def __str__(self) -> str:
        n = len(self.margin)
        return (
            f"{self.policy}: {self.value.sum() / n:.3f} a customer (margin {self.margin.sum() / n:.3f} - contacts"
            f" {self.cost.sum() / n:.3f} + remaining {self.remaining.sum() / n:.3f} + permission"
            f" {self.permission.sum() / n:.3f}); {self.contacts.sum():,} contacts, {self.opted_out.sum():,} opt-outs,"
            f" {self.complained.sum():,} complaints, {int(self.left.sum()):,} left in {self.days} days"
        )
