"""A contact reaches a customer: load, boost, dissatisfaction, and the answers a company gets to see."""

from math import exp
from typing import Any, NamedTuple

import numpy as np

from features.interactions import CHANNELS
from features.kernel.jit import inlined
from features.simulate import actions, pressure
from features.simulate import events as ev
from features.simulate import randomness as rn
from features.simulate import response as rs
from features.simulate.spontaneous import HOUR

EMAIL = CHANNELS.index("email")


class Treatments(NamedTuple):
    """What compiled code reads of treatments, a column each (see actions.py)."""

    channel: np.ndarray
    fit: np.ndarray
    base: np.ndarray
    cost: np.ndarray
    off: np.ndarray
    calms: np.ndarray


TREATED = Treatments(
    actions.CHANNEL_OF, actions.FIT_OF, actions.BASE_OF, actions.COST_OF, actions.OFF_OF, actions.CALMS_OF
)


@inlined
def contact(
    p: Any, traits: Any, state: Any, tally: Any, treated: Any, t: int, i: int, day: int, key: Any, now: int, e: Any,
    k: int, number: int,
) -> int:  # fmt: skip
    """Contacts customer i with treatment t; how many rows that made. Who left reacts to nothing, and we cannot know."""
    c = treated.channel[t]
    tally.cost[i] += treated.cost[t]
    tally.contacts[i] += 1
    second = 10 * HOUR + i % HOUR
    ev.put(e, k, i, day, second, ev.CONTACT, c, number)
    ev.tied(e, k, t, day)
    loads = state.load[i]
    pressure.fade(p, loads, day - state.loaded[i])
    state.loaded[i] = day
    straight, squares = pressure.sums(loads)
    x = pressure.together(p, straight, squares) / traits.tolerance[i]
    loads[c] += p.load[c]
    if state.gone[i] <= day:
        return 1
    straight, squares = pressure.sums(loads)
    y = pressure.together(p, straight, squares) / traits.tolerance[i]
    due = traits.rate[i] * (day - state.bought[i])
    fit = rs.fitting(treated.fit[t], traits.price[i], traits.service[i], traits.store[i], due)
    interest = rs.interest(treated.fit[t], fit, state.dissatisfaction[i])
    more = rs.added(treated.base[t], fit, traits.affinity[i, c], p.reach[c], traits.rate[i], p.soon, x)
    state.boost[i] += more * (1.0 - 0.5 ** (1.0 / p.wears_off))
    state.dissatisfaction[i] *= 1.0 - rs.calmed(treated.calms[t], traits.service[i])
    state.dissatisfaction[i] += rs.upset(p, c, traits.dog[i], y)
    state.contacted[i], state.treatment[i] = day, t
    state.clicked[i] = rn.uniform(key, now + rn.CLICK) < rs.clicking(p, c, traits.affinity[i, c], interest, x)
    state.voucher[i] = -1
    if treated.off[t] > 0.0 and rn.uniform(key, now + rn.REMEMBER) < traits.price[i]:
        state.voucher[i], state.off[i] = day + int(p.voucher) - 1, treated.off[t]
    rows = 1
    opened = c == EMAIL and rn.uniform(key, now + rn.OPEN) < p.opens * exp(-x)
    if c == EMAIL and (opened or state.clicked[i]):
        rows += _answers(e, k + rows, i, day, second + 600, ev.EMAIL_OPEN, c, number + rows, t)
    if state.clicked[i]:
        rows += _answers(e, k + rows, i, day, second + 660, ev.CLICKED, c, number + rows, t)
    leaves = rs.opting_out(p, c, traits.dog[i], x)
    complains = rn.uniform(key, now + rn.COMPLAIN) < p.complains * leaves
    if complains:
        state.dissatisfaction[i] += p.complaint
        tally.complained[i] += 1
        rows += _answers(e, k + rows, i, day, second + 720, ev.COMPLAINED, c, number + rows, t)
    if complains or rn.uniform(key, now + rn.OPT_OUT) < leaves:
        state.closed[i] |= 1 << c
        tally.opted_out[i] += 1
        rows += _answers(e, k + rows, i, day, second + 780, ev.OPTED, c, number + rows, t)
    return rows


@inlined
def _answers(e: Any, k: int, i: int, day: int, second: int, kind: int, channel: int, number: int, t: int) -> int:
    ev.put(e, k, i, day, second, kind, channel, number)
    ev.tied(e, k, t, day)
    return 1
