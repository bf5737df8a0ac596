"""What customers like: the true probability that each clicks on each treatment this morning, which is no effect."""

from math import exp
from typing import Any

import numpy as np

from features.kernel.jit import compiled
from features.simulate import pressure
from features.simulate import response as rs
from features.simulate.contacting import TREATED
from features.simulate.market import Market


def clicks(market: Market) -> np.ndarray:
    """float64[n, treatments]; 0 of who has left."""
    out = np.zeros((len(market), len(TREATED.channel)))
    _clicks(market.parameters, market.traits, market.state, TREATED, market.day, out)
    return out


@compiled
def _clicks(p: Any, traits: Any, state: Any, treated: Any, day: int, out: np.ndarray) -> None:
    for i in range(out.shape[0]):
        if state.gone[i] < day or traits.joins[i] > day:
            continue
        fresh = exp(-(day - state.loaded[i]) / p.memory)
        straight, squares = pressure.sums(state.load[i])
        x = pressure.together(p, straight * fresh, squares * fresh * fresh) / traits.tolerance[i]
        due = traits.rate[i] * (day - state.bought[i])
        for t in range(out.shape[1]):
            c = treated.channel[t]
            fit = rs.fitting(treated.fit[t], traits.price[i], traits.service[i], traits.store[i], due)
            seen = rs.interest(treated.fit[t], fit, state.dissatisfaction[i])
            out[i, t] = rs.clicking(p, c, traits.affinity[i, c], seen, x)
