"""Contacts made against ghosts, in many cells at once: weighted by logged probabilities, errors by customer.

Of a contact that was drawn, the log says with which probability e it was then made and not withheld. A contact made
counts 1, a ghost e / (1 - e): ghosts stand for the contacts that were made, so the difference of the means is the
effect for each contact made, whatever share was withheld when. A customer may be drawn many times; what belongs to one
customer is summed before it is squared (Liang and Zeger, Biometrika 73, 1986), each group with its own n / (n - 1) over
customers, and Student's t has Welch and Satterthwaite's degrees of freedom over effective numbers of customers (Kish,
1965). Where each customer is drawn once and all weights are alike, this is Welch's comparison to the last digit.

CUPED (Deng et al., WSDM 2013): theta x what was known before is taken off every outcome, theta from all decisions
alike.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.stats

from training.reports.statistics import CONFIDENCE, Effect, Sample, alike


@dataclass(frozen=True)
class Compared:
    """One cell: both groups with weighted means, and the difference's error."""

    control: Sample
    treated: Sample
    error: float
    effect: Effect
    explained: float | None


@dataclass(frozen=True)
class Design:
    """Decisions in cells, [n] each: `cell` int, `treated` bool, `weight` float; `cells` is the number of cells."""

    cell: np.ndarray
    treated: np.ndarray
    weight: np.ndarray
    cells: int
    #: Place of each decision's (cell, customer) among the distinct ones, and the cell of each of those, ascending.
    cluster: np.ndarray
    cell_of: np.ndarray

    @classmethod
    def of(cls, cell: np.ndarray, person: np.ndarray, made: np.ndarray, chance: np.ndarray, cells: int) -> "Design":
        """`chance` float[n] in (0, 1): how probable it was that the contact, being drawn, was made."""
        people = int(person.max()) + 1 if len(person) else 1
        pairs, cluster = np.unique(cell.astype(np.int64) * people + person, return_inverse=True)
        weight = np.where(made, 1.0, chance / (1 - chance))
        return cls(cell, made, weight, cells, cluster, pairs // people)

    def customers(self) -> np.ndarray:
        """int[cells]: distinct customers."""
        return np.bincount(self.cell_of, minlength=self.cells)

    def count(self, treated: bool) -> np.ndarray:
        """int[cells]: decisions of a group."""
        return np.bincount(self.cell[self.treated == treated], minlength=self.cells)

    def compare(self, outcome: np.ndarray, before: np.ndarray | None = None) -> list[Compared | None]:
        """Each cell's comparison of `outcome` float[n], given `before` float[n]; None where nothing can be compared."""
        theta, explained = (np.zeros(self.cells), None) if before is None else self._theta(outcome, before)
        rest = outcome if before is None else outcome - theta[self.cell] * before
        groups = [self._group(rest, treated) for treated in (False, True)]
        # ghosts as if they had been customers like those contacted
        level = np.zeros(self.cells) if before is None else theta * self._mean(before, True)
        return [
            self._found(groups, k, level[k], None if explained is None else explained[k]) for k in range(self.cells)
        ]

    def _found(self, groups: list["_Group"], k: int, level: float, explained: float | None) -> Compared | None:
        control, treated = groups
        if min(control.effective[k], treated.effective[k]) < 2:
            return None
        ours = slice(*np.searchsorted(self.cell_of, [k, k + 1]))
        parts = [group.scores[ours] * math.sqrt(group.effective[k] / (group.effective[k] - 1)) for group in groups]
        low, high = (
            Sample(int(g.n[k]), float(g.mean[k] + level), float(g.variance[k]), float(g.skew[k]), float(g.alike[k]))
            for g in groups
        )
        variances = [float(part @ part) for part in parts]
        if sum(variances) <= 1e-20 * max(1.0, low.mean**2):
            return None
        freedom = sum(variances) ** 2 / sum(v**2 / (g.effective[k] - 1) for v, g in zip(variances, groups, strict=True))
        error = float(np.linalg.norm(parts[1] - parts[0]))
        student = scipy.stats.t(freedom)
        reach, difference = float(student.ppf((1 + CONFIDENCE) / 2)), high.mean - low.mean
        relative: tuple[float | None, float | None, float | None] = (None, None, None)
        if all(s.mean > 2 * math.sqrt(v) for s, v in zip((low, high), variances, strict=True)):
            ratio = high.mean / low.mean
            factor = math.exp(reach * float(np.linalg.norm(parts[1] / high.mean - parts[0] / low.mean)))
            relative = (ratio - 1, ratio / factor - 1, ratio * factor - 1)
        effect = Effect(
            difference,
            difference - reach * error,
            difference + reach * error,
            *relative,
            p=float(2 * student.sf(abs(difference) / error)) if error else 1.0,
        )
        return Compared(low, high, error, effect, explained)

    def _mean(self, values: np.ndarray, treated: bool) -> np.ndarray:
        mine = self.treated == treated
        weight = np.bincount(self.cell[mine], self.weight[mine], self.cells)
        return _ratio(np.bincount(self.cell[mine], (self.weight * values)[mine], self.cells), weight)

    def _group(self, values: np.ndarray, treated: bool) -> "_Group":
        """The group's moments and each cluster's part of the error of its mean."""
        weight = np.where(self.treated == treated, self.weight, 0.0)
        total = np.bincount(self.cell, weight, self.cells)
        mean = _ratio(np.bincount(self.cell, weight * values, self.cells), total)
        off = values - mean[self.cell]
        scores = np.bincount(self.cluster, _ratio(weight, total[self.cell]) * off, len(self.cell_of))
        by_customer = np.bincount(self.cluster, weight, len(self.cell_of))
        squares, cubes = (np.bincount(self.cell_of, by_customer**power, self.cells) for power in (2, 3))
        n = self.count(treated)
        variance = _ratio(np.bincount(self.cell, weight * off**2, self.cells), total) * _ratio(n, n - 1.0)
        third = _ratio(np.bincount(self.cell, weight * off * off * off, self.cells), total)
        skew, effective = _ratio(third, variance**1.5), _ratio(total**2, squares)
        return _Group(n, mean, variance, skew, scores, effective, alike(squares, cubes))

    def _theta(self, outcome: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float[cells]: the slope on what was known before, and the share of the variance that it takes away."""
        number = np.bincount(self.cell, minlength=self.cells).astype(np.float64)
        x, y = (
            values - _ratio(np.bincount(self.cell, values, self.cells), number)[self.cell]
            for values in (before, outcome)
        )
        xx, xy, yy = (np.bincount(self.cell, product, self.cells) for product in (x * x, x * y, y * y))
        theta = _ratio(xy, xx)
        return theta, _ratio(theta * xy, yy)


@dataclass(frozen=True)
class _Group:
    """Of every cell: decisions, weighted mean, variance and skewness, effective number of customers (Kish's, and
    `alike` by the mean's skewness); `scores` by cluster."""

    n: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    skew: np.ndarray
    scores: np.ndarray
    effective: np.ndarray
    alike: np.ndarray


def _ratio(sums: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return np.divide(sums, numbers, out=np.zeros(np.shape(sums), np.float64), where=np.asarray(numbers) > 0)
