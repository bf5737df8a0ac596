"""Intervals that hold however often one looks: asymptotic confidence sequences, tuned to a planned end.

An estimate that gathers customers (or decisions) one after another wanders like a Brownian motion on the clock of its
own information, 1 / standard error^2. Robbins' normal mixture bounds such a motion at all times at once, so that

    estimate +- reach(progress) x standard error

holds the truth on every day together with probability 95 %, where the usual +- 1.96 holds on one day chosen beforehand.
`progress` is the share of the planned observations that are in. The bound is narrowest, 1.55 times the usual width,
when the plan is reached (progress 1), at most 1.6 times from two fifths of the plan to three times the plan, and it
stays valid after that: the plan tunes, it does not stop anything. It must not depend on outcomes; plans here are counts
alone.

Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, Annals of Statistics 52 (2024), theorem 2.2 and section 2.3
(tuning); Robbins, Annals of Mathematical Statistics 41 (1970). Asymptotic: it takes over where groups are no longer too
small to tell, with the usual interval's allowance for small groups (Student's t instead of the normal). An estimate
over customers who are watched for longer and longer (a month so far) gains information faster than time passes and then
hardly any, which is the safe side of the plan.
"""

import math
from statistics import NormalDist

import numpy as np
from scipy.special import lambertw

from training.reports.statistics import CONFIDENCE, AlwaysValid, Effect

LEVEL = 1 - CONFIDENCE
_USUAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
#: Information at the planned end, in units of the mixture's own: where the bound is narrowest.
TUNED = float(-lambertw(-(LEVEL**2) / math.e, -1).real - 1)


def reach(progress: float | np.ndarray, level: float = LEVEL) -> float | np.ndarray:
    """Standard errors to either side that hold at all times with probability 1 - `level`; `progress` is above 0.

    >>> round(float(reach(1.0)), 3), round(float(reach(1.0)) / 1.96, 2), round(float(reach(0.1)), 2)
    (3.035, 1.55, 3.82)
    """
    information = TUNED * np.asarray(progress, np.float64)
    found = np.sqrt((1 + 1 / information) * (np.log1p(information) - 2 * math.log(level)))
    return found if found.ndim else float(found)


def p_value(z: float, progress: float) -> float:
    """The smallest level at which a sequence of bounds would have left out nothing by now, `z` standard errors away.

    The chance that it ever falls below 5 % where there is no effect is 5 % at most.
    """
    information = TUNED * progress
    power = 0.5 * (math.log1p(information) - z * z * information / (1 + information))
    return min(1.0, math.exp(power))


def beside(effect: Effect, progress: float) -> AlwaysValid:
    """The interval that goes with a usual one, scaled so that what small groups widened stays wide."""
    error = (effect.high - effect.low) / 2 / _USUAL
    half = float(reach(progress)) * error
    p = p_value(effect.difference / error, progress) if error > 0 else 1.0
    return AlwaysValid(effect.difference - half, effect.difference + half, p)


def detectable(
    error: float | np.ndarray, progress: float | np.ndarray, power: float, level: float = LEVEL
) -> float | np.ndarray:
    """The smallest true difference that an estimate with this standard error shows with this power."""
    return (reach(progress, level) + NormalDist().inv_cdf(power)) * error


def needed(error: float, difference: float, have: int, plan: int, power: float, level: float = LEVEL) -> int:
    """Observations in all that show a true `difference` with this power; `error` is that of the `have` observations.

    >>> needed(0.01, 0.03835, 1000, 1000, 0.8), needed(0.01, 0.01, 1000, 1000, 0.8)
    (1022, 17334)
    """
    if difference == 0:
        raise ValueError("no sample is large enough to show a difference of nothing")

    def short(number: int) -> bool:
        return bool(detectable(error * math.sqrt(have / number), number / plan, power, level) > abs(difference))

    low, high = 0, have
    while short(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if short(middle) else (low, middle)
    return high


#: Two years: who has to wait longer is told that no end is in sight.
MOST_WEEKS = 104


def weeks(
    error: float, difference: float, have: int, weekly: float, plan: int, power: float, level: float = LEVEL
) -> float | None:
    """Weeks until a true `difference` would be shown with this power, at `weekly` more observations than now.

    0 where it would be by now; None where nothing comes any more, or it takes more than MOST_WEEKS. `error` is that of
    the `have` observations, `plan` how many are planned.
    """
    ahead = np.arange(MOST_WEEKS + 1) if weekly > 0 else np.zeros(1)
    number = have + weekly * ahead
    errors = error * np.sqrt(have / number)
    shown = np.asarray(detectable(errors, number / plan, power, level)) <= abs(difference)
    return float(ahead[shown.argmax()]) if shown.any() else None
