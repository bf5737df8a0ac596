"""Passes over kept journeys: each fills one family of counts, for the journeys that are chosen.

Customers are counted once because their journeys lie together: a cell remembers whom it counted last. `place` int32
[steps] is a step's position among those shown, the last for all others.
"""

from typing import Any

import numpy as np

from features.clock import HOUR
from features.kernel.jit import compiled, inlined

#: Times between steps are counted in buckets, sixteen to a doubling, from a second to four years.
PER_DOUBLING, BUCKETS = 16, 16 * 27
_SECOND = 1_000_000
#: Hours of a week, and those of its days before the one on which time began.
_WEEK, _THURSDAY = 7 * 24, 3 * 24


def bucket_edges() -> np.ndarray:
    """float64[BUCKETS + 1], seconds: bucket b holds times from edges[b] up to edges[b + 1]; the first from 0."""
    edges = 2.0 ** (np.arange(BUCKETS + 1) / PER_DOUBLING)
    edges[0] = 0.0
    return edges


@inlined
def bucket(micros: int) -> int:
    if micros <= _SECOND:
        return 0
    return min(int(np.log2(micros / _SECOND) * PER_DOUBLING), BUCKETS - 1)


@compiled
def touched(first: Any, code: Any, channel: Any, mask: Any) -> None:
    """Which channels each journey touches: bit k of `mask` is channel k."""
    for j in range(mask.shape[0]):
        found = np.int64(0)
        for s in range(first[j], first[j + 1]):
            found |= np.int64(1) << channel[code[s]]
        mask[j] = found


@compiled
def popular(first: Any, code: Any, customer: Any, chosen: Any, period: Any, counts: Any, months: Any) -> None:
    """counts[code]: steps, journeys with it, customers with it; months[period, code]: journeys with it."""
    journey, who = np.full(counts.shape[0], -1, np.int64), np.full(counts.shape[0], -1, np.int64)
    for j in range(customer.shape[0]):
        if not chosen[j]:
            continue
        for s in range(first[j], first[j + 1]):
            k = code[s]
            counts[k, 0] += 1
            if journey[k] != j:
                journey[k] = j
                counts[k, 1] += 1
                months[period[j], k] += 1
                if who[k] != customer[j]:
                    who[k] = customer[j]
                    counts[k, 2] += 1


@compiled
def flow(lo: Any, hi: Any, layer: Any, ending: Any, who: Any, code: Any, place: Any, counts: Any) -> None:
    """Sequence i is steps lo[i]:hi[i], the first of them on layer[i], then `ending`[i] where that is not negative.

    counts[0] and counts[1] are [layers, places, places]: sequences that went from the one to the other on the next
    layer, and how many customers did. Sequences come ordered by `who`.
    """
    last = np.full(counts.shape[1:], -1, np.int64)
    for i in range(lo.shape[0]):
        for s in range(lo[i], hi[i]):
            source, at = place[code[s]], layer[i] + s - lo[i]
            if s + 1 < hi[i]:
                target = np.int64(place[code[s + 1]])
            elif ending[i] >= 0:
                target = np.int64(ending[i])
            else:
                continue
            counts[0, at, source, target] += 1
            if last[at, source, target] != who[i]:
                last[at, source, target] = who[i]
                counts[1, at, source, target] += 1


@compiled
def moves(
    first: Any, at: Any, code: Any, reached: Any, over: Any, chosen: Any, own: Any, place: Any, visits: Any,
    pairs: Any, times: Any, back: Any, loops: Any,
) -> None:  # fmt: skip
    """Where customers move on and where they stop.

    visits[place]: times the step was taken; the customer moved on (did something later on the journey); it was the goal
    itself; the journey went quiet without them doing more; it is still open so. times[place, bucket]: from the step's
    begin to that of the next thing that they did. pairs[from, to]: what came next, our contacts too.
    back[place]: journeys that come back to a step, its last to any. loops[from, over]: went there and back again.
    """
    seen, returned = np.full(place.shape[0], -1, np.int64), np.full(place.shape[0], -1, np.int64)
    for j in range(reached.shape[0]):
        if not chosen[j]:
            continue
        begin, end, turned = first[j], first[j + 1], False
        next_own: Any = -1
        for s in range(end - 1, begin - 1, -1):
            k = code[s]
            a = place[k]
            visits[a, 0] += 1
            if reached[j] and s == end - 1:
                visits[a, 2] += 1
            elif next_own >= 0 or reached[j]:
                visits[a, 1] += 1
                if next_own >= 0:
                    times[a, bucket(at[next_own] - at[s])] += 1
            elif over[j]:
                visits[a, 3] += 1
            else:
                visits[a, 4] += 1
            if own[k]:
                next_own = s
            if s + 1 < end:
                b = place[code[s + 1]]
                pairs[a, b] += 1
                if s + 2 < end and code[s + 2] == k:
                    loops[a, b] += 1
            if seen[k] == j and returned[k] != j:
                returned[k] = j
                back[a] += 1
                turned = True
            seen[k] = j
        back[back.shape[0] - 1] += turned


@compiled
def periods(
    first: Any, at: Any, customer: Any, reached: Any, over: Any, chosen: Any, period: Any, mask: Any, totals: Any,
    channels: Any, breadth: Any, taken: Any,
) -> None:  # fmt: skip
    """By the period in which a journey began.

    totals[period]: journeys, customers, reached, over, steps, channels. channels[period, channel]: journeys with it.
    breadth[period, channels of a journey]. taken[bucket]: how long journeys took that reached the goal.
    """
    who = np.full(totals.shape[0], -1, np.int64)
    for j in range(customer.shape[0]):
        if not chosen[j]:
            continue
        p, touches = period[j], 0
        for k in range(channels.shape[1]):
            if (mask[j] >> k) & 1:
                channels[p, k] += 1
                touches += 1
        breadth[p, min(touches, breadth.shape[1] - 1)] += 1
        totals[p, 0] += 1
        if who[p] != customer[j]:
            who[p] = customer[j]
            totals[p, 1] += 1
        totals[p, 2] += reached[j]
        totals[p, 3] += over[j]
        totals[p, 4] += first[j + 1] - first[j]
        totals[p, 5] += touches
        if reached[j]:
            taken[bucket(at[first[j + 1] - 1] - at[first[j]])] += 1


@compiled
def paths(
    first: Any, code: Any, reached: Any, over: Any, chosen: Any, place: Any, depth: int, base: int, key: Any
) -> None:
    """Each chosen journey's first `depth` steps, whether there were more, and how it ended, as one number; else -1.

    Read it from the right: ending (0 goal, 1 quiet, 2 open), more, then the steps, a digit to `base` each; 0 is none.
    """
    for j in range(reached.shape[0]):
        key[j] = -1
        if not chosen[j]:
            continue
        found, steps = np.int64(0), first[j + 1] - first[j]
        for d in range(depth):
            found = found * base + (place[code[first[j] + d]] + 1 if d < steps else 0)
        ending = 0 if reached[j] else 1 if over[j] else 2
        key[j] = (found * 2 + (steps > depth)) * 3 + ending


@compiled
def tally(key: Any, customer: Any, journeys: Any, customers: Any) -> None:
    """How many journeys and customers have each key; `journeys` and `customers` are as long as keys are many."""
    last = np.full(journeys.shape[0], -1, np.int32)
    for j in range(key.shape[0]):
        k = key[j]
        if k >= 0:
            journeys[k] += 1
            if last[k] != customer[j]:
                last[k] = customer[j]
                customers[k] += 1


@compiled
def hours(
    first: Any, at: Any, code: Any, customer: Any, chosen: Any, own: Any, zone: Any, edges: Any, changes: Any,
    offsets: Any, utc: Any, local: Any,
) -> None:  # fmt: skip
    """Customers' own steps by hour of the week (from Monday), in UTC and on the clock where each of them lives.

    Zone z changes to offsets[i] (microseconds) at changes[i], for i from edges[z] to edges[z + 1].
    """
    for j in range(customer.shape[0]):
        if not chosen[j]:
            continue
        z = zone[customer[j]]
        for s in range(first[j], first[j + 1]):
            if not own[code[s]]:
                continue
            utc[(at[s] // HOUR + _THURSDAY) % _WEEK] += 1
            i = edges[z]
            while i + 1 < edges[z + 1] and changes[i + 1] <= at[s]:
                i += 1
            local[((at[s] + offsets[i]) // HOUR + _THURSDAY) % _WEEK] += 1


@compiled
def departures(
    first: Any, at: Any, until: Any, code: Any, customer: Any, sign: Any, leaves: Any, own: Any, silence: bool,
    horizon: int, known_until: int, journey: Any, last: Any,
) -> int:  # fmt: skip
    """Every time a customer left: the last step of their own before they had, and its journey; returns how many.

    They left when the horizon after a step that shows life (`sign`) passed without another, where `silence` is
    leaving, or with a step that says so (`leaves`).
    """
    found, j, journeys = 0, 0, customer.shape[0]
    while j < journeys:
        stop = j
        while stop < journeys and customer[stop] == customer[j]:
            stop += 1
        begin, end = first[j], first[stop]
        own_step: Any = -1
        pending: Any = -1
        for s in range(begin, end + 1):
            # a silence is over before this step, or by the end of what is known
            now = at[s] if s < end else known_until
            if silence and pending >= 0 and now - pending > horizon:
                if own_step >= 0:
                    last[found] = own_step
                    found += 1
                pending = -1
            if s == end:
                break
            if own[code[s]]:
                own_step = s
            if leaves[code[s]]:
                last[found] = s
                found += 1
                pending = -1
            elif sign[code[s]]:
                pending = until[s]
        j = stop
    j = 0
    for i in range(found):
        while first[j + 1] <= last[i]:
            j += 1
        journey[i] = j
    return found
