"""Who is still there, by all signs of life: silence says more of somebody who used to come often.

Each comes at a rate of their own and at some moment stops for good; rates, and those of stopping, are gamma among
customers (Pareto/NBD: Schmittlein, Morrison and Colombo, "Counting your customers", 1987; Fader and Hardie).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

#: Middles of equal parts of the square root of the silence: most is decided just after the last sign.
_PARTS = 12
_MIDDLES = ((np.arange(_PARTS) + 0.5) / _PARTS) ** 2
_WIDTHS = 2.0 * np.sqrt(_MIDDLES) / _PARTS
#: Rows that the numbers are found from, and steps of the search.
_MOST, _STEPS = 20_000, 250


@dataclass(frozen=True)
class Staying:
    """Rates of coming are gamma(shape, days), those of stopping gamma(ends, lives), rates a day; `alone`: how much a
    sign tells beside the others, 1 if signs come one by one, less if in bunches."""

    shape: float = 1.0
    days: float = 3.0
    ends: float = 1.0
    lives: float = 300.0
    alone: float = 1.0

    @classmethod
    def fit(cls, signs: np.ndarray, bought: np.ndarray, rate: np.ndarray, comes: float) -> "Staying":
        """By likelihood of `bought` ~ Poisson(rate x P(there)), `rate` that of those who are there; signs: [n, 3] as
        in `there`. `comes`: what one does, rows a day."""
        some = slice(None, None, 1 + len(bought) // _MOST)
        signs, bought, rate = signs[some], bought[some], rate[some]

        def made(q: np.ndarray) -> "Staying":
            shape, ends, lives, alone = map(float, np.exp(np.clip(q, -8.0, 8.0)))
            return cls(shape, shape / comes, ends, lives, alone)

        def loss(q: np.ndarray) -> float:
            there = made(q).there(signs)
            return float((rate * np.exp(there) - bought * there).sum() + 0.5 * ((q - first) ** 2 / 4.0).sum())

        first = np.log([1.0, 1.0, 300.0, 0.6])
        corners = np.vstack([first, first + 0.7 * np.eye(len(first))])
        options = {"initial_simplex": corners, "maxiter": _STEPS, "xatol": 1e-2, "fatol": 1e-2}
        return made(minimize(loss, first, method="Nelder-Mead", options=options).x)

    def there(self, signs: np.ndarray) -> np.ndarray:
        """ln P(still there), by how many signs, in how many days until the last of them, and days since: [n, 3]."""
        came, within, since = signs.T
        told = self.alone * (self.shape + came)
        days, lives = self.days + within, self.lives + within
        gone = np.zeros(len(came))
        for middle, width in zip(_MIDDLES, _WIDTHS, strict=True):
            after = since * middle  # they stopped so long after the last sign: odds against that they did not
            stopped = self.ends * np.log((lives + since) / (lives + after)) - np.log(lives + after)
            gone += width * np.exp(np.minimum(stopped + told * np.log((days + since) / (days + after)), 30.0))
        return np.asarray(-np.log1p(self.ends * since * gone))
