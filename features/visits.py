"""How likely is silence: BG/NBD (Fader, Hardie and Lee, Marketing Science 24(2), 2005), for columns of customers.

While alive a customer buys at a rate of their own, gamma(r, alpha) among customers; after each purchase they leave with
a probability of their own, beta(a, b). The kind `Silence` reads the same formula off one customer in the kernel.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

#: A fit looks at this many customers, and keeps the logarithms of its numbers within these bounds.
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
    visits = visits.sample(sample_rows(len(visits.age), seed))
    return best(lambda logs: -likelihood(np.exp(logs), visits), plain_start(visits))


def plain_start(visits: Visits) -> np.ndarray:
    """Logarithms of plain values to start from."""
    return np.log([0.8, max(float(visits.age.mean()) / 6, 5.0), 0.6, 2.5])


def sample_rows(count: int, seed: int) -> np.ndarray:
    """Positions of at most ROWS of `count` customers."""
    if count <= ROWS:
        return np.arange(count)
    return np.random.default_rng(seed).choice(count, ROWS, replace=False)


def best(loss: Callable[[np.ndarray], float], start: np.ndarray) -> np.ndarray:
    """The four numbers whose logarithms lose least."""
    return np.exp(minimize(loss, start, method="L-BFGS-B", bounds=BOUNDS).x)
