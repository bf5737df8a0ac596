"""Of a long table a part, drawn by chance, teaches and judges learners: a few hundred thousand rows tell them most of
what can be known, and their time grows with every row.

Every row is as likely to be drawn as any other, whatever its group and outcome, so what holds of the part holds of the
table and nothing needs weights. Where rows are of customers, all rows of a customer are drawn or none.
"""

from dataclasses import dataclass

import numpy as np

#: So many rows teach, and as many more, up to `MOST`, as it takes for `RESPONDERS` in each group that has them.
ROWS, MOST, RESPONDERS = 300_000, 500_000, 5_000
#: More than `MOST` teach only where some group would keep fewer than so many customers or responders.
LEAST_CUSTOMERS, LEAST_RESPONDERS = 1_000, 200


@dataclass(frozen=True)
class Part:
    """bool[n]: which rows teach; and a sentence of why, where not all do."""

    taught: np.ndarray
    said: str | None


def drawn(
    arm: np.ndarray, outcome: np.ndarray, binary: bool, customer: np.ndarray | None, rows: int | None, seed: int
) -> Part:
    """`customer` int[n] numbers customers from 0; None where each row is one. `rows` at most teach, 0: all; by default
    as many as `wanted` says."""
    responded = _responded(outcome, binary)
    count = wanted(arm, responded) if rows is None else rows
    everyone = np.ones(len(arm), bool)
    if count == 0 or count >= len(arm):
        return Part(everyone, None)
    unit = np.arange(len(arm)) if customer is None else customer
    size = np.bincount(unit)
    order = np.random.default_rng([seed, 1]).permutation(len(size))
    taken = np.zeros(len(size), bool)
    taken[order[np.cumsum(size[order]) <= count]] = True
    taught = taken[unit]
    fewest = int(np.bincount(arm[taught & responded], minlength=arm.max() + 1).min())
    said = (
        f"To save time {taught.sum():,} of {len(arm):,} {'rows' if customer is None else 'rows, by customer,'} drawn "
        f"by chance taught and judged the learners ({fewest:,} responders or more in each group); mean effects, what "
        "contacting all is worth and who was in which group rest on all rows. To learn from all: --rows 0."
    )
    return Part(taught, said)


def wanted(arm: np.ndarray, responded: np.ndarray) -> int:
    """How many rows are to teach; `responded` bool[n] are those whose outcome is the rarer one."""
    customers = np.bincount(arm)
    responders = np.bincount(arm[responded], minlength=len(customers))
    usual = _share(responders, RESPONDERS) * len(arm)
    least = max(_share(customers, LEAST_CUSTOMERS), _share(responders, LEAST_RESPONDERS)) * len(arm)
    return int(np.ceil(max(np.clip(usual, ROWS, MOST), least)))


def _share(counts: np.ndarray, least: int) -> float:
    """How much of the table leaves every group as many as `least`, or all that it has."""
    return float(min(1.0, least / max(1, counts.min())))


def _responded(outcome: np.ndarray, binary: bool) -> np.ndarray:
    """bool[n]: of a yes/no the rarer answer, of an amount any."""
    responded = outcome != 0
    return ~responded if binary and responded.mean() > 0.5 else responded
