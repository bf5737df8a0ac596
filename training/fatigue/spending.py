"""What a contact does to spending, day by day after it: sales that it brings soon, activity that it costs for long.

The effect of a contact on channel c at pressure x on spending at age a (days) is taken to be

    gain (c, x) x 0.5^(a / sale)  -  loss (c, x) x 0.5^(a / half_life),

a structural nested mean model (Robins, Communications in Statistics 1994): the effect of one contact now with none
after it, for the later ones are subtracted, each with its own effect. So neither caps, which make contacts rarer after
one, nor what later contacts do under the load that this one left, are taken for what it does itself. With A - p what
chance decided of each decision, the effects solve

    sum of (A - p) x (faded spending after it - what is expected of it - effects of all contacts from it on) = 0

for both ways of fading: as many linear equations as effects (g-estimation). Variances are a sandwich over customers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.clock import DAY
from features.kernel.jit import compiled
from training.fatigue import fading
from training.fatigue.effects import Effects, Z
from training.fatigue.trials import SILENCE, Clock, Events, Trials

#: A cell with fewer contacts is not told apart; nor one in which chance decided less, sum (A - p)^2 over decisions of
#: which the log could show all of a loss (four at even odds make 1): of contacts that were certain nothing can be told.
LEAST, DECIDED = 20, 1.0
#: A loss fades, and what is seen of it is faded once more: of its sum, so much can be seen at most.
FULL = 0.5


@dataclass(frozen=True)
class Spending:
    """Effects [C, cells] in money, over all the days that they last, and the `cover`iance of each of the two. By
    trial, float64[n]: `lost`, faded spending that is missing and neither earlier spending, nor what a contact sells,
    nor later contacts explain; `exposure`, what of a loss the log could show of it, at most FULL; `place`, int64[n],
    which of the effects, one channel's after another's, is its contact's (-1: none)."""

    loss: Effects
    gain: Effects
    cover: tuple[np.ndarray, np.ndarray]
    lost: np.ndarray
    exposure: np.ndarray
    place: np.ndarray


def spending(trials: Trials, bought: Events, until: int, clock: Clock, cell: np.ndarray, cells: int) -> Spending:
    """By channel and cell int[n] (below `cells`; -1 counts in none)."""
    count = len(trials.channels) * cells
    halves = np.array([clock.half_life, clock.sale]) / DAY
    left = np.maximum(until - trials.at, 0) / DAY
    # of a filter k and an effect's profile p: the sum of both fadings until the log ends
    rate = 1 / halves[:, None] + 1 / halves[None, :]
    seen = np.stack([[(1 - 0.5 ** (left * rate[k, p])) / (np.log(2) * rate[k, p]) for p in range(2)] for k in range(2)])
    seen[:, 0] *= -1.0
    place = np.where((trials.made != SILENCE) & (cell >= 0), trials.made * cells + cell, -1)
    contacts = np.bincount(place[place >= 0], minlength=count)
    amounts = np.ascontiguousarray(seen.transpose(2, 0, 1))
    chance = (trials.who, trials.made.astype(np.int64), cell.astype(np.int64), cells, trials.chance.astype(np.float64))
    matrix = np.zeros((2 * count, 2 * count))
    _equations(*chance, trials.at / DAY, amounts, halves, matrix)
    faded = np.stack([_unexpected(trials, bought, half * DAY, left) for half in halves])
    exposure = -seen[0, 0] * np.log(2) / halves[0]
    shown, _ = _weights(trials, cell, cells, exposure / FULL)
    kept = np.flatnonzero(np.tile((contacts >= LEAST) & (shown.ravel() >= DECIDED), 2))
    moment, meat = np.zeros(2 * count), np.zeros((2 * count, 2 * count))
    _scores(*chance, faded, moment, meat)
    value, cover = np.full(2 * count, np.nan), np.full((2 * count, 2 * count), np.nan)
    rest = faded
    if len(kept):
        value[kept] = np.linalg.solve(matrix[np.ix_(kept, kept)], moment[kept])
        rest = faded - _explained(trials, place, np.nan_to_num(value), amounts, halves, count)
        meat[:] = 0.0
        _scores(*chance, rest, moment, meat)
        inverse = np.linalg.inv(matrix[np.ix_(kept, kept)])
        cover[np.ix_(kept, kept)] = inverse @ meat[np.ix_(kept, kept)] @ inverse.T
    days = halves / np.log(2)
    weight, pressure = _weights(trials, cell, cells, np.ones(len(trials)))
    found, covers = list[Effects](), list[np.ndarray]()
    for p in range(2):
        mine = slice(p * count, (p + 1) * count)
        level = value[mine].reshape(-1, cells) * days[p]
        covers.append(cover[mine, mine] * days[p] ** 2)
        variance = np.diag(covers[p]).reshape(-1, cells)
        half = Z * np.sqrt(variance)
        found.append(Effects(level, level - half, level + half, variance, contacts.reshape(-1, cells).astype(float),
                             weight, pressure))  # fmt: skip
    own = np.where(place >= 0, np.nan_to_num(value)[np.maximum(place, 0)] * -amounts[:, 0, 0], 0.0)
    return Spending(found[0], found[1], (covers[0], covers[1]), own - rest[0], exposure, place)


def _unexpected(trials: Trials, bought: Events, half: float, left: np.ndarray) -> np.ndarray:
    """Faded spending after each trial, less what a line in earlier spending foretells: for precision alone."""
    spent = fading.after(bought.who, bought.at, bought.amount, trials.who, trials.at, half)
    exposure = (1 - 0.5 ** (left * DAY / half)) * half / DAY / np.log(2)
    root = np.sqrt(exposure)
    design = np.column_stack([np.ones(len(trials)), np.log1p(trials.past), trials.past]) * root[:, None]
    gram = design.T @ design
    gram[np.diag_indices_from(gram)] += 1e-9 * np.trace(gram) + 1e-12
    target = np.divide(spent, root, out=np.zeros(len(spent)), where=root > 0)
    return np.asarray(spent - design @ np.linalg.solve(gram, design.T @ target) * root)


def _explained(
    trials: Trials, place: np.ndarray, value: np.ndarray, amounts: np.ndarray, halves: np.ndarray, count: int
) -> np.ndarray:
    """float64[2, n]: what the effects of all contacts from each trial on add to its faded spending."""
    rows = np.flatnonzero(place >= 0)
    found = np.zeros((2, len(trials)))
    for k in range(2):
        amount = (amounts[rows, k] * np.stack([value[place[rows]], value[count + place[rows]]], axis=1)).sum(axis=1)
        found[k] = fading.after(trials.who[rows], trials.at[rows], amount, trials.who, trials.at, halves[k] * DAY)
        found[k][rows] += amount
    return found


def _weights(trials: Trials, cell: np.ndarray, cells: int, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By channel and cell: how much chance there was in a `share` float64[n] of each trial, and the mean pressure
    under it."""
    weight, pressure = (np.zeros((len(trials.channels), cells)) for _ in range(2))
    rows = np.flatnonzero(cell >= 0)
    for c in range(len(trials.channels)):
        rest = (trials.made[rows] == c) - trials.chance[rows, c].astype(np.float64)
        by_chance = share[rows] * rest * rest
        weight[c] = np.bincount(cell[rows], by_chance, minlength=cells)
        load = np.bincount(cell[rows], by_chance * trials.pressure[rows], minlength=cells)
        np.divide(load, weight[c], out=pressure[c], where=weight[c] > 0)
    return weight, pressure


@compiled
def _equations(
    who: Any, made: Any, cell: Any, cells: int, chance: Any, at: Any, amounts: Any, halves: Any, out: Any
) -> None:
    """Adds (A - p) x (contacts from here on, by channel and cell, faded) into out [2 J, 2 J]; backwards in time."""
    count = chance.shape[1] * cells
    ahead = np.zeros((2, 2 * count))
    for i in range(len(who) - 1, -1, -1):
        if i == len(who) - 1 or who[i] != who[i + 1]:
            ahead[:, :] = 0.0
        else:
            for k in range(2):
                ahead[k, :] *= 0.5 ** ((at[i + 1] - at[i]) / halves[k])
        if cell[i] < 0:
            continue
        if made[i] >= 0:
            own = made[i] * cells + cell[i]
            for k in range(2):
                for p in range(2):
                    ahead[k, p * count + own] += amounts[i, k, p]
        for c in range(chance.shape[1]):
            decided = (1.0 if made[i] == c else 0.0) - chance[i, c]
            if decided != 0.0:
                for k in range(2):
                    row = k * count + c * cells + cell[i]
                    for j in range(2 * count):
                        out[row, j] += decided * ahead[k, j]


@compiled
def _scores(who: Any, made: Any, cell: Any, cells: int, chance: Any, rest: Any, total: Any, meat: Any) -> None:
    """Fills total [2 J] with the sums of (A - p) x rest, adds into meat [2 J, 2 J] their squares by customer."""
    count = chance.shape[1] * cells
    own, touched, seen = np.zeros(2 * count), np.zeros(2 * count, np.int64), np.zeros(2 * count, np.bool_)
    total[:] = 0.0
    number = 0
    for i in range(len(who) + 1):
        if i > 0 and (i == len(who) or who[i] != who[i - 1]):
            for a in range(number):
                total[touched[a]] += own[touched[a]]
                for b in range(number):
                    meat[touched[a], touched[b]] += own[touched[a]] * own[touched[b]]
            for a in range(number):
                own[touched[a]], seen[touched[a]] = 0.0, False
            number = 0
        if i == len(who) or cell[i] < 0:
            continue
        for c in range(chance.shape[1]):
            decided = (1.0 if made[i] == c else 0.0) - chance[i, c]
            if decided != 0.0:
                for k in range(2):
                    row = k * count + c * cells + cell[i]
                    if not seen[row]:
                        seen[row], touched[number] = True, row
                        number += 1
                    own[row] += decided * rest[k, i]
