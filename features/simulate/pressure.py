"""Contact pressure: how loads fade, add up across channels, and what they make of the next contact.

Godfrey, Seiders and Voss (2011) found repurchase to rise and then fall with the number of contacts on a channel, as a
quadratic with its top at an ideal level, and channels to aggravate each other. A quadratic's slope falls in a straight
line: with n contacts in a quarter, n (1 - n / (2 ideal)) is highest at n = ideal. So the next contact is worth
1 - load / (2 tolerance) of the first, where the load is 1 at the ideal number. With v_c the contacts on channel c in
shares of its ideal,

    load = sum_c v_c + mixing * sum_{c != d} v_c v_d,      v_c fades by exp(-1 / memory) a day.
"""

from math import exp
from typing import Any

from features.kernel.jit import inlined


@inlined
def fade(p: Any, loads: Any, days: int) -> None:
    """Loads [8] as they are `days` later."""
    if days > 0:
        left = exp(-days / p.memory)
        for c in range(loads.shape[0]):
            loads[c] *= left


@inlined
def sums(loads: Any) -> Any:
    """The sum of loads [8], and that of their squares."""
    straight, squares = 0.0, 0.0
    for c in range(loads.shape[0]):
        straight += loads[c]
        squares += loads[c] * loads[c]
    return straight, squares


@inlined
def together(p: Any, straight: float, squares: float) -> float:
    """The load on all channels together, from their sums."""
    return straight + p.mixing * (straight * straight - squares)
