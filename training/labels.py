"""Whose cutoffs count and what came of them: population and churn labels, by the rule in tactful.yaml."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.clock import DAY
from features.workspace import Churn


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


@dataclass(frozen=True)
class Life:
    """Signs of life and departures of every customer in a log."""

    customers: np.ndarray
    signs: Events
    departures: Events
    rule: Churn

    @classmethod
    def of(cls, interactions: pa.Table, rule: Churn) -> "Life":
        """Needs customer_id, occurred_at, received_at and type."""
        ids = interactions["customer_id"].combine_chunks().dictionary_encode()
        place = ids.indices.to_numpy(zero_copy_only=False)
        at = micros(interactions["occurred_at"])
        known = micros(interactions["received_at"])

        def events(types: Sequence[str]) -> Events:
            rows = np.flatnonzero(
                pc.is_in(interactions["type"], pa.array(types, pa.string())).to_numpy(zero_copy_only=False)
            )
            rows = rows[np.argsort(at[rows], kind="stable")]
            return Events(at[rows], known[rows], place[rows])

        departures = [rule.event] if rule.event else []
        customers = ids.dictionary.to_numpy(zero_copy_only=False)
        return cls(customers, events(rule.qualifying), events(departures), rule)

    def population(self, cutoff: int, within: float | None = None) -> np.ndarray:
        """Indices of the customers at a cutoff: a known sign of life in the days before, no known departure.

        `within` days instead of the rule's `active_days`, where given.
        """
        count, since = len(self.customers), cutoff - int((within or self.rule.active_days) * DAY)
        alive = self.signs.between(since, cutoff, count, known_by=cutoff)
        return np.flatnonzero(alive & ~self.departures.between(since, cutoff, count, known_by=cutoff))

    def churned(self, cutoff: int) -> np.ndarray:
        """bool, one a customer: no sign of life in [cutoff, cutoff + horizon), or a departure there.

        Where silence is no leaving, the departure alone counts.
        """
        count, until = len(self.customers), cutoff + self.rule.horizon_days * DAY
        left = self.departures.between(cutoff, until, count)
        return left | ~self.signs.between(cutoff, until, count) if self.rule.silence else left


def micros(column: pa.ChunkedArray) -> np.ndarray:
    """Instants as int64 microseconds UTC."""
    return column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
