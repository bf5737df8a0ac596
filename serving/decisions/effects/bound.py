"""A model of effects bound to the catalogue: asked about one customer or a million, the same compiled code answers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from features.kernel.jit import compiled
from features.kernel.packed import grid as table
from features.kernel.packed import pack
from serving.decisions.effects import tables
from serving.decisions.effects.forms import Effects, parts
from serving.decisions.effects.inputs import CONTACTS, LABEL, MISSING, Input, plan

#: By action and channel; None stands for any.
Key = tuple[str | None, str | None]
_SOURCE, _NUMBER = tables.TABLES, tables.TABLES + 1


class Standing(NamedTuple):
    """Contacts of n customers as effects count them: those of customer i are `start[i]:start[i + 1]`.

    `at` int64 microseconds (now for a reservation); `channel` int64, its position in `Bound.channels`, -1 for others.
    """

    start: np.ndarray
    at: np.ndarray
    channel: np.ndarray


class Bound:
    """`names` and `levels` describe the catalogue's feature vector. WorkspaceError where it lacks what is asked about,
    ValueError where the effects are not to be evaluated."""

    def __init__(
        self,
        inputs: Sequence[Input],
        arms: Mapping[Key, Effects],
        within: tuple[float, float],
        names: Sequence[str],
        levels: Mapping[str, Sequence[str] | None],
    ) -> None:
        self._plan = plan(inputs, names, levels)
        self._features, self._inputs = len(names), len(inputs)
        self._place = {key: which for which, key in enumerate(arms)}
        own = tables.packed([parts(effects) for effects in arms.values()], within)
        if tables.reach(own) > len(inputs):
            raise ValueError(f"its effects ask about {tables.reach(own)} inputs, it states {len(inputs)}")
        self._packed = _extended(own, self._plan.source, self._plan.number)

    @property
    def channels(self) -> Sequence[str]:
        """Those by which contacts are counted."""
        return self._plan.channels

    @property
    def counts(self) -> bool:
        """Whether it asks about contacts."""
        return len(self._plan.counted) > 0

    def place(self, action: str | None, channel: str | None) -> int:
        """Which arm a treatment is answered by; -1 where the model does not know it."""
        for key in ((action, channel), (action, None), (None, channel), (None, None)):
            if (found := self._place.get(key)) is not None:
                return found
        return -1

    def effects(self, values: np.ndarray, which: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
        """float64[n, m] for feature vectors [n, F] and arms int64[m] (below 0: NaN); `counts` [n, k], see `counted`."""
        out = np.empty((len(values), len(which)))
        _effects(*self._given(values, counts), self._packed, which, out)
        return out

    def inputs(self, values: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
        """float64[n, p]: what the effects are functions of; training learns from these."""
        out = np.empty((len(values), self._inputs))
        _inputs(*self._given(values, counts), self._packed, out)
        return out

    def counted(self, standing: Standing, now: np.ndarray) -> np.ndarray:
        """float64[n, k]: the contacts that stand at `now` int64[n], as each input of contacts counts them."""
        out = np.empty((len(now), len(self._plan.counted)))
        _count(*standing, now, self._plan.counted, self._plan.weight, out)
        return out

    def _given(self, values: np.ndarray, counts: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        values = np.ascontiguousarray(values, np.float64)
        if values.ndim != 2 or values.shape[1] != self._features:
            raise ValueError(f"feature vectors have {self._features} numbers each, not shape {values.shape}")
        if counts is None:
            if self.counts:
                raise ValueError("these effects ask about contacts: count them")
            counts = np.zeros((len(values), 0))
        return values, counts


def _extended(own: np.ndarray, source: np.ndarray, number: np.ndarray) -> np.ndarray:
    """The tables of the effects with those of the inputs behind them."""
    found = []
    for which in range(tables.TABLES):
        place, rows, columns = own[3 * which : 3 * which + 3]
        found.append(own[place : place + rows * columns].reshape(rows, columns))
    return pack((*found, source, number))


@compiled
def _effects(values: Any, counts: Any, packed: Any, which: Any, out: Any) -> None:
    x = np.empty(table(packed, _SOURCE).shape[0])
    found = np.empty(table(packed, tables.SCORE).shape[0])
    for i in range(values.shape[0]):
        _gather(values[i], counts[i], packed, x)
        found[:] = np.nan
        tables.add(x, packed, which, found, out[i])


@compiled
def _inputs(values: Any, counts: Any, packed: Any, out: Any) -> None:
    for i in range(values.shape[0]):
        _gather(values[i], counts[i], packed, out[i])


@njit(nogil=True)
def _gather(vector: Any, counts: Any, packed: Any, x: Any) -> None:
    source, number = table(packed, _SOURCE), table(packed, _NUMBER).view(np.float64)
    for k in range(source.shape[0]):
        what, index = source[k, 0], source[k, 1]
        v = counts[index] if what == CONTACTS else vector[index]
        if what == MISSING:
            x[k] = 1.0 if np.isnan(v) else 0.0
        elif what == LABEL:
            x[k] = 1.0 if v == source[k, 2] else 0.0
        else:
            if np.isnan(v):
                v = number[k, 0]
            else:
                v = min(max(v, number[k, 1]), number[k, 2])
                if source[k, 3]:
                    v = np.log1p(v) if v >= 0.0 else -np.log1p(-v)
            x[k] = v


@compiled
def _count(start: Any, at: Any, channel: Any, now: Any, counted: Any, weight: Any, out: Any) -> None:
    """In the order in which the contacts lie: the sums of one and of many agree to the last bit."""
    for i in range(now.shape[0]):
        for k in range(counted.shape[0]):
            total = 0.0
            for c in range(start[i], start[i + 1]):
                age = max(now[i] - at[c], 0)
                # a channel that is not named is -1: the last weight
                if counted[k, 1]:
                    total += weight[k, channel[c]] * 0.5 ** (age / counted[k, 0])
                elif age <= counted[k, 0]:
                    total += weight[k, channel[c]]
            out[i, k] = total
