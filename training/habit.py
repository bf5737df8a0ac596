"""Silence against a customer's own habit: BG/NBD (Fader, Hardie and Lee, Marketing Science 24(2), 2005).

While alive a customer buys at a rate of their own, gamma(r, alpha) among customers; after each purchase they leave with
a probability of their own, beta(a, b). Four numbers, so it extrapolates where a log is short or small and trees cannot.
What the model says of the next H days enters the score as a term of its own; see `training/artefact.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

ROWS = 30_000
BOUNDS = [(-6.0, 8.0)] * 4


@dataclass(frozen=True)
class Visits:
    """What BG/NBD knows of customers: repeat visits, and days from the first visit to the last and to now; [n] each."""

    repeats: np.ndarray
    last: np.ndarray
    age: np.ndarray

    @classmethod
    def of(cls, active_days: np.ndarray, recency: np.ndarray, tenure: np.ndarray, span: float) -> "Visits":
        """From active days within the last `span` days, recency and tenure in days.

        Who has been known for longer than `span` is seen as if first met at its start.
        """
        # the first visit of who has been known for longer lies before the span, and was no repeat anyway
        repeats = np.maximum(active_days - (tenure <= span), 0)
        age = np.minimum(tenure, span)
        return cls(
            repeats, np.where(repeats > 0, np.clip(age - recency, 0, None), 0.0 * recency), age
        )  # a null stays null

    def sample(self, rows: np.ndarray) -> "Visits":
        return Visits(self.repeats[rows], self.last[rows], self.age[rows])


def silence(parameters: np.ndarray, visits: Visits, horizon: float) -> np.ndarray:
    """Logit of P(no visit in the next `horizon` days), float64[n]; `parameters` are r, alpha, a, b.

    With D = odds of having left and Q = P(silent | alive): P = (D + Q) / (1 + D), so the odds are (D + Q) / (1 - Q).
    """
    r, alpha, a, b = parameters
    shape = r + visits.repeats
    gone = np.log(a / (b + np.maximum(visits.repeats, 1) - 1))
    gone = gone + shape * (np.log(alpha + visits.age) - np.log(alpha + visits.last))
    gone = np.where(visits.repeats > 0, np.minimum(gone, 50.0), -50.0)
    quiet = shape * (np.log(alpha + visits.age) - np.log(alpha + visits.age + horizon))
    return np.logaddexp(gone, quiet) - np.log(-np.expm1(quiet))


def likelihood(parameters: np.ndarray, visits: Visits) -> float:
    """Mean log likelihood of the visits themselves (equation 6 of the paper)."""
    r, alpha, a, b = parameters
    x, shape = visits.repeats, r + visits.repeats
    always = gammaln(shape) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    alive = -shape * np.log(alpha + visits.age)
    gone = np.log(a / (b + np.maximum(x, 1) - 1)) - shape * np.log(alpha + visits.last)
    return float(np.mean(always + np.where(x > 0, np.logaddexp(alive, gone), alive)))


def fit_visits(visits: Visits, seed: int = 0) -> np.ndarray:
    """r, alpha, a, b by maximum likelihood of the visits; no label is needed."""
    visits = visits.sample(_rows(len(visits.age), seed))
    start = _start(visits)
    return _best(lambda logs: -likelihood(np.exp(logs), visits), start)


def fit_labels(visits: Visits, silent: np.ndarray, horizon: float, seed: int = 0) -> np.ndarray:
    """r, alpha, a, b that predict the labels best (log loss), held lightly at plain starting values.

    Real customers break the model's assumptions; fitted to what it is used for, it bends the right way.
    """
    rows = _rows(len(visits.age), seed)
    visits, silent = visits.sample(rows), np.asarray(silent, float)[rows]
    start = _start(visits)

    def loss(logs: np.ndarray) -> float:
        logit = silence(np.exp(logs), visits, horizon)
        return float(np.mean(np.logaddexp(0, logit) - silent * logit) + 1e-3 * np.sum((logs - start) ** 2))

    return _best(loss, start)


def _start(visits: Visits) -> np.ndarray:
    return np.log([0.8, max(float(visits.age.mean()) / 6, 5.0), 0.6, 2.5])


def _rows(count: int, seed: int) -> np.ndarray:
    if count <= ROWS:
        return np.arange(count)
    return np.random.default_rng(seed).choice(count, ROWS, replace=False)


def _best(loss: Callable[[np.ndarray], float], start: np.ndarray) -> np.ndarray:
    return np.exp(minimize(loss, start, method="L-BFGS-B", bounds=BOUNDS).x)
