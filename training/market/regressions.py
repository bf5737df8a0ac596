"""Three small penalised regressions: each says what it minimises."""

from typing import Any

import numpy as np
from scipy.optimize import minimize


def lifts(
    x: Any, y: np.ndarray, weight: np.ndarray, prior: np.ndarray, start: np.ndarray, first: np.ndarray | None = None
) -> np.ndarray:
    """y = exp(x b) + noise of variance 1 / weight, least squares; `x` may be sparse.

    Minimises sum weight (y - exp(x b))^2 + (b - start) P (b - start), searching from `first`. `prior`: the precision P,
    a matrix, or the spreads of coefficients that are independent, 1 / P's diagonal's roots.
    """
    precision = prior if prior.ndim == 2 else np.diag(1.0 / prior**2)

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        fitted = np.exp(np.clip(x @ b, -12.0, 3.0))
        off, away = y - fitted, b - start
        pull = precision @ away
        return float((weight * off * off).sum() + away @ pull), -2.0 * x.T @ (weight * off * fitted) + 2.0 * pull

    begin = start if first is None else first
    return np.asarray(minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x)


def rates(x: np.ndarray, y: np.ndarray, exposure: np.ndarray, prior: np.ndarray, start: np.ndarray) -> np.ndarray:
    """y ~ Poisson(exposure exp(x b)), with the same prior."""

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        line = np.clip(x @ b, -15.0, 5.0)
        mean, pull = exposure * np.exp(line), (b - start) / prior
        return float(2.0 * (mean - y * line).sum() + pull @ pull), 2.0 * x.T @ (mean - y) + 2.0 * pull / prior

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return np.asarray(found.x)


def line(x: np.ndarray, y: np.ndarray, weight: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """y = x b + noise of variance 1 / weight, ridge."""
    weighed = x * weight[:, None]
    return np.asarray(np.linalg.solve(x.T @ weighed + np.diag(1.0 / prior**2), weighed.T @ y))
