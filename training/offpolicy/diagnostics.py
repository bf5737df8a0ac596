"""Whether a log can speak for another policy at all: overlap, effective sample size, the heaviest weight."""

from dataclasses import dataclass

import numpy as np

from training.offpolicy.estimators import by_cluster
from training.offpolicy.feedback import Feedback


@dataclass(frozen=True)
class Overlap:
    """How well the logged policy covers the target.

    `effective`: how many rows drawn by the target itself would tell as much, (sum w)^2 / sum w^2 (Kish 1965).
    `unsupported`: the share of the target's probability on choices that the log never had a chance to try.
    `unbalanced`: how many standard errors the mean weight is from 1; beyond 4 the logged probabilities are not those
    that answers were drawn with.
    """

    rows: int
    clusters: int
    effective: float
    unsupported: float
    heaviest: float
    mean_weight: float
    unbalanced: float
    same: float

    @property
    def share(self) -> float:
        """Effective rows among all."""
        return self.effective / self.rows if self.rows else 0.0


def overlap(feedback: Feedback) -> Overlap:
    """Of the whole log; weights as they are, nothing clipped."""
    n = len(feedback)
    if n == 0:
        return Overlap(0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    path = np.ones(n) if feedback.path is None else feedback.path
    weight = path * feedback.weight
    square, total = float((weight**2).sum()), float(weight.sum())
    unsupported = np.where(feedback.logging > 0, 0.0, feedback.target).sum(1)
    reached = float(path.mean()) or 1.0
    terms = weight if feedback.cluster is None else by_cluster(weight, feedback.cluster)
    error = float(terms.std(ddof=1) / np.sqrt(len(terms))) if len(terms) > 1 else 0.0
    mean = total / n
    missing = float((path * unsupported).mean() / reached)
    return Overlap(
        rows=n,
        clusters=n if feedback.cluster is None else len(np.unique(feedback.cluster)),
        effective=total**2 / square if square > 0 else 0.0,
        unsupported=missing,
        heaviest=float(weight.max()),
        mean_weight=mean,
        unbalanced=abs(mean + missing - 1.0) / error if error > 1e-12 else 0.0,
        same=float((np.abs(feedback.target - feedback.logging).sum(1) < 1e-9).mean()),
    )
