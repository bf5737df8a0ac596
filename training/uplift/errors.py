"""Standard errors of means where customers may have several rows: `customer` int[n] says whose each is, by any numbers;
None where each is a customer's only one."""

import numpy as np

from training.uplift.logged import clusters


def of_mean(values: np.ndarray, customer: np.ndarray | None = None) -> float:
    """Of the mean of `values` float64[n]; infinite where one customer has them all."""
    if customer is not None and np.ptp(values) > 0:
        return clusters.mean(values, np.ones(len(values)), customer).error
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")
