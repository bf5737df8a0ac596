"""Are customers enough? What a group needs for effects by customer, what a part that teaches needs, what an interval.

Where customers have several rows, `customer` int[n] says whose each is; None where each row is a customer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.reports import statistics
from training.uplift.sample import Sample

#: Below these no effect by customer can be told: rows in a group, customers that have them, and responses in all.
SMALLEST_ARM, FEWEST_CUSTOMERS, FEWEST_RESPONSES = 100, 30, 20


@dataclass(frozen=True)
class Size:
    """Of a group: its rows, and the customers that have them, None where each row is one."""

    rows: int
    customers: int | None

    @property
    def enough(self) -> bool:
        return self.rows >= SMALLEST_ARM and (self.customers is None or self.customers >= FEWEST_CUSTOMERS)

    def __str__(self) -> str:
        return f"{self.rows:,}" + ("" if self.customers is None else f" of {self.customers:,} customers")


def sizes(arm: np.ndarray, customer: np.ndarray | None) -> Mapping[str, Size]:
    """By the label of each group, [n], as text."""
    found = {}
    for label, count in zip(*np.unique(arm, return_counts=True), strict=True):
        there = None if customer is None else len(np.unique(customer[arm == label]))
        found[str(label)] = Size(int(count), there)
    return found


def needed(customer: np.ndarray | None) -> str:
    """What `Size.enough` asks of a group."""
    return f"{SMALLEST_ARM} customers" if customer is None else f"{SMALLEST_ARM} rows of {FEWEST_CUSTOMERS} customers"


def of_arms(arm: np.ndarray, customer: np.ndarray | None, arms: int) -> bool:
    """Whether every one of the arms, int[n] from 0, has enough."""
    found = sizes(arm, customer)
    return len(found) == arms and all(one.enough for one in found.values())


def too_few(sample: Sample, arms: Sequence[str], randomised: bool) -> dict[str, str]:
    """By arm, why it and the control are too few for an interval; those who were less probable there count for more.

    Of customers with several rows those are cases who ever gave the rarer answer; or all that they brought counts.
    """
    groups = [_group(sample, k, randomised) for k in range(len(arms))]
    counted = "" if randomised else "; who was less probable in a group counts for more, so fewer count there"
    why = {name: statistics.too_few(groups[0], one, sample.binary) for name, one in zip(arms, groups, strict=True)}
    return {name: f"{reason}{counted}" for name, reason in why.items() if reason is not None and name != arms[0]}


def _group(sample: Sample, k: int, randomised: bool) -> statistics.Sample:
    there = sample.arm == k
    value, weight = sample.outcome[there], None if randomised else 1 / sample.propensity[there, k]
    if sample.customer is None:
        return statistics.Sample.weighted(value, weight)
    _, place, count = np.unique(sample.customer[there], return_inverse=True, return_counts=True)
    weight = None if weight is None else np.bincount(place, weight) / count
    if not sample.binary:
        return statistics.Sample.weighted(np.bincount(place, value), weight)
    common = sample.outcome.mean() > 0.5
    case = np.bincount(place, 1 - value if common else value) > 0
    found = statistics.Sample.weighted((case != common).astype(np.float64), weight)
    if case.mean() <= 0.5:
        return found
    return replace(found, mean=0.5, variance=0.25, skew=0.0)  # nearly everybody did now and then: no lack of cases
