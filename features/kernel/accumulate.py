"""The one pass: newest interaction first, everything that any feature may want is added up once."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from features.clock import DAY
from features.kernel.accumulators import (
    BOUND,
    CASE_ROLE,
    CHANNEL,
    CHANNELS,
    COUNT,
    DAYS,
    FIRST,
    GAP_LONGEST,
    GAP_RECENT,
    GAP_SQUARES,
    GAP_SUM,
    GAPS,
    HORIZON_DAYS,
    LAST_DAY,
    MONEY,
    MONEY_LIMIT,
    MONEY_SCALE,
    NO_CASE,
    NUMBER,
    OPENS,
    RATED,
    RECENT_GAPS,
    SATISFACTION,
    SUM,
    TOPIC,
    TOPICS,
    VALUED,
    first_meeting,
)

_CASE = np.uint64(1 << 63)


class Columns(NamedTuple):
    """Interactions as the kernel reads them, each customer's together and in order of (occurred_at, hash of id).

    `received`, `satisfaction` and `case` may have length 0: received when occurred, never rated, no case.
    """

    at: Any  # int64
    received: Any  # int64
    code: Any  # int32
    value: Any  # float64, NaN without
    satisfaction: Any  # float64, NaN without
    case: Any  # uint64, 0 without


@njit
def accumulate(acc: Any, columns: Any, registers: Any, tables: Any, lo: int, hi: int, t: int, mark: int) -> None:
    """Fills `acc` with what was known at `t` of the customer in rows lo..hi.

    Known: occurred before t and received by then. In detail the newest 4,096 of those that are at most 400 days old;
    of the rest, and of `registers` (int64[n, 4]: code, first, number, money), only the lifetime totals.
    """
    for r in range(registers.shape[0]):
        add_register(acc, registers[r], tables)
    remembered = 0
    for i in range(lo + np.searchsorted(columns.at[lo:hi], t) - 1, lo - 1, -1):
        if columns.received.shape[0] and columns.received[i] > t:
            continue
        code = columns.code[i]
        day = (t - 1 - columns.at[i]) // DAY
        recent = day < HORIZON_DAYS and remembered < BOUND
        if recent:
            remembered += 1
            if columns.case.shape[0] and columns.case[i] and tables.facts[code, CASE_ROLE] != NO_CASE:
                add_case(acc, columns.case[i], tables.facts[code, CASE_ROLE], mark)
        for k in range(tables.selector_start[code], tables.selector_start[code + 1]):
            s = tables.selectors[k]
            add_lifetime(acc, s, columns.at[i], columns.value[i])
            if recent:
                add_recent(acc, columns, tables, i, s, code, day, mark)


@njit
def add_recent(acc: Any, columns: Any, tables: Any, i: int, s: int, code: int, day: int, mark: int) -> None:
    """Interaction i, `day` whole days old, to selector s."""
    band = tables.band_of_day[day]
    value = columns.value[i]
    window = acc.windows[s]
    if acc.gaps[s, LAST_DAY] < 0:
        acc.newest[s] = columns.at[i]
        acc.newest_channel[s] = tables.facts[code, CHANNEL]
    window[COUNT, band] += 1
    if not np.isnan(value):
        window[VALUED, band] += 1
        window[SUM, band] += value
        if tables.needs[s, 0]:
            for h in range(tables.weights.shape[0]):
                acc.decayed_sums[s, h] += tables.weights[h, day] * value
    if day != acc.gaps[s, LAST_DAY]:
        add_active_day(acc, tables, s, day, band)
    if tables.needs[s, 1]:
        add_distinct(acc, tables, s, code, band, mark)
    if tables.needs[s, 2] and columns.satisfaction.shape[0] and not np.isnan(columns.satisfaction[i]):
        if np.isnan(acc.last_satisfaction[s]):
            acc.last_satisfaction[s] = columns.satisfaction[i]
        window[RATED, band] += 1
        window[SATISFACTION, band] += columns.satisfaction[i]


@njit
def add_active_day(acc: Any, tables: Any, s: int, day: int, band: int) -> None:
    """An active day and, unless it is the newest, the gap from it to the one met before."""
    acc.windows[s, DAYS, band] += 1
    if tables.needs[s, 0]:
        for h in range(tables.weights.shape[0]):
            acc.decayed_days[s, h] += tables.weights[h, day]
    gaps = acc.gaps[s]
    if gaps[LAST_DAY] >= 0:
        gap = day - gaps[LAST_DAY]
        gaps[GAPS] += 1
        gaps[GAP_SUM] += gap
        gaps[GAP_SQUARES] += gap * gap
        gaps[GAP_LONGEST] = max(gaps[GAP_LONGEST], gap)
        if gaps[GAPS] <= RECENT_GAPS:
            gaps[GAP_RECENT] += gap
    gaps[LAST_DAY] = day


@njit
def add_distinct(acc: Any, tables: Any, s: int, code: int, band: int, mark: int) -> None:
    """The first meeting with a channel or topic, newest first, is in the youngest window that has it."""
    channel, topic = tables.facts[code, CHANNEL], tables.facts[code, TOPIC]
    if channel >= 0 and first_meeting(acc, np.uint64(((2 * s) << 32) + channel), mark):
        acc.windows[s, CHANNELS, band] += 1
    if topic >= 0 and first_meeting(acc, np.uint64(((2 * s + 1) << 32) + topic), mark):
        acc.windows[s, TOPICS, band] += 1


@njit
def add_case(acc: Any, case: int, role: int, mark: int) -> None:
    """The newest word on a case decides. The high bit keeps cases apart from channels and topics."""
    if first_meeting(acc, case | _CASE, mark) and role == OPENS:
        acc.cases[0] += 1


@njit
def money_units(value: float) -> int:
    """Millionths, as an integer; 0 without a value."""
    if np.isnan(value):
        return 0
    return np.int64(np.rint(min(max(value, -MONEY_LIMIT), MONEY_LIMIT) * MONEY_SCALE))


@njit
def add_lifetime(acc: Any, s: int, at: int, value: float) -> None:
    lifetime = acc.lifetime[s]
    lifetime[FIRST] = min(lifetime[FIRST], at)
    lifetime[NUMBER] += 1
    lifetime[MONEY] += money_units(value)


@njit
def add_register(acc: Any, register: Any, tables: Any) -> None:
    """What a state still knows of interactions that it no longer holds, by code."""
    code = register[0]
    for k in range(tables.selector_start[code], tables.selector_start[code + 1]):
        lifetime = acc.lifetime[tables.selectors[k]]
        lifetime[FIRST] = min(lifetime[FIRST], register[1 + FIRST])
        lifetime[NUMBER] += register[1 + NUMBER]
        lifetime[MONEY] += register[1 + MONEY]
