"""Measured effects of one contact: arrays with their intervals."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Effects:
    """Arrays of one shape: the effect of one contact, its interval, its variance, contacts seen, weight of chance, and
    the mean pressure. NaN where nothing can be told."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    variance: np.ndarray
    contacts: np.ndarray
    weight: np.ndarray
    pressure: np.ndarray

    def at(self, *place: int | slice) -> "Effects":
        """One place, or the rest of the shape behind it."""
        return Effects(*(np.asarray(column[place]) for column in vars(self).values()))
