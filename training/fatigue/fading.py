"""Sums that fade: of what happened before an instant, or after it, each worth half as much every `half` away."""

from typing import Any

import numpy as np

from features.kernel.jit import compiled


@compiled
def before(who: Any, at: Any, amount: Any, whom: Any, when: Any, half: float) -> np.ndarray:
    """float64[n]: sum of amount x 0.5^((when - at) / half) over `whom`'s events with at < when.

    Events [k] and questions [n] are each in order of customer and time; instants are int64, `half` in their unit.
    """
    out = np.zeros(len(whom))
    k, total, customer, last = 0, 0.0, -1, 0
    for i in range(len(whom)):
        if whom[i] != customer:
            customer, total, last = whom[i], 0.0, when[i]
        while k < len(who) and who[k] < customer:
            k += 1
        while k < len(who) and who[k] == customer and at[k] < when[i]:
            total = total * 0.5 ** ((at[k] - last) / half) + amount[k] if total != 0.0 else amount[k]
            last = at[k]
            k += 1
        out[i] = total * 0.5 ** ((when[i] - last) / half) if total != 0.0 else 0.0
    return out


def after(
    who: np.ndarray, at: np.ndarray, amount: np.ndarray, whom: np.ndarray, when: np.ndarray, half: float
) -> np.ndarray:
    """float64[n]: sum of amount x 0.5^((at - when) / half) over `whom`'s events with at > when; order as above."""
    if not len(whom):
        return np.zeros(0)
    first = max(int(who.max(initial=0)), int(whom.max()))
    turned = (first - who[::-1], -at[::-1], amount[::-1], first - whom[::-1], -when[::-1])
    events = [np.ascontiguousarray(column) for column in turned]
    return np.asarray(before(events[0], events[1], events[2], events[3], events[4], half)[::-1])
