"""One action against nothing: the decisions in which both were possible, and what each says of the effect.

A decision that drew the action a had it drawn with p(a) and nothing (silence or a ghost) with p(0); among decisions in
which one of the two was drawn, a came with e = p(a) / (p(a) + p(0)), known from the log. With Y what came of it and m
what is expected of such a customer whatever is done, the score

    s = (A - e) (Y - m) / (e (1 - e))

is the effect without bias, whatever m is; m only takes noise away. Scores weigh w = e (1 - e): the mean is then that
over decisions, each counted by how far both were possible, and a rare draw cannot outweigh all others.
Source: Robins, Rotnitzky, Zhao, JASA 89 (1994); overlap weights: Li, Morgan, Zaslavsky, JASA 113 (2018); the same
residuals on residuals: Nie and Wager, Biometrika 108 (2021).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.uplift.logged.decisions import NOTHING, Decisions, withheld

#: Where one of the two had less than this of the chance, decisions say nothing that weighs anything.
SMALLEST = 1e-3


@dataclass(frozen=True)
class Pairs:
    """`row` int[k], places in the decisions; `treated` bool[k]; `chance` float[k], e; `residual` float[k], Y - m."""

    row: np.ndarray
    person: np.ndarray
    treated: np.ndarray
    chance: np.ndarray
    residual: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    @property
    def weight(self) -> np.ndarray:
        return self.chance * (1 - self.chance)

    @property
    def score(self) -> np.ndarray:
        return (self.treated - self.chance) * self.residual / self.weight

    def rows(self, chosen: np.ndarray) -> "Pairs":
        """The same of some of them, a mask or places."""
        return Pairs(*(column[chosen] for column in vars(self).values()))

    def thinned(self, share: float, luck: np.ndarray) -> "Pairs":
        """With this share of those to whom nothing was made: their chance of being here is so much less.

        `luck` float[n] in [0, 1) of all decisions says who stays, so that smaller shares are parts of larger ones.
        """
        if share >= 1.0:
            return self
        left = self.rows(self.treated | (luck[self.row] < share))
        return replace(left, chance=left.chance / (left.chance + share * (1 - left.chance)))


def pairs(decisions: Decisions, treatments: Sequence[int], residual: np.ndarray, usable: np.ndarray) -> Pairs:
    """Of decisions `usable` bool[n], one of `treatments` against nothing; `residual` float[n]."""
    empty = [NOTHING, *map(withheld, treatments)]
    made, nothing = decisions.chance_of(treatments), decisions.kept * decisions.chance_of(empty)
    both = usable & (made > 0) & (nothing > 0)
    treated = np.isin(decisions.drawn, treatments)
    both &= treated | np.isin(decisions.drawn, empty)
    row = np.flatnonzero(both)
    chance = made[row] / (made[row] + nothing[row])
    enough = (chance >= SMALLEST) & (chance <= 1 - SMALLEST)
    row = row[enough]
    return Pairs(row, decisions.person[row], treated[row], chance[enough], residual[row])
