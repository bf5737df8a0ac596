"""The slope of an outcome on an exposure between customers who are alike; see the package's text.

Robinson (Econometrica 1988) with cross-fitting (Chernozhukov and others, The Econometrics Journal 2018): residuals of
both from ridge regressions on what was known before, each row predicted by what other customers' rows taught.
"""

from dataclasses import dataclass

import numpy as np
import scipy.stats

FOLDS = 5
#: Strengths of the ridge that compete, by how well they predict rows that they did not learn from.
STRENGTHS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)


@dataclass(frozen=True)
class Slope:
    """`estimate` with its standard error, over `exposed` of `rows` rows.

    `customers`: those who had it, or those who had it not, whichever are fewer. `skew`: how skewed the estimate would
    be drawn, were there no slope.
    """

    estimate: float
    error: float
    exposed: int
    rows: int
    customers: int
    skew: float

    @property
    def p(self) -> float:
        """Two-sided, of no slope at all."""
        return float(2 * self._t.sf(abs(self.estimate) / self.error)) if self.error > 0 else 1.0

    def ends(self, confidence: float) -> tuple[float, float]:
        half = float(self._t.ppf((1 + confidence) / 2)) * self.error
        return self.estimate - half, self.estimate + half

    @property
    def _t(self) -> scipy.stats.distributions.rv_frozen:
        """Student's: the error is that of the few with the touchpoint, however many there are without."""
        return scipy.stats.t(self.customers - 1)


def prepared(values: np.ndarray) -> np.ndarray:
    """float64[n, p] of features as regressors: on a log scale, standardised, and a column for what is missing.

    Columns that say nothing are left out.
    """
    missing = np.isnan(values)
    scaled = np.sign(values) * np.log1p(np.abs(values))
    scaled = np.where(missing, 0.0, scaled)
    count = np.maximum((~missing).sum(0), 1)
    mean = scaled.sum(0) / count
    scaled = np.where(missing, 0.0, scaled - mean)
    both = np.column_stack([scaled, missing[:, missing.any(0) & ~missing.all(0)].astype(float)])
    both -= both.mean(0)
    spread = both.std(0)
    return np.asarray(both[:, spread > 1e-9] / spread[spread > 1e-9])


def residuals(x: np.ndarray, targets: np.ndarray, cluster: np.ndarray, seed: int = 0) -> np.ndarray:
    """float64[n, m]: targets less what x says of them, by ridge regressions that never saw the row's cluster."""
    groups, position = np.unique(cluster, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(groups))[position] % FOLDS
    missed = np.empty((len(STRENGTHS), *targets.shape))
    for k in range(FOLDS):
        here = fold == k
        learn, centre, level = x[~here], x[~here].mean(0), targets[~here].mean(0)
        eigen, axes = np.linalg.eigh((learn - centre).T @ (learn - centre))
        along = axes.T @ ((learn - centre).T @ (targets[~here] - level))
        seen = (x[here] - centre) @ axes
        for s, strength in enumerate(STRENGTHS):
            missed[s, here] = targets[here] - level - seen @ (along / (np.maximum(eigen, 0) + strength)[:, None])
    best = np.square(missed).sum(1).argmin(0)
    return np.asarray(np.take_along_axis(missed, best[None, None, :], 0)[0])


def slope(outcome: np.ndarray, exposure: np.ndarray, exposed: np.ndarray, cluster: np.ndarray) -> Slope:
    """Of residuals on residuals; errors by cluster (Liang and Zeger, Biometrika 1986)."""
    weight = float(exposure @ exposure)
    estimate = float(exposure @ outcome) / weight if weight > 0 else 0.0
    score = exposure * (outcome - estimate * exposure)
    groups, position = np.unique(cluster, return_inverse=True)
    by_cluster = np.bincount(position, score, len(groups))
    few = fewer(exposed, cluster)
    error = float(np.sqrt(few / max(1, few - 1) * by_cluster @ by_cluster)) / weight if weight > 0 else 0.0
    mean = np.bincount(position, outcome, len(groups)) / np.bincount(position)
    skew = max(drawn_skew(outcome, exposure), drawn_skew(mean, np.bincount(position, exposure, len(groups))))
    return Slope(estimate, error, int(exposed.sum()), len(outcome), few, skew)


def fewer(exposed: np.ndarray, cluster: np.ndarray) -> int:
    """Customers who had it, or who had it not, whichever are fewer."""
    return min(len(np.unique(cluster[exposed])), len(np.unique(cluster[~exposed])))


def drawn_skew(outcome: np.ndarray, exposure: np.ndarray) -> float:
    """How skewed a sum of exposure x outcome is drawn, were each outcome, float64[n], drawn from all of them.

    That of the outcomes times |sum of exposure^3| / (sum of exposure^2)^1.5: over sqrt(n) of the few where few had it,
    and nothing where half had it. Slopes take rows by themselves or customers as wholes, whichever are more skewed:
    luck may be of a row or of a customer.
    """
    spread = float((exposure @ exposure) ** 1.5 * outcome.std() ** 3)
    if spread <= 0:
        return 0.0
    third = float(np.mean((outcome - outcome.mean()) ** 3))
    return abs(third * float(np.sum(exposure**3))) / spread


def e_value(low: float, high: float, spread: float) -> float:
    """Of the interval's end next to nothing, for a difference in units of the outcome's standard deviation `spread`.

    1 where the interval holds nothing. VanderWeele and Ding (2017): a standardised difference d is a risk ratio of
    about exp(0.91 d).
    """
    if low <= 0 <= high or spread <= 0:
        return 1.0
    ratio = float(np.exp(0.91 * min(abs(low), abs(high)) / spread))
    return ratio + float(np.sqrt(ratio * (ratio - 1)))
