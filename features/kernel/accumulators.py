"""What one pass over a customer's interactions leaves behind, and where the read-offs find it.

Three arrays by selector (which interactions): `windows` holds totals by band of age and measure, `moments` whole
numbers (instants in microseconds, gaps in days, money in millionths), `fading` totals that halve with age. Four of the
customer as a whole, filled by the hooks: see sequence.py, cases.py and facts.py. The arrays are few on purpose: each
one that crosses a function costs compile time and reference counting.
"""

from typing import Any, NamedTuple

import numpy as np

from features.kernel.jit import inlined

#: A state looks back this many 24-hour periods, and keeps this many interactions.
HORIZON_DAYS = 400
BOUND = 4096

#: Measures of `windows`. After the pass they are cumulated, so that a window holds its total; the last is everything.
COUNT, SUM, VALUED, DAYS, RATED, SATISFACTION, CHANNELS, TOPICS, TOPICAL, SAVED = range(10)
MEASURES = 10

#: Columns of `moments`: first, number and money of everything ever known, the newest, and the gaps between active days.
FIRST, NUMBER, MONEY, NEWEST, NEWEST_CHANNEL, LAST_DAY, GAPS, GAP_SUM, GAP_SQUARES, GAP_LONGEST, GAP_RECENT = range(11)
#: Whether the selector is among those that the customer's rows have touched.
TOUCHED = 11
#: Channels and topics met, a bit for each of the first few positions; the set of things met has the others.
CHANNELS_MET, TOPICS_MET = 12, 13
BITS = 62
MOMENTS = 14
NEVER = np.int64(2**62)
#: How many of the newest gaps count as recent.
RECENT_GAPS = 3
#: Lifetime money is kept in millionths, as integers: their sum does not depend on the order of arrival.
MONEY_SCALE = 1_000_000
#: What one interaction can add to it, so that a thousand of the largest still fit.
MONEY_LIMIT = 9.0e9

#: Columns of `fading`: the newest satisfaction, then days and values by half-life.
LAST_SATISFACTION, FADING = 0, 1

#: Positions in `cases`: how many are open, and since when the one that is open longest (NEVER without).
OPEN, OPEN_SINCE = 0, 1
#: Traits of a code, as Compiled writes them: positions of channel, topic and stage of the journey (-1 without), of the
#: type among NAMED_TYPES, bits of roles.py, 1 where the topic is sensitive.
CHANNEL, TOPIC, CASE_ROLE, NAMED_TYPE, ROLES, STAGE, HIDDEN = range(7)
TRAITS = 7
NO_CASE, OPENS, CLOSES = range(3)
#: What is only added up for selectors that some feature asks it of: the first few by `needs` of its kind, the others
#: because its `read` names what they fill (see wants.py). Bits of `Tables.wants`.
NEEDS = ("decay", "distinct", "satisfaction", "discount")
DECAY, DISTINCT, RATING, SAVING, MONEYED, RHYTHM, LASTING = (1 << bit for bit in range(7))
#: In `Tables.selectors`, a selector and above it what it wants.
SELECTOR_BITS = 32
LOW = (1 << SELECTOR_BITS) - 1
#: What is only added up where some feature asks for it at all: one flag each in `Tables.hooks`. Of the first, a
#: feature asks for parts: see roles.PARTS.
HOOKS = ("sequence", "cases")
SEQUENCE, CASES = range(2)

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: 2**64 by the golden ratio


class Accumulators(NamedTuple):
    """Filled by `accumulate`, read by the feature kinds."""

    windows: Any  # float64[selector, window, measure]
    moments: Any  # int64[selector, moment]
    fading: Any  # float64[selector, 1 + 2 * half-lives]
    touched: Any  # int64[1 + selectors]: how many selectors the customer's rows have touched, and which
    cases: Any  # int64[2]
    steps: Any  # float64[window, step]: disjoint bands of age, cumulated after the pass like `windows`
    marks: Any  # int64[mark]: whole numbers
    shares: Any  # float64[half-life]: the load of contacts
    facts: Any  # float64[attribute asked for]: NaN without
    window_days: Any  # int64[window], ascending
    parameters: Any  # float64[...]: numbers that features bring along


class Met(NamedTuple):
    """An open-addressing set of the channels, topics and cases met; what earlier rows left in it counts as free."""

    keys: Any  # uint64[power of two]
    rows: Any  # int64[power of two]: which row filled the slot
    last: Any  # int64[1]: the highest slot in use, one less than a power of two: few rows touch little memory
    notes: Any  # int64[the same, or 0 where nobody asks for cases]: what the hook of cases knows of the one met
    since: Any  # int64[likewise]


@inlined
def clear_all(acc: Any) -> None:
    """Before the first line: no selector is touched."""
    acc.touched[0] = 0
    for s in range(acc.moments.shape[0]):
        _clear_selector(acc, s)
    acc.steps[:] = 0.0


@inlined
def clear(acc: Any) -> None:
    """After a line: what its rows touched is as it was before."""
    for k in range(1, acc.touched[0] + 1):
        _clear_selector(acc, acc.touched[k])
    acc.touched[0] = 0
    acc.steps[:] = 0.0


@inlined
def _clear_selector(acc: Any, s: int) -> None:
    acc.windows[s] = 0.0
    acc.moments[s] = 0
    acc.moments[s, FIRST] = NEVER
    acc.moments[s, LAST_DAY] = -1
    acc.fading[s] = 0.0
    acc.fading[s, LAST_SATISFACTION] = np.nan


@inlined
def touch(acc: Any, s: int) -> bool:
    """Whether no row of this line has touched selector `s` before; remembers it."""
    if acc.moments[s, TOUCHED]:
        return False
    acc.moments[s, TOUCHED] = 1
    acc.touched[0] += 1
    acc.touched[acc.touched[0]] = s
    return True


@inlined
def first_meeting(met: Any, key: Any, row: int) -> bool:
    """Whether `row` has not met `key` (uint64) before; remembers it."""
    return meet(met, key, row) >= 0


@inlined
def meet(met: Any, key: Any, row: int) -> int:
    """The slot of a `key` (uint64) that `row` has not met before, which is remembered; -1 - slot where it has."""
    last = met.last[0]
    slot = np.int64((key * _SPREAD) >> np.uint64(40)) & last
    while met.rows[slot] == row:
        if met.keys[slot] == key:
            return -1 - slot
        slot = (slot + 1) & last
    met.rows[slot] = row
    met.keys[slot] = key
    return slot


@inlined
def cumulate(acc: Any, tables: Any) -> None:
    """From disjoint bands of age to windows that contain the younger ones."""
    for k in range(1, acc.touched[0] + 1):
        s = acc.touched[k]
        measures = MEASURES if tables.wants[s] & ~LASTING else COUNT + 1
        for window in range(1, acc.windows.shape[1]):
            for measure in range(measures):
                acc.windows[s, window, measure] += acc.windows[s, window - 1, measure]
    for window in range(1, acc.steps.shape[0]):
        for step in range(acc.steps.shape[1]):
            acc.steps[window, step] += acc.steps[window - 1, step]
