"""What is known of customers before a journey: declared attributes, whether it is their first, and where they live."""

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pyarrow as pa

from features.attributes import FactLog, facts_of
from features.declared import Declared, label_text
from features.hashing import hashed
from features.journeys.layout import Segment
from features.journeys.trace import Traced
from features.kernel.facts import LABEL, NAME, RECEIVED, VALID
from features.kernel.jit import compiled
from features.vocabulary import factorise

#: Known of everyone without any attribute.
EXPERIENCE = Segment("first or later journey", ("first journey", "later journey"))
TIME_ZONE = "time_zone"


def segments(
    traced: Traced, names: np.ndarray, attributes: pa.Table | None, declared: Declared
) -> tuple[tuple[Segment, ...], np.ndarray]:
    """The segments, and int16[segments, journeys] the label's position in each as of the journey's begin, -1 without.

    Of what was received by then, the newest that is valid by then. Attributes that are numbers part nobody.
    """
    listed = [EXPERIENCE, *(Segment(name, kind) for name, kind in declared.items() if not isinstance(kind, str))]
    found = np.full((len(listed), len(traced.customer)), -1, np.int16)
    found[0] = np.concatenate([[False], traced.customer[1:] == traced.customer[:-1]])[: len(traced.customer)]
    log = facts_of(attributes, [segment.name for segment in listed[1:]])
    if len(log.facts):
        first, end = log.ranges(names)
        for row, segment in enumerate(listed[1:], 1):
            labels = np.array([hashed(label) for label in segment.labels], np.int64)
            _as_of(log.facts, first, end, hashed(segment.name), labels, traced.at, traced.first, traced.customer,
                   found[row])  # fmt: skip
    return tuple(listed), found


@compiled
def _as_of(
    facts: Any, first: Any, end: Any, name: int, labels: Any, at: Any, begins: Any, customer: Any, out: Any
) -> None:
    """Fills `out` with each journey's label position as of its first step."""
    for j in range(customer.shape[0]):
        t, best = at[begins[j]], -1
        for i in range(first[customer[j]], end[customer[j]]):
            known = facts[i, NAME] == name and facts[i, VALID] <= t and facts[i, RECEIVED] <= t
            if known and (
                best < 0
                or facts[i, VALID] > facts[best, VALID]
                or (facts[i, VALID] == facts[best, VALID] and facts[i, RECEIVED] > facts[best, RECEIVED])
            ):
                best = i
        if best >= 0:
            for position in range(labels.shape[0]):
                if labels[position] == facts[best, LABEL]:
                    out[j] = position


def zones(
    names: np.ndarray, attributes: pa.Table | None, known_until: int, company: str
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of time zones, and int32[customers] where each customer lives, as known last.

    Who says nothing, or nothing that is a zone, lives in the company's (the first).
    """
    found, customer = [company], np.zeros(len(names), np.int32)
    log = facts_of(attributes, [TIME_ZONE])
    if len(log.facts) and attributes is not None:
        place = {company: 0}
        by_hash = {
            hashed(name): place.setdefault(name, len(place)) for name in sorted(_told(attributes)) if _is_zone(name)
        }
        found = list(place)
        newest = _newest(log, names, known_until)
        customer[:] = [by_hash.get(label, 0) for label in newest.tolist()]
    return tuple(found), customer


def _told(attributes: pa.Table) -> set[str]:
    """What any record says of a time zone."""
    _, texts = factorise(attributes["attributes"])
    told = (label_text(orjson.loads(text or "{}").get(TIME_ZONE)) for text in texts)
    return {name for name in told if name is not None}


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # the last is what an unknown name raises
        return False
    return True


def _newest(log: FactLog, names: np.ndarray, known_until: int) -> np.ndarray:
    """int64[customers]: the hash of the newest label, 0 without."""
    first, end = log.ranges(names)
    count = end - first
    owner = np.repeat(np.arange(len(names)), count)
    rows = np.repeat(first - np.cumsum(count) + count, count) + np.arange(len(owner))
    known = (log.facts[rows, VALID] < known_until) & (log.facts[rows, RECEIVED] < known_until)
    owner, rows = owner[known], rows[known]
    order = np.lexsort((log.facts[rows, RECEIVED], log.facts[rows, VALID], owner))
    newest = np.zeros(len(names), np.int64)
    newest[owner[order]] = log.facts[rows[order], LABEL]  # of several, the last stays
    return newest
