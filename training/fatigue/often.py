"""How many contacts a week are worth it: what they sell less what they cost, at the load that they keep up themselves.

n contacts a week on a channel hold its own pressure at n x weight x mean life (half-life / ln 2), beside that of the
other channels. The number recommended is the n that earns the most a week,

    n x (margin x gain (c, x(n)) - harm (c, x(n), z) - cost),

so a contact that only makes the later ones worth less is one too many (Godfrey, Seiders and Voss, Journal of Marketing
2011: an ideal level by channel, lower when channels are mixed).
"""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY
from training.fatigue.curve import Smooth
from training.fatigue.harm import Harm

#: Numbers a week that are compared.
NUMBERS = np.concatenate([np.arange(0, 20) / 20, np.arange(10, 40) / 10, np.arange(16, 29) / 4])
STATUSES = ("under", "on target", "nearly saturated", "saturated")
#: Shares of the recommended number at which a status begins.
STARTS = (0.5, 0.9, 1.1)
#: Where the log tells no number.
UNTOLD = "cannot be told"


@dataclass(frozen=True)
class Plan:
    """float64[n] each: the number a week, and what that many are worth a week, in money."""

    number: np.ndarray
    worth: np.ndarray


def weekly(
    harm: Harm,
    gain: Smooth,
    channel: int,
    cost: float,
    count: np.ndarray,
    others: np.ndarray | float = 0.0,
    z: np.ndarray | None = None,
) -> np.ndarray:
    """float64[n]: what `count` [n] contacts a week earn a week, beside the pressure of other channels."""
    kept = float(harm.pressure.weights[channel]) * harm.pressure.half_life / DAY / 7 / np.log(2)
    load, which = others + count * kept, np.full(len(count), channel)
    return np.asarray(count * (harm.prices.margin * gain.at(which, load) - harm.money(which, load, z) - cost))


def plan(
    harm: Harm,
    gain: Smooth,
    channel: int,
    cost: float,
    others: np.ndarray,
    z: np.ndarray | None = None,
    most: float = float("inf"),
) -> Plan:
    """For customers under the pressure `others` float64[n] of other channels; of numbers up to `most`."""
    n = len(others)
    best, number = np.zeros(n), np.zeros(n)
    for count in NUMBERS[(NUMBERS > 0) & (most >= NUMBERS)]:
        worth = weekly(harm, gain, channel, cost, np.full(n, count), others, z)
        better = worth > best
        best, number = np.where(better, worth, best), np.where(better, count, number)
    return Plan(number, best)


def status(now: np.ndarray, number: np.ndarray) -> np.ndarray:
    """int64[n]: a position in STATUSES, of contacts a week as they are against those recommended."""
    share = np.divide(now, number, out=np.where(now > 0, np.inf, 0.0), where=number > 0)
    found = np.searchsorted(STARTS, share, side="right")
    # where none is recommended and none is made, all is as it should be
    return np.where((number == 0) & (now == 0), STATUSES.index("on target"), found)
