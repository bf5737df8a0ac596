"""What the day loop writes down: compact columns, and what their numbers mean in the interaction contract."""

from typing import Any, NamedTuple

import numpy as np

from features.interactions import OPTED_OUT, SURVEY
from features.kernel.jit import inlined

#: (type, direction, provenance) of each kind; a kind's position is its number.
KINDS = (
    ("page_view", "inbound", "observed"),
    ("visit", "inbound", "observed"),
    ("message", "inbound", "declared"),
    ("call", "inbound", "declared"),
    ("ad_click", "inbound", "observed"),
    ("add_to_cart", "inbound", "observed"),
    ("purchase", "inbound", "observed"),
    ("complaint", "inbound", "declared"),
    ("case_opened", "inbound", "declared"),
    ("case_closed", "inbound", "declared"),
    (SURVEY, "inbound", "declared"),
    ("contact", "outbound", "observed"),
    ("email_open", "inbound", "observed"),
    ("clicked", "inbound", "observed"),
    ("accepted", "inbound", "declared"),
    ("complained", "inbound", "declared"),
    (OPTED_OUT, "inbound", "declared"),
    ("account_closed", "inbound", "declared"),
)
(
    PAGE_VIEW, VISIT, MESSAGE, CALL, AD_CLICK, ADD_TO_CART, PURCHASE, COMPLAINT, CASE_OPENED, CASE_CLOSED, SURVEYED,
    CONTACT, EMAIL_OPEN, CLICKED, ACCEPTED, COMPLAINED, OPTED, ACCOUNT_CLOSED,
) = range(len(KINDS))  # fmt: skip

#: Topics by number; 0 is none. The first five after it are the categories that the company sells.
TOPICS = (None, "food", "home", "garden", "beauty", "sports", "offers", "privacy", "delivery", "order")
CATEGORIES = 5
OFFERS, PRIVACY, DELIVERY, ORDER = 6, 7, 8, 9
#: No customer can have more rows on one day.
MOST_A_DAY = 40


class Events(NamedTuple):
    """Columns of rows: whose, on which day and at which second of it; kind and channel; number within the day; value
    (NaN without), topic, case number (0 without), treatment and the day it was decided (-1 without), satisfaction (NaN
    without), money saved (NaN without), and whether they were signed in."""

    customer: np.ndarray
    day: np.ndarray
    second: np.ndarray
    kind: np.ndarray
    channel: np.ndarray
    number: np.ndarray
    value: np.ndarray
    topic: np.ndarray
    case: np.ndarray
    treatment: np.ndarray
    decided: np.ndarray
    satisfaction: np.ndarray
    saved: np.ndarray
    identified: np.ndarray

    def rows(self, which: slice | np.ndarray) -> "Events":
        """Some of the rows."""
        return Events(*(column[which] for column in self))

    def copy(self) -> "Events":
        return Events(*(column.copy() for column in self))


_TYPES = (np.int32, np.int32, np.int32, np.uint8, np.uint8, np.uint8, np.float32, np.uint8, np.int32, np.int16,
          np.int32, np.float32, np.float32, np.bool_)  # fmt: skip


def room(rows: int) -> Events:
    """Columns to be written."""
    return Events(*(np.zeros(rows, kind) for kind in _TYPES))


@inlined
def put(e: Any, k: int, i: int, day: int, second: int, kind: int, channel: int, number: int) -> None:
    """A row at position k with nothing beside what every row has."""
    e.customer[k], e.day[k], e.second[k] = i, day, second
    e.kind[k], e.channel[k], e.number[k] = kind, channel, number
    e.value[k] = e.satisfaction[k] = e.saved[k] = np.nan
    e.topic[k] = e.case[k] = 0
    e.treatment[k] = e.decided[k] = -1
    e.identified[k] = True


@inlined
def tied(e: Any, k: int, treatment: int, decided: int) -> None:
    """The row at k belongs to the contact of that day."""
    e.treatment[k], e.decided[k] = treatment, decided


def together(parts: list[Events]) -> Events:
    """All rows, in order."""
    return Events(*(np.concatenate(columns) for columns in zip(*parts, strict=True))) if parts else room(0)
