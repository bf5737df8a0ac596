"""The truth: what each treatment, given to each customer this morning, would add and cost in the long run.

Closed form, from the same equations that the day loop plays (response.py, worth.py), in a season of its mean: no
simulation, no noise. A test plays contacts against silence with common random numbers and finds the same.
"""

from dataclasses import dataclass
from math import exp, log
from typing import Any

import numpy as np

from features.kernel.jit import compiled, inlined
from features.simulate import pressure
from features.simulate import response as rs
from features.simulate.actions import TREATMENTS
from features.simulate.worth import POINTS, STEP

#: What `weigh` says of one treatment.
ADDED, GAIN, HARM, LOST, PRICE, NET = range(6)
COLUMNS = 6


@dataclass(frozen=True)
class Truth:
    """Columns [customers, treatments], NaN where the customer cannot be reached: who left still has zeros.

    added: purchases that would not have been made. In money: gain, their margin less vouchers used by those who would
    have bought anyway, plus what being calmed is worth; harm, what dissatisfaction is expected to cost, that of a
    complaint too; lost, the permission that opting out takes; price, what the load takes from later contacts;
    net = gain - harm - lost - price - cost.
    """

    added: np.ndarray
    gain: np.ndarray
    harm: np.ndarray
    lost: np.ndarray
    price: np.ndarray
    net: np.ndarray

    @property
    def treatments(self) -> tuple[tuple[str, str], ...]:
        """(action, channel) of each column."""
        return TREATMENTS


@inlined
def at(table: Any, i: int, d: float) -> float:
    """A row of a table by dissatisfaction, log-linear between its points and beyond the last."""
    j = min(int(d / STEP), POINTS - 2)
    left = d / STEP - j
    return table[i, j] * exp(left * log(max(table[i, j + 1], 1e-30) / max(table[i, j], 1e-30)))


@inlined
def plan(worth: Any, closed: int, i: int) -> Any:
    """The best channel that is open (-1 for none) and what is lost when it closes, in money a day."""
    best, first, second = -1, 0.0, 0.0
    for c in range(worth.permit.shape[1]):
        value = worth.permit[i, c]
        if closed >> c & 1 or value <= second:
            continue
        if value > first:
            best, first, second = c, value, first
        else:
            second = value
    return best, first - second


@inlined
def weigh(p: Any, traits: Any, state: Any, worth: Any, treated: Any, day: int, i: int, out: Any) -> None:
    """Customer i's treatments, this morning, into out [treatments, COLUMNS]; NaN where they cannot be reached."""
    here = state.gone[i] >= day and traits.joins[i] <= day
    fresh = exp(-(day - state.loaded[i]) / p.memory)
    straight, squares = pressure.sums(state.load[i])
    straight, squares = straight * fresh, squares * fresh * fresh
    before = pressure.together(p, straight, squares)
    x = before / traits.tolerance[i]
    d = state.dissatisfaction[i] * 0.5 ** (1.0 / p.forget)
    pending = state.boost[i] * 0.5 ** (1.0 / p.wears_off) / (1.0 - 0.5 ** (1.0 / p.wears_off))
    money = traits.basket[i] * p.margin
    now = at(worth.stays, i, d) + pending * at(worth.boosted, i, d)
    due = traits.rate[i] * (day - state.bought[i])
    best, lost = plan(worth, state.closed[i], i)
    staying = at(worth.stays, i, d) / max(traits.rate[i], 1e-12)
    for t in range(out.shape[0]):
        c = treated.channel[t]
        if state.closed[i] >> c & 1:
            out[t, :] = np.nan
            continue
        out[t, :] = 0.0
        out[t, NET] = -treated.cost[t]
        if not here:
            continue
        load = state.load[i, c] * fresh
        after = pressure.together(p, straight + p.load[c], squares + (2.0 * load + p.load[c]) * p.load[c])
        fit = rs.fitting(treated.fit[t], traits.price[i], traits.service[i], traits.store[i], due)
        more = rs.added(treated.base[t], fit, traits.affinity[i, c], p.reach[c], traits.rate[i], p.soon, x)
        calm = d * (1.0 - rs.calmed(treated.calms[t], traits.service[i]))
        upset = calm + rs.upset(p, c, traits.dog[i], after / traits.tolerance[i])
        left = at(worth.stays, i, upset) + pending * at(worth.boosted, i, upset)
        relieved = now if calm == d else at(worth.stays, i, calm) + pending * at(worth.boosted, i, calm)
        gain = money * (more * at(worth.boosted, i, upset) + relieved - now)
        if treated.off[t] > 0.0:
            buys = traits.rate[i] * p.voucher * exp(-p.sulk * d) + more + pending
            gain -= traits.price[i] * treated.off[t] * traits.basket[i] * (1.0 - exp(-buys))
        leaves = rs.opting_out(p, c, traits.dog[i], x)
        complains = p.complains * leaves
        harm = money * (relieved - left + complains * (left - at(worth.stays, i, upset + p.complaint)))
        price = permit = 0.0
        if best >= 0:
            price = worth.price[i, best] * (after - before)
            if c == best:
                permit = (leaves + complains) * lost * staying
        out[t, ADDED], out[t, GAIN], out[t, HARM], out[t, LOST], out[t, PRICE] = more, gain, harm, permit, price
        out[t, NET] = gain - harm - permit - price - treated.cost[t]


@compiled
def truths(p: Any, traits: Any, state: Any, worth: Any, treated: Any, day: int, out: np.ndarray) -> None:
    """Every customer's into out [customers, treatments, COLUMNS]."""
    for i in range(out.shape[0]):
        weigh(p, traits, state, worth, treated, day, i, out[i])


@compiled
def best_contacts(p: Any, traits: Any, state: Any, worth: Any, treated: Any, day: int, out: np.ndarray) -> None:
    """Each customer's treatment of the highest net worth into out [customers], -1 where none is above 0."""
    weighed = np.empty((treated.channel.shape[0], COLUMNS))
    for i in range(out.shape[0]):
        out[i], most = -1, 0.0
        if state.gone[i] < day or traits.joins[i] > day:
            continue
        weigh(p, traits, state, worth, treated, day, i, weighed)
        for t in range(weighed.shape[0]):
            if weighed[t, NET] > most:
                out[i], most = t, weighed[t, NET]


@compiled
def permission(p: Any, traits: Any, state: Any, worth: Any, day: int, out: np.ndarray) -> None:
    """What the best contact plan on the open channels is worth after `day`, less the load it starts with, in money."""
    for i in range(out.shape[0]):
        out[i] = 0.0
        if state.gone[i] <= day or traits.joins[i] > day:
            continue
        best, _ = plan(worth, state.closed[i], i)
        if best >= 0:
            fresh = exp(-(day + 1 - state.loaded[i]) / p.memory)
            straight, squares = pressure.sums(state.load[i])
            load = pressure.together(p, straight * fresh, squares * fresh * fresh)
            d = state.dissatisfaction[i] * 0.5 ** (1.0 / p.forget)
            staying = at(worth.stays, i, d) / max(traits.rate[i], 1e-12)
            out[i] = max(0.0, staying * worth.permit[i, best] - worth.price[i, best] * load)
