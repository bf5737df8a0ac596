"""The one pass: newest interaction first, everything that any feature may want is added up once."""

from typing import Any, NamedTuple

import numpy as np

from features.clock import DAY
from features.kernel.accumulators import (
    BOUND,
    CASES,
    CHANNEL,
    CHANNELS,
    COUNT,
    DAYS,
    DECAY,
    DISTINCT,
    FADING,
    FIRST,
    GAP_LONGEST,
    GAP_RECENT,
    GAP_SQUARES,
    GAP_SUM,
    GAPS,
    HIDDEN,
    HORIZON_DAYS,
    LAST_DAY,
    LAST_SATISFACTION,
    MONEY,
    MONEY_LIMIT,
    MONEY_SCALE,
    NEWEST,
    NEWEST_CHANNEL,
    NUMBER,
    RATED,
    RATING,
    RECENT_GAPS,
    SATISFACTION,
    SAVED,
    SAVING,
    SEQUENCE,
    SUM,
    TOPIC,
    TOPICAL,
    TOPICS,
    VALUED,
    first_meeting,
)
from features.kernel.cases import add_case
from features.kernel.jit import inlined
from features.kernel.sequence import add_sequence


class Columns(NamedTuple):
    """Interactions as the kernel reads them, each customer's together and in order of (occurred_at, hash of id).

    `received`, `satisfaction`, `case` and `discount` may have length 0: received when occurred, never rated, no case,
    nothing saved.
    """

    at: Any  # int64
    received: Any  # int64
    key: Any  # int32: twice the code of the vocabulary, one more where the row carries a decision_id of ours
    value: Any  # float64, NaN without
    satisfaction: Any  # float64, NaN without
    case: Any  # uint64, 0 without
    discount: Any  # float64, NaN without


@inlined
def accumulate(
    acc: Any, met: Any, columns: Any, registers: Any, tables: Any, lo: int, hi: int, t: int, mark: int
) -> None:
    """Fills `acc` with what was known at `t` of the customer in rows lo..hi.

    Known: occurred before t and received by then. In detail the newest 4,096 of those that are at most 400 days old;
    of the rest, and of `registers` (int64[n, 4]: key, first, number, money), only the lifetime totals.
    """
    for r in range(registers.shape[0]):
        add_register(acc, registers[r], tables)
    remembered = 0
    for i in range(lo + np.searchsorted(columns.at[lo:hi], t) - 1, lo - 1, -1):
        if columns.received.shape[0] and columns.received[i] > t:
            continue
        key, at, value = columns.key[i], columns.at[i], columns.value[i]
        code = key >> 1
        if tables.traits[code, HIDDEN]:
            continue
        day, money = (t - 1 - at) // DAY, money_units(value)
        recent = day < HORIZON_DAYS and remembered < BOUND
        if recent:
            remembered += 1
            if tables.hooks[SEQUENCE]:
                add_sequence(acc, met, columns, tables, i, day, tables.band_of_day[day], mark)
            if tables.hooks[CASES]:
                add_case(acc, met, columns, tables, i, day, tables.band_of_day[day], mark)
        for k in range(tables.selector_start[key], tables.selector_start[key + 1]):
            s = tables.selectors[k]
            acc.moments[s, FIRST] = min(acc.moments[s, FIRST], at)
            acc.moments[s, NUMBER] += 1
            acc.moments[s, MONEY] += money
            if not recent:
                continue
            band = tables.band_of_day[day]
            add_recent(acc, tables, s, band, day, at, code, value)
            if tables.needs[s, DISTINCT]:
                add_distinct(acc, met, tables, s, band, code, mark)
            if tables.needs[s, RATING] and columns.satisfaction.shape[0]:
                add_satisfaction(acc, s, band, columns.satisfaction[i])
            if tables.needs[s, SAVING] and columns.discount.shape[0] and not np.isnan(columns.discount[i]):
                acc.windows[s, band, SAVED] += columns.discount[i]


@inlined
def add_recent(acc: Any, tables: Any, s: int, band: int, day: int, at: int, code: int, value: float) -> None:
    """An interaction of `day` whole days to selector s: number, value, and its day where it is the first met of it."""
    windows, moments, fading = acc.windows, acc.moments, acc.fading
    half_lives = tables.weights.shape[0] if tables.needs[s, DECAY] else 0
    windows[s, band, COUNT] += 1
    if not np.isnan(value):
        windows[s, band, VALUED] += 1
        windows[s, band, SUM] += value
        for h in range(half_lives):
            fading[s, FADING + tables.weights.shape[0] + h] += tables.weights[h, day] * value
    newer = moments[s, LAST_DAY]
    if day == newer:
        return
    if newer < 0:
        moments[s, NEWEST] = at
        moments[s, NEWEST_CHANNEL] = tables.traits[code, CHANNEL]
    else:
        add_gap(moments, s, day - newer)
    moments[s, LAST_DAY] = day
    windows[s, band, DAYS] += 1
    for h in range(half_lives):
        fading[s, FADING + h] += tables.weights[h, day]


@inlined
def add_gap(moments: Any, s: int, gap: int) -> None:
    """A gap between two active days; they come newest first."""
    moments[s, GAPS] += 1
    moments[s, GAP_SUM] += gap
    moments[s, GAP_SQUARES] += gap * gap
    moments[s, GAP_LONGEST] = max(moments[s, GAP_LONGEST], gap)
    if moments[s, GAPS] <= RECENT_GAPS:
        moments[s, GAP_RECENT] += gap


@inlined
def add_distinct(acc: Any, met: Any, tables: Any, s: int, band: int, code: int, mark: int) -> None:
    """The first meeting with a channel or topic, newest first, is in the youngest window that has it."""
    channel, topic = tables.traits[code, CHANNEL], tables.traits[code, TOPIC]
    if channel >= 0 and first_meeting(met, np.uint64(((2 * s) << 32) + channel), mark):
        acc.windows[s, band, CHANNELS] += 1
    if topic >= 0:
        acc.windows[s, band, TOPICAL] += 1
        if first_meeting(met, np.uint64(((2 * s + 1) << 32) + topic), mark):
            acc.windows[s, band, TOPICS] += 1


@inlined
def add_satisfaction(acc: Any, s: int, band: int, satisfaction: float) -> None:
    if np.isnan(satisfaction):
        return
    if np.isnan(acc.fading[s, LAST_SATISFACTION]):
        acc.fading[s, LAST_SATISFACTION] = satisfaction
    acc.windows[s, band, RATED] += 1
    acc.windows[s, band, SATISFACTION] += satisfaction


@inlined
def money_units(value: float) -> Any:
    """Millionths, as an integer; 0 without a value."""
    if np.isnan(value):
        return 0
    return np.int64(np.rint(min(max(value, -MONEY_LIMIT), MONEY_LIMIT) * MONEY_SCALE))


@inlined
def add_register(acc: Any, register: Any, tables: Any) -> None:
    """What a state still knows of interactions that it no longer holds, by key."""
    key = register[0]
    for k in range(tables.selector_start[key], tables.selector_start[key + 1]):
        moments = acc.moments[tables.selectors[k]]
        moments[FIRST] = min(moments[FIRST], register[1])
        moments[NUMBER] += register[2]
        moments[MONEY] += register[3]
