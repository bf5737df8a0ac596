"""What changes: one row a customer, and what a policy's play adds up to."""

from typing import NamedTuple

import numpy as np

from features.interactions import CHANNELS
from features.simulate.traits import Traits

#: Of a day that never comes, or never was.
NEVER = np.int32(1 << 30)


class State(NamedTuple):
    """Columns of n customers.

    gone: the day they left, NEVER while they stay; dissatisfaction; boost: purchases a day that contacts add today;
    bought: day of the last purchase; load [n, 8]: by channel as of the day `loaded`; closed: uint8, bit c is set where
    they opted out of channel c; case, cases: the day on which the open case closes (NEVER where none is), and how many
    there were; contacted: day of the last contact, `treatment` what it was, `clicked` whether they did; voucher: the
    last day on which one is good (-1 without) and `off` what it takes off.
    """

    gone: np.ndarray
    dissatisfaction: np.ndarray
    boost: np.ndarray
    bought: np.ndarray
    load: np.ndarray
    loaded: np.ndarray
    closed: np.ndarray
    case: np.ndarray
    cases: np.ndarray
    contacted: np.ndarray
    treatment: np.ndarray
    clicked: np.ndarray
    voucher: np.ndarray
    off: np.ndarray

    def copy(self) -> "State":
        return State(*(column.copy() for column in self))


def opening(traits: Traits) -> State:
    """Everybody content, uncontacted and reachable."""
    n = len(traits.rate)

    def days(value: int) -> np.ndarray:
        return np.full(n, value, np.int32)

    def zeros(kind: type, *shape: int) -> np.ndarray:
        return np.zeros((n, *shape), kind)

    return State(
        gone=days(int(NEVER)),
        dissatisfaction=zeros(np.float32),
        boost=zeros(np.float32),
        bought=-traits.before,
        load=zeros(np.float32, len(CHANNELS)),
        loaded=days(0),
        closed=zeros(np.uint8),
        case=days(int(NEVER)),
        cases=days(0),
        contacted=days(-int(NEVER)),
        treatment=zeros(np.int16),
        clicked=zeros(np.bool_),
        voucher=days(-1),
        off=zeros(np.float32),
    )


class Tally(NamedTuple):
    """What each of n customers added up to since a play began: money as float64, counts as int32."""

    margin: np.ndarray
    cost: np.ndarray
    contacts: np.ndarray
    opted_out: np.ndarray
    complained: np.ndarray


def tally(n: int) -> Tally:
    """All zero."""
    return Tally(np.zeros(n), np.zeros(n), *(np.zeros(n, np.int32) for _ in range(3)))
