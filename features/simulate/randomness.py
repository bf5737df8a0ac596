"""Random numbers by counter: customer, day and purpose say which, so nothing else can shift them.

SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): each customer is a stream, its counter is 32 x day + purpose. The same
seed gives the same market in blocks of any size, and every policy meets the same luck, so that differences between
policies are precise (common random numbers).
"""

from typing import Any

import numpy as np
from numba import uint64

from features.kernel.jit import compiled, inlined

_GOLDEN = uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = uint64(0xBF58476D1CE4E5B9), uint64(0x94D049BB133111EB)
_HALF, _MORE, _LESS, _WIDTH = uint64(31), uint64(30), uint64(27), uint64(11)
_UNIT = 1.0 / (1 << 53)

#: What a day's numbers are for. A new purpose goes behind the others.
(
    INCIDENT, TELLS, SOLVING, SURVEY, CLICK, OPEN, REMEMBER, OPT_OUT, COMPLAIN, VISIT, LOOKS, WHERE, TOPIC, SIGNED_IN,
    BUYS, BASKET, BASKET_TOO, DEAL, READS, LEAVES, GOODBYE, CLOCK, CATEGORY, CASE_CHANNEL, STORE_OR_WEB,
) = range(25)  # fmt: skip
PURPOSES = 32


@inlined
def _mix(z: Any) -> Any:
    z = (z ^ (z >> _MORE)) * _FIRST
    z = (z ^ (z >> _LESS)) * _SECOND
    return z ^ (z >> _HALF)


@inlined
def stream(seed: int, customer: int) -> Any:
    """Where a customer's stream begins, uint64."""
    return _mix(_mix(uint64(seed) * _GOLDEN + _SECOND) + uint64(customer) * _FIRST)


@inlined
def uniform(stream: Any, counter: int) -> float:
    """A number in [0, 1)."""
    return float(_mix(stream + uint64(counter) * _GOLDEN) >> _WIDTH) * _UNIT


@compiled
def fill(seed: int, first: int, purpose: int, out: np.ndarray) -> None:
    """Numbers strictly within (0, 1) for customers from `first` on, of another kind than any day's: traits."""
    for i in range(out.shape[0]):
        begin = stream(seed, first + i) ^ _GOLDEN
        out[i] = uniform(begin, purpose) + 0.5 * _UNIT
