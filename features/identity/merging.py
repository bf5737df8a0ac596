"""The state of a person out of the states of the ids that are theirs."""

from collections.abc import Sequence

import numpy as np

from features.online import learn, update
from features.state import State


def merged(states: Sequence[State]) -> State:
    """As if everything had been folded into one state, in whatever order the states are given.

    A state holds whatever its own bound lets it: no less than the bound of the whole lets of its rows.
    """
    whole = State()
    for state in states:
        items = update(whole, state.items)[0]
        registers = _added(items.registers, state.registers)
        whole = learn(State.of(items.items, registers, items.facts, max(items.top, state.top)), state.facts)
    return whole


def _added(registers: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Lines int64[k, 4] of key, first instant, number, money: the earlier first, the sums of the others."""
    if not len(registers) or not len(others):
        return registers if len(registers) else others
    lines = np.concatenate([registers, others])
    keys, place = np.unique(lines[:, 0], return_inverse=True)
    added = np.zeros((len(keys), 4), np.int64)
    added[:, 0], added[:, 1] = keys, np.iinfo(np.int64).max
    np.minimum.at(added[:, 1], place, lines[:, 1])
    np.add.at(added[:, 2:], place, lines[:, 2:])
    return added
