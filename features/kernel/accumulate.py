"""The one pass: newest interaction first, everything that any feature may want is added up once."""

from typing import Any, NamedTuple

import numpy as np

from features.clock import DAY
from features.kernel.accumulators import (
    BITS,
    BOUND,
    CASES,
    CHANNEL,
    CHANNELS,
    CHANNELS_MET,
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
    LOW,
    MONEY,
    MONEY_LIMIT,
    MONEY_SCALE,
    MONEYED,
    NEWEST,
    NEWEST_CHANNEL,
    NUMBER,
    RATED,
    RATING,
    RECENT_GAPS,
    RHYTHM,
    SATISFACTION,
    SAVED,
    SAVING,
    SELECTOR_BITS,
    SEQUENCE,
    SUM,
    TOPIC,
    TOPICAL,
    TOPICS,
    TOPICS_MET,
    VALUED,
    first_meeting,
    touch,
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
    sequence, cases, late = tables.hooks[SEQUENCE] != 0, tables.hooks[CASES] != 0, columns.received.shape[0] != 0
    remembered = 0
    for i in range(lo + np.searchsorted(columns.at[lo:hi], t) - 1, lo - 1, -1):
        if late and columns.received[i] > t:
            continue
        key, at = np.int64(columns.key[i]), columns.at[i]
        code = key >> 1
        if tables.traits[code, HIDDEN]:
            continue
        day = np.int64(np.uint64(t - 1 - at) // np.uint64(DAY))
        if day < HORIZON_DAYS and remembered < BOUND:
            remembered += 1
            band = tables.band_of_day[day]
            if sequence:
                add_sequence(acc, met, columns, tables, i, day, band, mark)
            if cases:
                add_case(acc, met, columns, tables, i, day, band, mark)
            for k in range(tables.selector_start[key], tables.selector_start[key + 1]):
                s, wants = tables.selectors[k] & LOW, tables.selectors[k] >> SELECTOR_BITS
                if touch(acc, s):
                    acc.moments[s, NEWEST] = at
                    acc.moments[s, NEWEST_CHANNEL] = tables.traits[code, CHANNEL]
                acc.windows[s, band, COUNT] += 1
                if wants:
                    add_wanted(acc, met, columns, tables, s, wants, i, day, band, mark)
        if tables.lasting_start[key + 1] != tables.lasting_start[key]:  # last: what touches first is the newest
            add_lasting(acc, tables, key, at, 1, money_units(columns.value[i]))
    for r in range(registers.shape[0]):
        add_lasting(acc, tables, registers[r, 0], registers[r, 1], registers[r, 2], registers[r, 3])


@inlined
def add_wanted(acc: Any, met: Any, columns: Any, tables: Any, s: int, wants: int, i: int, day: int, band: int,
               mark: int) -> None:  # fmt: skip
    """Row i, `day` whole days old, to what selector s counts beyond the number of rows."""
    windows, fading, value = acc.windows, acc.fading, columns.value[i]
    half_lives = tables.weights.shape[0] if wants & DECAY else 0
    if wants & MONEYED and not np.isnan(value):
        windows[s, band, VALUED] += 1
        windows[s, band, SUM] += value
        for h in range(half_lives):
            fading[s, FADING + tables.weights.shape[0] + h] += tables.weights[h, day] * value
    if wants & RHYTHM and day != acc.moments[s, LAST_DAY]:
        if acc.moments[s, LAST_DAY] >= 0:
            add_gap(acc.moments, s, day - acc.moments[s, LAST_DAY])
        acc.moments[s, LAST_DAY] = day
        windows[s, band, DAYS] += 1
        for h in range(half_lives):
            fading[s, FADING + h] += tables.weights[h, day]
    if wants & DISTINCT:
        add_distinct(acc, met, tables, s, band, columns.key[i] >> 1, mark)
    if wants & RATING and columns.satisfaction.shape[0]:
        add_satisfaction(acc, s, band, columns.satisfaction[i])
    if wants & SAVING and columns.discount.shape[0] and not np.isnan(columns.discount[i]):
        windows[s, band, SAVED] += columns.discount[i]


@inlined
def add_lasting(acc: Any, tables: Any, key: int, first: int, number: int, money: int) -> None:
    """To the totals of a lifetime, of the selectors that want them."""
    for k in range(tables.lasting_start[key], tables.lasting_start[key + 1]):
        s = tables.lasting[k]
        touch(acc, s)
        acc.moments[s, FIRST] = min(acc.moments[s, FIRST], first)
        acc.moments[s, NUMBER] += number
        acc.moments[s, MONEY] += money


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
    if channel >= 0 and _is_first(acc, met, s, CHANNELS_MET, channel, mark):
        acc.windows[s, band, CHANNELS] += 1
    if topic >= 0:
        acc.windows[s, band, TOPICAL] += 1
        if _is_first(acc, met, s, TOPICS_MET, topic, mark):
            acc.windows[s, band, TOPICS] += 1


@inlined
def _is_first(acc: Any, met: Any, s: int, column: int, position: int, mark: int) -> bool:
    if position < BITS:
        seen = acc.moments[s, column]
        acc.moments[s, column] = seen | (1 << position)
        return (seen >> position) & 1 == 0
    return first_meeting(met, np.uint64(((2 * s + column - CHANNELS_MET) << 32) + position), mark)


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
