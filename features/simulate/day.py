"""One day of the market, for all customers: the loop that everything else is called from."""

from typing import Any

import numpy as np

from features.kernel.jit import compiled
from features.simulate import events as ev
from features.simulate import randomness as rn
from features.simulate.contacting import contact
from features.simulate.spontaneous import buy, leave, look_around, service


@compiled
def live_through(
    p: Any, traits: Any, state: Any, tally: Any, treated: Any, chosen: np.ndarray, seed: int, day: int, season: float,
    first: int, e: Any,
) -> Any:  # fmt: skip
    """Customers from `first` on live through `day`: (the first who did not, for want of room, and the rows written).

    `chosen` int16[n]: each customer's treatment, -1 for silence. The order of a day: feelings fade; things go wrong and
    are mended; the contact; a visit; purchases; leaving.
    """
    n, k = chosen.shape[0], 0
    cooling, waning = 0.5 ** (1.0 / p.forget), 0.5 ** (1.0 / p.wears_off)
    now = day * rn.PURPOSES
    for i in range(first, n):
        if k + ev.MOST_A_DAY > e.customer.shape[0]:
            return i, k
        if traits.joins[i] > day:
            continue
        here = state.gone[i] > day
        if not here and chosen[i] < 0:
            continue
        key, began = rn.stream(seed, i), k
        if here:
            state.dissatisfaction[i] = state.dissatisfaction[i] * cooling if state.dissatisfaction[i] > 1e-6 else 0.0
            state.boost[i] = state.boost[i] * waning if state.boost[i] > 1e-9 else 0.0
            k += service(p, traits, state, i, day, key, now, e, k, k - began)
        if chosen[i] >= 0 and not state.closed[i] >> treated.channel[chosen[i]] & 1:
            k += contact(p, traits, state, tally, treated, chosen[i], i, day, key, now, e, k, k - began)
        if here:
            k += look_around(p, traits, i, day, key, now, e, k, k - began)
            k += buy(p, traits, state, tally, i, day, season, key, now, e, k, k - began)
            k += leave(p, traits, state, i, day, key, now, e, k, k - began)
    return n, k
