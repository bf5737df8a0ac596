"""Arms of effects as one array of tables, and the compiled code that reads it: the same bits for one and for a million.

Each distinct score (a line, a model of trees) is worked out once for a customer, however many arms share it: the
control's model is every arm's.
"""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from features.kernel.jit import compiled
from features.kernel.packed import grid as table
from features.kernel.packed import pack, row
from serving.decisions.effects.nodes import Nodes, parse, walk

if TYPE_CHECKING:
    from serving.decisions.effects.forms import Part

#: What a score is; columns of `score`: what, where its weights or trees begin and end, whether a probability is made.
LINE, TREES = 0, 1
_WHAT, _START, _STOP, _LOGISTIC = 0, 1, 2, 3
#: Tables of `packed`, in their order.
ARM, PART, WEIGHT, SCORE, COLUMN, COEFFICIENT, WITHIN, NODES = range(8)
TABLES = NODES + 6
_BOUND = 500.0  # |score| beyond this is 0 or 1 in float64 anyway; keeps exp from overflowing
_OBJECTIVE = re.compile(r"^objective=(.*)$", re.MULTILINE)


def logistic(text: str) -> bool:
    """Whether a LightGBM model's scores are to be made probabilities; ValueError where they mean something else."""
    found = _OBJECTIVE.search(text)
    said = found.group(1).strip() if found else "none"
    if said == "binary sigmoid:1":
        return True
    if said.split()[0] in ("regression", "regression_l1", "huber", "fair", "quantile"):
        return False
    raise ValueError(f"trees of the objective `{said}` are not read; `regression` and `binary` are")


def packed(arms: Sequence[Sequence["Part"]], within: tuple[float, float] = (-np.inf, np.inf)) -> np.ndarray:
    """The sums of arms as compiled code reads them; effects are kept `within` bounds.

    ValueError where a number is not finite, or trees cannot be read.
    """
    place: dict[tuple[object, bool], int] = {}
    score: list[tuple[int, int, int, int]] = []
    column, coefficient, trees = list[int](), list[float](), list[Nodes]()
    arm, part, weight = [0], list[int](), list[float]()
    for parts in arms:
        for one in parts:
            key = one.score, one.logistic
            if key not in place:
                place[key] = len(score)
                if isinstance(one.score, str):
                    start = sum(len(each.root) for each in trees)
                    trees.append(_trees(one.score))
                    score.append((TREES, start, start + len(trees[-1].root), one.logistic))
                else:
                    # the intercept always, and what weighs anything
                    used = [(k, w) for k, w in enumerate(one.score) if k == 0 or w != 0.0]
                    score.append((LINE, len(column), len(column) + len(used), one.logistic))
                    column += [k - 1 for k, _ in used]
                    coefficient += [w for _, w in used]
            part.append(place[key])
            weight.append(one.weight)
        arm.append(len(part))
    if not all(map(math.isfinite, [*weight, *coefficient])):
        raise ValueError("a weight is no finite number")
    whole = [np.array(arm, np.int64), np.array(part, np.int64), np.array(weight, np.float64)]
    scores = np.array(score, np.int64).reshape(len(score), 4)
    line = [np.array(column, np.int64), np.array(coefficient, np.float64)]
    return pack((*whole, scores, *line, np.array(within, np.float64), *_joined(trees).tables()))


def reach(tables: np.ndarray) -> int:
    """How many inputs the tables ask about at least: one more than the last that any line or tree names."""
    asked = np.concatenate([_slice(tables, COLUMN), _slice(tables, NODES + 1).reshape(-1, 5)[:, 0]])
    return int(asked.max(initial=-1)) + 1


def evaluated(parts: Sequence["Part"], inputs: np.ndarray) -> np.ndarray:
    """float64[n]: one arm's effects from inputs [n, p]."""
    tables = packed([parts])
    inputs = np.ascontiguousarray(inputs, np.float64)
    if reach(tables) > inputs.shape[1]:
        raise ValueError(f"the effects ask about {reach(tables)} inputs, there are {inputs.shape[1]}")
    out = np.empty((len(inputs), 1))
    of_inputs(inputs, tables, np.zeros(1, np.int64), out)
    return out[:, 0]


@lru_cache(maxsize=64)
def _trees(text: str) -> Nodes:
    return parse(text)


def _joined(trees: Sequence[Nodes]) -> Nodes:
    """Models' trees end to end."""
    node, leaf, sets, words = 0, 0, 0, 0
    root, nodes, bits_at = list[np.ndarray](), list[np.ndarray](), [np.zeros(1, np.int64)]
    for each in trees:
        root.append(np.where(each.root < 0, each.root - leaf, each.root + node))
        moved = each.node.copy()
        for side in (2, 3):
            moved[:, side] = np.where(each.node[:, side] < 0, each.node[:, side] - leaf, each.node[:, side] + node)
        moved[:, 4] += sets
        nodes.append(moved)
        bits_at.append(each.bits_at[1:] + words)
        node, leaf = node + len(each.node), leaf + len(each.leaf)
        sets, words = sets + len(each.bits_at) - 1, words + len(each.bits)
    return Nodes(
        np.concatenate([np.zeros(0, np.int64), *root]),
        np.concatenate([np.zeros((0, 5), np.int64), *nodes]),
        np.concatenate([np.zeros(0), *(each.threshold for each in trees)]),
        np.concatenate([np.zeros(0), *(each.leaf for each in trees)]),
        np.concatenate(bits_at),
        np.concatenate([np.zeros(0, np.int64), *(each.bits for each in trees)]),
    )


def _slice(tables: np.ndarray, which: int) -> np.ndarray:
    place, rows, columns = tables[3 * which : 3 * which + 3]
    return tables[place : place + rows * columns]


@compiled
def of_inputs(inputs: Any, tables: Any, which: Any, out: Any) -> None:
    """Fills out [n, m] with the effects of the arms `which` int64[m] (below 0: none, NaN) for inputs [n, p]."""
    found = np.empty(table(tables, SCORE).shape[0])
    for i in range(inputs.shape[0]):
        found[:] = np.nan
        add(inputs[i], tables, which, found, out[i])


@njit(nogil=True)
def add(x: Any, tables: Any, which: Any, found: Any, out: Any) -> None:
    """The effects of one row x [p]; `found` holds each score that was worked out already, else NaN."""
    arm, part, weight = row(tables, ARM), row(tables, PART), row(tables, WEIGHT).view(np.float64)
    score, within = table(tables, SCORE), row(tables, WITHIN).view(np.float64)
    for j in range(which.shape[0]):
        if which[j] < 0:
            out[j] = np.nan
            continue
        total = 0.0
        for k in range(arm[which[j]], arm[which[j] + 1]):
            s = part[k]
            if np.isnan(found[s]):
                found[s] = _score(x, tables, score[s])
            total += weight[k] * found[s]
        out[j] = min(max(total, within[0]), within[1])


@njit(nogil=True)
def _score(x: Any, tables: Any, score: Any) -> Any:
    start, stop = score[_START], score[_STOP]
    total = 0.0
    if score[_WHAT] == LINE:
        column, coefficient = row(tables, COLUMN), row(tables, COEFFICIENT).view(np.float64)
        total = coefficient[start]
        for k in range(start + 1, stop):
            total += coefficient[k] * x[column[k]]
    else:
        raw, alone = np.zeros(1), np.zeros(1, np.int64)
        walk(
            x, x.reshape((1, x.shape[0])), alone, row(tables, NODES)[start:stop], table(tables, NODES + 1),
            row(tables, NODES + 2).view(np.float64), row(tables, NODES + 3).view(np.float64), row(tables, NODES + 4),
            row(tables, NODES + 5), np.empty((1, 0), np.int64), raw,
        )  # fmt: skip
        total = raw[0]
    if score[_LOGISTIC]:
        total = 1.0 / (1.0 + np.exp(-min(max(total, -_BOUND), _BOUND)))
    return total
