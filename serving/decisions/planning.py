"""How many customers a comparison of two groups needs, and how long they take to come: pure arithmetic.

With shares s and variances v of both groups, a true difference d is found (two-sided, at the confidence level) with the
stated power by

    n = (z(confidence) + z(power))^2 (v_control / s_control + v_treated / s_treated) / d^2

customers in all. Source: the usual normal approximation, e.g. van Belle, Statistical Rules of Thumb (2008), chapter 2.
Here, and nowhere else, because reports say it of what was found and the console of what somebody would like to find.
"""

import math
from statistics import NormalDist

CONFIDENCE = 0.95


def needed(
    control_variance: float, treated_variance: float, control_share: float, difference: float, power: float
) -> int:
    """Customers in all that find a true `difference` with this power, `control_share` (0..1) of them in the control.

    >>> needed(0.09, 0.09, 0.5, 0.02, 0.8)  # from 10 % to 12 %, roughly
    7064
    """
    if difference == 0:
        raise ValueError("no sample is large enough to show a difference of nothing")
    spread = control_variance / control_share + treated_variance / (1 - control_share)
    return math.ceil(_reach(power) ** 2 * spread / difference**2)


def detectable(error: float, power: float) -> float:
    """The smallest true difference that an estimate with this standard error finds with this power."""
    return _reach(power) * error


def scaled(have: float, error: float, difference: float, power: float) -> float:
    """How many observations find a true `difference` with this power, where `have` of them leave this error.

    >>> round(scaled(7064, 0.0071389, 0.02, 0.8))
    7064
    """
    return have * (_reach(power) * error / difference) ** 2


def weeks(customers: int, weekly: float) -> int:
    """Whole weeks until so many customers have come; `weekly` is above 0.

    >>> weeks(7000, 1000.0), weeks(7001, 1000.0)
    (7, 8)
    """
    return math.ceil(customers / weekly - 1e-9)


def _reach(power: float) -> float:
    """Standard errors between nothing and a difference that is found with this power."""
    normal = NormalDist()
    return normal.inv_cdf((1 + CONFIDENCE) / 2) + normal.inv_cdf(power)
