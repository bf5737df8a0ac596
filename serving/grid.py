"""The probabilities of customers by actions, in one call of compiled code, from one array of a model's tables.

Each array that enters compiled code costs a fifth of a microsecond, which is much where a model takes five.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from features.kernel.jit import compiled
from features.kernel.packed import grid as table
from features.kernel.packed import pack, row
from serving.decisions.effects.nodes import Nodes, unknown, walk
from serving.smooth import Terms, add_terms, of_actions

_BOUND = 500.0  # |score| beyond this is 0 or 1 in float64 anyway; keeps exp from overflowing
_BOOSTER, _LINEAR, _TREES, _TERMS, _LINK = 1, 4, 7, 13, 20  # where each part's tables begin

#: Look-up tables of a model's columns, end to end, and where each column's starts and stops; null's entry is the last.
Codes = tuple[np.ndarray, np.ndarray, np.ndarray]


def packed(
    index: np.ndarray, booster: Codes, linear: Codes, trees: Nodes | None, terms: Terms, link: Sequence[float]
) -> np.ndarray:
    """A model as `probabilities` reads it. `index` says which feature each of its columns is, -1 where the action's.

    `link`: intercept of the smooth part, then intercept, weight of the smooth part and of the trees.
    """
    none = np.zeros((0, 5))
    walked = (none[:, 0], none) + (none[:, 0],) * 4 if trees is None else trees.tables()
    return pack((index, *booster, *linear, *walked, *terms.tables(), np.array(link)))


@compiled
def probabilities(values: Any, model: Any, booster: Any, linear: Any, which: Any, raw: Any, out: Any) -> None:
    """Fills out [n, m] for feature vectors [n, F] and the actions in rows `which` int64[m] of `booster` and `linear`.

    `raw` [n, m] is what LightGBM says of them where the model's trees are not in the tables, else zeros.
    """
    index, link = row(model, 0), row(model, _LINK).view(np.float64)
    root, node = row(model, _TREES), table(model, _TREES + 1)
    threshold, leaf = row(model, _TREES + 2).view(np.float64), row(model, _TREES + 3).view(np.float64)
    bits_at, bits = row(model, _TREES + 4), row(model, _TREES + 5)
    where, form, start, stop = (
        table(model, _TERMS),
        row(model, _TERMS + 1),
        row(model, _TERMS + 2),
        row(model, _TERMS + 3),
    )
    knots, points = row(model, _TERMS + 4).view(np.float64), row(model, _TERMS + 5).view(np.float64)
    null = row(model, _TERMS + 6).view(np.float64)
    lefts = unknown(which, node)
    parts = of_actions(linear, which, where, form, start, stop, knots, points, null)
    columns, smooth = np.empty(index.shape[0]), np.empty(which.shape[0])
    for i in range(values.shape[0]):
        _gather(values[i], index, model, _BOOSTER, columns)
        walk(columns, booster, which, root, node, threshold, leaf, bits_at, bits, lefts, raw[i])
        _gather(values[i], index, model, _LINEAR, columns)
        smooth[:] = 0.0
        add_terms(columns, linear, which, where, form, start, stop, knots, points, null, parts, smooth)
        for j in range(which.shape[0]):
            out[i, j] = link[0] + smooth[j]
            score = link[1] + link[2] * out[i, j]
            score += link[3] * raw[i, j]
            out[i, j] = 1.0 / (1.0 + np.exp(-min(max(score, -_BOUND), _BOUND)))


@compiled
def gathered(values: Any, model: Any) -> Any:
    """The columns [n, columns] that LightGBM is to be asked with; those of the action are left empty."""
    index = row(model, 0)
    out = np.empty((values.shape[0], index.shape[0]))
    for i in range(values.shape[0]):
        _gather(values[i], index, model, _BOOSTER, out[i])
    return out


@njit(nogil=True)
def _gather(vector: Any, index: Any, model: Any, codes: int, out: Any) -> None:
    """A model's columns from one feature vector; a category's level is looked up in the column's table of codes."""
    levels, start, stop = row(model, codes).view(np.float64), row(model, codes + 1), row(model, codes + 2)
    for k in range(index.shape[0]):
        if index[k] >= 0:
            v = vector[index[k]]
            if stop[k] > start[k]:
                v = levels[stop[k] - 1] if np.isnan(v) else levels[start[k] + np.int64(v)]
            out[k] = v
