"""Ways through steps, layer by layer: the first ones, those before the goal, those before a customer left."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from features.journeys import names
from features.journeys.counts import departures, flow
from features.journeys.figures import Flow, Link
from features.journeys.layout import Layout
from features.journeys.names import Shown
from features.kernel.jit import compiled

#: How many steps a flow shows, and how many of them by name.
STEPS, MOST = 5, 9
#: Endings come behind the steps and `other`, in this order.
ENDINGS = ("goal", "quiet", "open", "left")
_CALLED = {"goal": "goal reached", "quiet": "went quiet", "open": "still open", "left": "left"}
FLOWS = ("first", "goal", "leaving")


@dataclass(frozen=True)
class Sequences:
    """Steps lo[i]:hi[i] of customer who[i], the first on layer[i], then ending[i] (in ENDINGS) or -1; by customer."""

    lo: np.ndarray
    hi: np.ndarray
    layer: np.ndarray
    ending: np.ndarray
    who: np.ndarray

    def __len__(self) -> int:
        return len(self.lo)


def sequences(layout: Layout, chosen: np.ndarray, kind: str) -> Sequences:
    """Of the journeys chosen (bool[journeys]); `kind` is one of FLOWS."""
    if kind == "leaving":
        return _before_leaving(layout, chosen)
    traced = layout.traced
    rows = np.flatnonzero(chosen if kind == "first" else chosen & traced.reached)
    first, end, who = traced.first[rows], traced.first[rows + 1], traced.customer[rows]
    if kind == "first":
        layer = np.zeros(len(rows), np.int8)
        ending = np.where(traced.reached[rows], np.int8(0), np.where(layout.over[rows], np.int8(1), np.int8(2)))
        ending[end - first > STEPS] = -1
        return Sequences(first, np.minimum(end, first + STEPS), layer, ending, who)
    lo = np.maximum(first, end - STEPS)
    return Sequences(lo, end, (STEPS - (end - lo)).astype(np.int8), np.zeros(len(rows), np.int8), who)


def _before_leaving(layout: Layout, chosen: np.ndarray) -> Sequences:
    """The last steps of customers who left, ending with the last thing they did themselves before they had.

    What we sent them after that says nothing about why they left.
    """
    traced, by = layout.traced, layout.rules
    journey, last = np.empty((2, 2 * len(traced.at) + 1), np.int64)
    leaves = layout.of_types((by.departure,) if by.departure else ())
    found = departures(
        traced.first, traced.at, traced.until, traced.code, traced.customer, layout.of_types(by.signs), leaves,
        layout.own(), by.silence, by.pause, layout.known_until, journey, last,
    )  # fmt: skip
    journey, last = journey[:found], last[:found]
    picked = chosen[journey]
    journey, last = journey[picked], last[picked]
    customer = traced.customer[journey]
    begin = traced.first[np.searchsorted(traced.customer, customer)]
    lo = np.maximum(begin, last + 1 - STEPS)
    layer = (STEPS - (last + 1 - lo)).astype(np.int8)
    return Sequences(lo, last + 1, layer, np.full(len(lo), 3, np.int8), customer)


def named(layout: Layout, found: Sequences) -> tuple[Shown, Sequences]:
    """The steps of these sequences that are shown by name, and the sequences with endings as positions behind them."""
    counts = np.zeros(len(layout.steps), np.int64)
    _used(found.lo, found.hi, layout.traced.code, counts)
    listed = names.shown(layout.steps, counts, MOST)
    ending = np.where(found.ending >= 0, found.ending + np.int8(listed.other + 1), np.int8(-1))
    return listed, replace(found, ending=ending)


def count(layout: Layout, chosen: np.ndarray, kind: str) -> Flow:
    """Every link of a flow, in order of layer and then of size."""
    listed, found = named(layout, sequences(layout, chosen, kind))
    places = listed.other + 1 + len(ENDINGS)
    counts = np.zeros((2, STEPS, places, places), np.int64)
    flow(found.lo, found.hi, found.layer, found.ending, found.who, layout.traced.code, listed.place, counts)
    words, keys = [*listed.names, *(_CALLED[name] for name in ENDINGS)], [*listed.keys, *ENDINGS]
    links = [
        Link(
            layer=layer,
            source=words[a],
            source_key=keys[a],
            target=words[b],
            target_key=keys[b],
            journeys=int(counts[0, layer, a, b]),
            customers=int(counts[1, layer, a, b]),
        )
        for layer, a, b in np.argwhere(counts[0]).tolist()
    ]
    links.sort(key=lambda link: (link.layer, -link.journeys, link.source_key, link.target_key))
    return Flow(links=links, sequences=len(found), customers=distinct(found.who))


def members(layout: Layout, chosen: np.ndarray, kind: str, layer: int, source: str, target: str) -> np.ndarray:
    """int64: the customers in one link of a flow, named by its keys, in order; ValueError where there is none such."""
    listed, found = named(layout, sequences(layout, chosen, kind))
    keys = [*listed.keys, *ENDINGS]
    if source not in keys or target not in keys or not 0 <= layer < STEPS:
        raise ValueError("there is no such flow any more; open the page again")
    who = np.zeros(len(found), np.bool_)
    _in_link(found.lo, found.hi, found.layer, found.ending, layout.traced.code, listed.place, layer,
             keys.index(source), keys.index(target), who)  # fmt: skip
    return np.unique(found.who[who])


def distinct(ordered: np.ndarray) -> int:
    """How many values there are, of which like ones lie together."""
    return int(len(ordered) and 1 + np.count_nonzero(np.diff(ordered)))


@compiled
def _used(lo: Any, hi: Any, code: Any, counts: Any) -> None:
    for i in range(lo.shape[0]):
        for s in range(lo[i], hi[i]):
            counts[code[s]] += 1


@compiled
def _in_link(
    lo: Any, hi: Any, first: Any, ending: Any, code: Any, place: Any, layer: int, source: int, target: int, out: Any
) -> None:
    """Marks the sequences that take the link."""
    for i in range(lo.shape[0]):
        s = lo[i] + layer - first[i]
        if s < lo[i] or s >= hi[i] or place[code[s]] != source:
            continue
        after = np.int64(place[code[s + 1]]) if s + 1 < hi[i] else ending[i]
        out[i] = after == target
