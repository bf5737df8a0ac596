"""How well we do at a touchpoint: how satisfied customers are there, and how often trouble follows."""

import numpy as np

from features.clock import DAY
from features.interactions import CASE_OPENING
from features.workspace import Settings
from training.reports.statistics import SMALLEST_ARM, wilson
from training.reports.touchpoints.artefact import Share
from training.reports.touchpoints.trail import Trail

#: A rating so soon after an interaction that has none of its own tells of it.
RATED_AFTER = 14 * DAY
TROUBLE_AFTER = 7 * DAY
TROUBLE = (*CASE_OPENING, "complained", "opted_out", "refund")


def ratings(trail: Trail) -> np.ndarray:
    """float64[n]: what the customer's next rating within two weeks was, NaN without one."""
    told = ~np.isnan(trail.satisfaction)
    rated, found = np.flatnonzero(told), np.full(len(trail.at), np.nan)
    if not len(rated):
        return found
    following = np.cumsum(told)
    has = following < len(rated)
    there = rated[following[has]]
    soon = (trail.customer[there] == trail.customer[has]) & (trail.at[there] - trail.at[has] <= RATED_AFTER)
    found[np.flatnonzero(has)[soon]] = trail.satisfaction[there[soon]]
    return found


def trouble(trail: Trail, settings: Settings) -> np.ndarray:
    """float64[n]: 1 where trouble follows within a week, NaN where that week is not over."""
    types = {*TROUBLE, *([settings.churn.event] if settings.churn.event else [])}
    follows = trail.within(trail.of_types(types), trail.customer, trail.at + 1_000, trail.at + TROUBLE_AFTER)
    return np.where(trail.at + TROUBLE_AFTER > trail.known_until, np.nan, follows.astype(float))


def share(values: np.ndarray, customer: np.ndarray) -> Share | None:
    """The mean of what is known (between 0 and 1); None with too few customers.

    Wilson's interval at the number of independent rows that vary as much as these do, customers as wholes; where
    nothing varies, as where nobody met trouble, each customer is a row.
    """
    known = ~np.isnan(values)
    values, customer = values[known], customer[known]
    groups, position = np.unique(customer, return_inverse=True)
    if len(groups) < SMALLEST_ARM:
        return None
    mean = float(values.mean())
    off = np.bincount(position, values - mean, len(groups))
    variance = float(off @ off) / len(values) ** 2 * len(groups) / (len(groups) - 1)
    rows = mean * (1 - mean) / variance if variance > 1e-12 else len(groups)
    low, high = wilson(mean, rows)
    return Share(value=mean, low=low, high=high, rows=len(values))
