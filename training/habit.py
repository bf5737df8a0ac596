"""Silence against a customer's own habit: BG/NBD (features/visits.py), fitted to visits or to what it is used for.

Four numbers, so it extrapolates where a log is short or small and trees cannot. What the model says of the next H days
enters the score as a term of its own; see `training/artefact.py`.
"""

import numpy as np

from features.visits import Visits, best, fit_visits, likelihood, plain_start, sample_rows, silence

__all__ = ["Visits", "fit_labels", "fit_visits", "likelihood", "silence"]


def fit_labels(visits: Visits, silent: np.ndarray, horizon: float, seed: int = 0) -> np.ndarray:
    """r, alpha, a, b that predict the labels best (log loss), held lightly at plain starting values.

    Real customers break the model's assumptions; fitted to what it is used for, it bends the right way.
    """
    rows = sample_rows(len(visits.age), seed)
    visits, silent = visits.sample(rows), np.asarray(silent, float)[rows]
    start = plain_start(visits)

    def loss(logs: np.ndarray) -> float:
        logit = silence(np.exp(logs), visits, horizon)
        return float(np.mean(np.logaddexp(0, logit) - silent * logit) + 1e-3 * np.sum((logs - start) ** 2))

    return best(loss, start)
