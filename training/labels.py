"""Whose cutoffs count and what came of them: population and churn labels, by the rule in tactful.yaml.

A customer is a person as known by then: alive as of a cutoff if any id that was theirs is, and back if any id shows
life that is theirs by the end of the horizon.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.clock import DAY
from features.past import Past
from features.workspace import Churn, Settings
from training.persons import Persons, among, customers, known


@dataclass(frozen=True)
class Events:
    """Events in time order. `customer` is an index into `Life.customers`; instants in microseconds."""

    at: np.ndarray
    known: np.ndarray
    customer: np.ndarray

    def between(self, low: int, high: int, count: int, known_by: int | None = None) -> np.ndarray:
        """bool[count]: which customers have an event in [low, high), known by `known_by` where that is given."""
        start, stop = np.searchsorted(self.at, [low, high])
        customer = self.customer[start:stop]
        if known_by is not None:
            customer = customer[self.known[start:stop] <= known_by]
        return np.bincount(customer, minlength=count) > 0

    def days(self, low: int, high: int) -> int:
        """On how many days of [low, high) there was an event that was known at its end."""
        start, stop = np.searchsorted(self.at, [low, high])
        return len(np.unique(self.at[start:stop][self.known[start:stop] <= high] // DAY))


@dataclass(frozen=True)
class Life:
    """Signs of life and departures of every customer in a log."""

    persons: Persons
    signs: Events
    departures: Events
    rule: Churn

    @classmethod
    def of(cls, past: Past | pa.Table, settings: Settings) -> "Life":
        """Interactions need customer_id, occurred_at, received_at and type."""
        past = known(Past.of(past))
        interactions, rule = past.interactions, settings.churn
        place, ids = customers(interactions)
        at = micros(interactions["occurred_at"])
        known_from = micros(interactions["received_at"])

        def events(types: Sequence[str]) -> Events:
            rows = np.flatnonzero(among(interactions["type"], list(types)))
            rows = rows[np.argsort(at[rows], kind="stable")]
            return Events(at[rows], known_from[rows], place[rows])

        departures = [rule.event] if rule.event else []
        return cls(Persons.of(ids, past.links, settings), events(rule.qualifying), events(departures), rule)

    @property
    def customers(self) -> np.ndarray:
        """Ids, object[n]: what population and churned speak of."""
        return self.persons.ids

    def population(self, cutoff: int, within: float | None = None) -> np.ndarray:
        """Indices of the customers at a cutoff: a known sign of life in the days before, no known departure.

        `within` days instead of the rule's `active_days`, where given.
        """
        count, since = len(self.customers), cutoff - int((within or self.rule.active_days) * DAY)
        alive, gone = (
            self.persons.merged(events.between(since, cutoff, count, known_by=cutoff), cutoff)
            for events in (self.signs, self.departures)
        )
        return np.flatnonzero(alive & ~gone)

    def churned(self, cutoff: int, early: int | None = None) -> np.ndarray:
        """bool, one a customer: no sign of life in [cutoff, cutoff + horizon), or a departure there.

        Where silence is no leaving, the departure alone counts. `early` asks for so many days instead of the horizon,
        and for what was known when they were over.
        """
        count, until = len(self.customers), cutoff + (early or self.rule.horizon_days) * DAY
        became = self.persons.at(until)
        back, left = (
            self.persons.merged(events.between(cutoff, until, count, until if early else None), until)[became]
            for events in (self.signs, self.departures)
        )
        return left | ~back if self.rule.silence else left


def micros(column: pa.ChunkedArray) -> np.ndarray:
    """Instants as int64 microseconds UTC."""
    return column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
