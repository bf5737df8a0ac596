"""How good probabilities are, each figure with a bootstrap interval over customers.

All metrics take labels 0/1, probabilities and weights, so that a bootstrap resample is a vector of weights and ties
in the scores are always shared fairly. Intervals are percentiles of resampled customers:
rows of one customer stay together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
REPEATS = 200
LEVEL = 0.95
EDGE = 1e-9


@dataclass(frozen=True)
class Interval:
    """A figure and its bootstrap interval."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """The format applies to all three numbers: `{interval:+.4f}`; default three decimals."""
        spec = spec or ".3f"
        return f"{self.value:{spec}} ({self.low:{spec}} to {self.high:{spec}})"

    def __str__(self) -> str:
        return format(self)


def _by_score(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positives and of negatives at each distinct score, ascending."""
    _, place = np.unique(p, return_inverse=True)
    return np.bincount(place, w * y), np.bincount(place, w * (1 - y))


def auc(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """Area under the ROC curve: P(a positive scores above a negative), ties count one half."""
    positive, negative = _by_score(y, p, w)
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / (positive.sum() * negative.sum()))


def pr_auc(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """Average precision: precision at each score, weighted by the recall gained there."""
    positive, negative = _by_score(y, p, w)
    hits = np.cumsum(positive[::-1])
    drawn = np.maximum(hits + np.cumsum(negative[::-1]), EDGE)
    return float((positive[::-1] * hits / drawn).sum() / positive.sum())


def log_loss(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """Mean negative log likelihood, in nats."""
    p = np.clip(p, EDGE, 1 - EDGE)
    return float(-np.average(np.where(y == 1, np.log(p), np.log1p(-p)), weights=w))


def brier(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """Mean squared error of the probability."""
    return float(np.average((p - y) ** 2, weights=w))


def brier_skill(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """1 - Brier / Brier of always saying these rows' own base rate: above 0 is better than knowing that rate."""
    rate = np.average(y, weights=w)
    return 1 - brier(y, p, w) / float(rate * (1 - rate))


def _calibration(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Intercept and slope of the logistic regression of the label on the logit of p (Cox, 1958), by Newton's method."""
    p = np.clip(p, EDGE, 1 - EDGE)
    z = np.log(p) - np.log1p(-p)
    x = np.column_stack([np.ones_like(z), z])
    beta = np.array([0.0, 1.0])
    for _ in range(30):
        fitted = 1 / (1 + np.exp(-np.clip(x @ beta, -40, 40)))
        gradient = x.T @ (w * (y - fitted))
        curvature = (x * (w * fitted * (1 - fitted))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        beta += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return beta


def calibration_slope(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """1 is right; below 1 the probabilities are too extreme, above 1 too timid."""
    return float(_calibration(y, p, w)[1])


def calibration_intercept(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """0 is right, given the slope."""
    return float(_calibration(y, p, w)[0])


def ece(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """Expected calibration error: mean |observed - predicted| over ten bins that hold a tenth of the rows each."""
    edges = np.quantile(p, np.linspace(0.1, 0.9, 9))
    bins = np.searchsorted(edges, p, side="right")
    gap = np.bincount(bins, w * (y - p), minlength=10)
    return float(np.abs(gap).sum() / w.sum())


def lift_top_decile(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """Rate among the tenth with the highest scores / rate overall; a tie at the edge is shared."""
    positive, negative = (side[::-1] for side in _by_score(y, p, w))
    total = positive + negative
    share = np.clip((0.1 * w.sum() - (np.cumsum(total) - total)) / np.maximum(total, EDGE), 0, 1)
    return float((share * positive).sum() / (0.1 * w.sum()) / (positive.sum() / w.sum()))


METRICS: dict[str, Metric] = {
    "auc": auc,
    "pr_auc": pr_auc,
    "log_loss": log_loss,
    "brier": brier,
    "brier_skill": brier_skill,
    "calibration_slope": calibration_slope,
    "calibration_intercept": calibration_intercept,
    "ece": ece,
    "lift_top_decile": lift_top_decile,
}


def resamples(y: np.ndarray, customers: np.ndarray, repeats: int = REPEATS, seed: int = 0) -> Iterator[np.ndarray]:
    """Weights [n]: how often each row is drawn when whole customers are drawn with replacement; same seed, same draws.

    Draws that hold only one label are left out: most metrics do not exist there.
    """
    _, place = np.unique(customers, return_inverse=True)
    count = int(place.max()) + 1
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        weights = np.bincount(rng.integers(0, count, count), minlength=count)[place].astype(float)
        if 0 < weights @ y < weights.sum():
            yield weights


def evaluate(
    y: np.ndarray,
    p: np.ndarray,
    customers: np.ndarray,
    repeats: int = REPEATS,
    metrics: Mapping[str, Metric] = MappingProxyType(METRICS),
) -> dict[str, Interval]:
    """Every metric with its interval. Shapes [n]; both labels must occur."""
    y = np.asarray(y, float)
    ones = np.ones(len(y))
    draws = [[metric(y, p, w) for metric in metrics.values()] for w in resamples(y, customers, repeats)]
    columns = list(zip(*draws, strict=True)) or [()] * len(metrics)
    return {
        name: _interval(metric(y, p, ones), column)
        for (name, metric), column in zip(metrics.items(), columns, strict=True)
    }


def difference(
    y: np.ndarray, p: np.ndarray, rival: np.ndarray, customers: np.ndarray, metric: Metric = auc, repeats: int = REPEATS
) -> Interval:
    """metric(p) - metric(rival) with a paired interval: both are judged on the same resampled customers."""
    y = np.asarray(y, float)
    ones = np.ones(len(y))
    draws = [metric(y, p, w) - metric(y, rival, w) for w in resamples(y, customers, repeats)]
    return _interval(metric(y, p, ones) - metric(y, rival, ones), draws)


def _interval(value: float, draws: Sequence[float]) -> Interval:
    if len(draws) < 2:
        return Interval(value, float("-inf"), float("inf"))
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))
