"""What one pass over a customer's interactions leaves behind, and where the read-offs find it.

Axes: selector (which interactions), measure (what is added up), window (band of age), half-life. Windows are cumulated
after the pass, so `windows[selector, measure, window]` is the total of that window; the last one is everything in the
state's bound.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

#: A state looks back this many 24-hour periods, and keeps this many interactions.
HORIZON_DAYS = 400
BOUND = 4096

# measures
COUNT, SUM, VALUED, DAYS, RATED, SATISFACTION, CHANNELS, TOPICS = range(8)
MEASURES = 8
# columns of `gaps`
GAPS, GAP_SUM, GAP_SQUARES, GAP_LONGEST, GAP_RECENT, LAST_DAY = range(6)
#: How many of the newest gaps count as recent.
RECENT_GAPS = 3
# columns of `lifetime`
FIRST, NUMBER, MONEY = range(3)
#: Lifetime money is kept in millionths, as integers: their sum does not depend on the order of arrival.
MONEY_SCALE = 1_000_000
#: What one interaction can add to it, so that a thousand of the largest still fit.
MONEY_LIMIT = 9.0e9
NEVER = np.int64(2**62)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: 2**64 by the golden ratio
# columns of a code's facts
CHANNEL, TOPIC, CASE_ROLE = range(3)
NO_CASE, OPENS, CLOSES = range(3)


class Accumulators(NamedTuple):
    """Filled by `accumulate`, read by the feature kinds in `features/definitions.py`."""

    window_days: Any  # int64[window], ascending
    windows: Any  # float64[selector, measure, window]
    newest: Any  # int64[selector]: when the newest interaction occurred
    newest_channel: Any  # int64[selector]
    last_satisfaction: Any  # float64[selector], NaN without
    gaps: Any  # int64[selector, 6], in 24-hour periods
    decayed_days: Any  # float64[selector, half-life]
    decayed_sums: Any  # float64[selector, half-life]
    lifetime: Any  # int64[selector, 3]
    cases: Any  # int64[1]: open ones
    seen: Any  # uint64[power of two]: an open-addressing set of the channels, topics and cases met
    marks: Any  # int64[power of two]: which row filled the slot; slots of earlier rows are free


@njit
def new_accumulators(selectors: int, window_days: Any, half_lives: int, slots: int) -> Accumulators:
    return Accumulators(
        window_days,
        np.zeros((selectors, MEASURES, window_days.shape[0])),
        np.zeros(selectors, np.int64),
        np.zeros(selectors, np.int64),
        np.zeros(selectors),
        np.zeros((selectors, 6), np.int64),
        np.zeros((selectors, half_lives)),
        np.zeros((selectors, half_lives)),
        np.zeros((selectors, 3), np.int64),
        np.zeros(1, np.int64),
        np.zeros(slots, np.uint64),
        np.zeros(slots, np.int64),
    )


@njit
def clear(acc: Any) -> None:
    """Everything but the marks: those carry the number of the row that set them."""
    acc.windows[:] = 0.0
    acc.newest[:] = 0
    acc.newest_channel[:] = -1
    acc.last_satisfaction[:] = np.nan
    acc.gaps[:] = 0
    acc.gaps[:, LAST_DAY] = -1
    acc.decayed_days[:] = 0.0
    acc.decayed_sums[:] = 0.0
    acc.lifetime[:] = 0
    acc.lifetime[:, FIRST] = NEVER
    acc.cases[0] = 0


@njit
def first_meeting(acc: Any, key: int, mark: int) -> bool:
    """Whether row `mark` has not met `key` (uint64) before; remembers it."""
    last = acc.seen.shape[0] - 1
    slot = np.int64((key * _SPREAD) >> np.uint64(40)) & last
    while acc.marks[slot] == mark:
        if acc.seen[slot] == key:
            return False
        slot = (slot + 1) & last
    acc.marks[slot] = mark
    acc.seen[slot] = key
    return True


@njit
def cumulate(acc: Any) -> None:
    """From disjoint bands of age to windows that contain the younger ones."""
    for selector in range(acc.windows.shape[0]):
        for measure in range(MEASURES):
            for window in range(1, acc.windows.shape[2]):
                acc.windows[selector, measure, window] += acc.windows[selector, measure, window - 1]
