"""The guard's verdicts on every treatment for every customer: pass or refuse, as the guard of one customer judges.

Why, and until when, is asked of that one where somebody wants to know.
"""

import numpy as np
from numba import njit

from features.kernel.jit import compiled
from serving.decisions.many.board import ROLLING, TAG, TOTAL, Board
from serving.decisions.many.crowd import ALL, NO_CALENDAR, PAUSED, QUIET, SALES, Crowd
from serving.decisions.policy import LONGEST


def passes(board: Board, crowd: Crowd) -> tuple[np.ndarray, np.ndarray]:
    """bool[n, m], where no rule refuses; and int64[n], how many contacts stand in the policy's recent past."""
    policy, contacts = board.playbook.policy, crowd.contacts
    ignored, pressure = policy.cool_down.after_ignored, policy.pressure
    found, recent = np.empty((len(crowd), len(board)), np.bool_), np.empty(len(crowd), np.int64)
    _judge(
        crowd.now, crowd.shut, crowd.factor, crowd.open, crowd.barred, crowd.answered, crowd.today,
        contacts.start, contacts.at, contacts.held, contacts.respond_by, contacts.names, contacts.tag_start,
        contacts.tags, contacts.channel, contacts.weight, contacts.days,
        board.action, board.channel, board.asks, board.sells, board.exempt, board.quiet, board.pressure, *board.slots,
        policy.harm.length,
        0 if ignored is None else ignored.count, 0 if ignored is None else ignored.length,
        -1.0 if pressure is None else pressure.limit, 1 if pressure is None else pressure.half, LONGEST,
        found, recent,
    )  # fmt: skip
    return found, recent


@compiled
def _judge(  # type: ignore[no-untyped-def]  # pragma: no cover
    now, shut, factor, open_, barred, answered, today,
    start, at, held, respond_by, names, tag_start, tags, where, weight, days,
    action, channel, asks, sells, exempt, quiet, adds, limits, slot_start, slot_of,
    harm_length, ignored, rest, limit, half, longest, found, recent,
):  # fmt: skip
    m, channels = action.shape[0], answered.shape[1]
    full, deaf = np.empty(limits.shape[0], np.bool_), np.empty(channels, np.bool_)
    for i in range(now.shape[0]):
        t, lo, hi, bits, scale = now[i], start[i], start[i + 1], shut[i], factor[i]
        recent[i] = 0
        for k in range(lo, hi):
            recent[i] += at[k] >= t - harm_length
        for s in range(limits.shape[0]):
            full[s] = _full(limits[s], t, lo, hi, scale, bits, at, held, names, tag_start, tags, days, today[i])
        for j in range(channels):
            deaf[j] = ignored > 0 and _unheard(j, t, lo, hi, at, held, respond_by, where, answered[i, j], ignored, rest)
        stands = _pressure(t, lo, hi, at, held, weight, half, longest) if limit >= 0.0 else 0.0
        for j in range(m):
            passed = not bits & ALL and open_[i, asks[j]] and not barred[i, action[j]]
            passed = passed and not (sells[j] and bits & SALES) and not (quiet[j] and bits & QUIET)
            if passed and not exempt[j]:
                passed = not bits & PAUSED and not deaf[channel[j]]
                if limit >= 0.0:
                    most = limit * scale
                    if adds[j] <= limit:
                        most = max(most, adds[j])
                    passed = passed and stands <= most - adds[j]
                for s in range(slot_start[j], slot_start[j + 1]):
                    passed = passed and not full[slot_of[s]]
            found[i, j] = passed


@njit(nogil=True, inline="always")
def _full(rule, t, lo, hi, scale, bits, at, held, names, tag_start, tags, days, today):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether as many contacts as a cap allows stand in its window or period."""
    most, reach, period, scope, code = rule[0], rule[1], rule[2], rule[3], rule[4]
    if period != ROLLING and bits & NO_CALENDAR:
        return True
    if scale != 1.0:
        most = max(int(most * scale + 1e-9), min(most, 1))
    number = 0
    for k in range(lo, hi):
        if at[k] < t - reach:
            continue
        counts = scope == TOTAL
        if scope == TAG:
            for tag in range(tag_start[k], tag_start[k + 1]):
                counts = counts or tags[tag] == code
        elif scope != TOTAL:
            counts = names[k, scope - 1] == code
        if counts and (period == ROLLING or held[k] or days[k, period] == today[period]):
            number += 1
    return number >= most


@njit(nogil=True, inline="always")
def _unheard(j, t, lo, hi, at, held, respond_by, where, answered, count, rest):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether a channel rests because nobody listens there."""
    closed, last = 0, 0
    for k in range(lo, hi):
        if where[k] == j and not held[k] and at[k] > answered and respond_by[k] <= t:
            last = respond_by[k] if closed == 0 else max(last, respond_by[k])
            closed += 1
    return closed >= count and t < last + rest


@njit(nogil=True, inline="always")
def _pressure(t, lo, hi, at, held, weight, half, longest):  # type: ignore[no-untyped-def]  # pragma: no cover
    """In the order in which the guard of one customer adds, so that the sums agree to the last bit."""
    total = 0.0
    for k in range(lo, hi):
        if not held[k] and t - at[k] <= longest:
            total += weight[k] * 0.5 ** ((t - at[k]) / half)
    for k in range(lo, hi):
        if held[k]:
            total += weight[k]
    return total
