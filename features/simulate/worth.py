"""What customers are still worth, in closed form: expected purchases and what the permission to contact them is worth.

Nobody is contacted any more. Dissatisfaction is shot noise: what is there fades by rho a day, incidents add J with
probability nu. Buying is scaled by exp(-b D_t) and staying by exp(-m (1 + s D_t)) a day, both exponentials of sums over
incidents, whose expectation factors by the incident's day (Campbell's theorem). With D, B now, S_t = 1 + rho + ... +
rho^(t-1), and g = exp(-rate of discount a day),

    value = sum_t g^t (rate season_t + B w^t) exp(-b D rho^t - m (t + s D S_t)) prod_{j=0..t} G(j)
    G(j)  = 1 - nu + nu exp(-J (b rho^j + m s S_j))

a finite sum, exact up to four purchases a day at most. Permission: contacts of one kind at a rate r hold the load at
r v M (M the memory), each worth e (1 - load / (2 tolerance)) - k, so the best rate is worth
tolerance (e - k)^2 / (2 e v M) a day, and a load that is there already costs (e - k) / (2 v) a unit: the price of load.
"""

from math import exp
from typing import Any, NamedTuple

import numpy as np

from features.kernel.jit import compiled
from features.simulate import response as rs
from features.simulate.contacting import TREATED
from features.simulate.parameters import Parameters
from features.simulate.traits import Traits

#: Dissatisfaction at which values are tabled; log-linear between.
STEP, POINTS = 0.25, 17
#: Rate of buying x days since the last purchase on a usual day: middles of equally likely parts of the exponential.
_DUES = -np.log(1 - (np.arange(8) + 0.5) / 8)


class Ahead(NamedTuple):
    """What every customer shares, by day ahead [horizon]: discount g^t, rho^t, S_t and w^t."""

    discount: np.ndarray
    fading: np.ndarray
    faded: np.ndarray
    waning: np.ndarray


class Worth(NamedTuple):
    """What n customers are worth.

    By dissatisfaction [n, POINTS]: `stays`, expected purchases; `boosted`, the share of an added purchase that is made,
    discounted. `days` [n]: discounted days of staying. In money, by channel [n, 8]: `permit`, what the best plan of
    contacts is worth a day; `price`, what a unit of load costs under it.
    """

    stays: np.ndarray
    boosted: np.ndarray
    days: np.ndarray
    permit: np.ndarray
    price: np.ndarray


def ahead(p: Parameters) -> Ahead:
    """The shared columns."""
    t = np.arange(int(p.horizon))
    rho, w = 0.5 ** (1 / p.forget), 0.5 ** (1 / p.wears_off)
    return Ahead((1 + p.discount) ** (-t / 365), rho**t, (1 - rho**t) / (1 - rho), w**t)


def worth(p: Parameters, traits: Traits) -> Worth:
    """In a season of its mean."""
    n = len(traits.rate)
    stays, boosted = (np.zeros((n, POINTS), np.float32) for _ in range(2))
    _table(p, traits, ahead(p), stays, boosted)
    days = stays[:, 0] / np.maximum(traits.rate, 1e-12)
    permit, price = (np.zeros((n, len(p.load)), np.float32) for _ in range(2))
    _plans(p, traits, TREATED, _DUES, stays, boosted, days, permit, price)
    return Worth(stays, boosted, days, permit, price)


@compiled
def remaining(p: Any, traits: Any, state: Any, ahead: Any, seasons: np.ndarray, day: int, out: np.ndarray) -> None:
    """Purchases expected after the end of `day`, by customer, with the seasons of the days to come."""
    cooling, waning = 0.5 ** (1.0 / p.forget), 0.5 ** (1.0 / p.wears_off)
    for i in range(out.shape[0]):
        out[i] = 0.0
        if state.gone[i] <= day or traits.joins[i] > day:
            continue
        d, boost = state.dissatisfaction[i] * cooling, state.boost[i] * waning
        flight = traits.leaving[i] * traits.flee[i]
        safe, total = 1.0, 0.0
        for t in range(ahead.discount.shape[0]):
            hurt = p.sulk * ahead.fading[t] + flight * ahead.faded[t]
            safe *= 1.0 - p.incidents + p.incidents * exp(-traits.shock[i] * hurt)
            mean = traits.rate[i] * seasons[t] + boost * ahead.waning[t]
            total += ahead.discount[t] * mean * exp(-d * hurt - traits.leaving[i] * t) * safe
        out[i] = total


@compiled
def _table(p: Any, traits: Any, ahead: Any, stays: np.ndarray, boosted: np.ndarray) -> None:
    first = 1.0 - 0.5 ** (1.0 / p.wears_off)
    for i in range(stays.shape[0]):
        flight, safe = traits.leaving[i] * traits.flee[i], 1.0
        for t in range(ahead.discount.shape[0]):
            hurt = p.sulk * ahead.fading[t] + flight * ahead.faded[t]
            safe *= 1.0 - p.incidents + p.incidents * exp(-traits.shock[i] * hurt)
            chance = ahead.discount[t] * exp(-traits.leaving[i] * t) * safe
            step = exp(-STEP * hurt)
            for point in range(POINTS):
                stays[i, point] += traits.rate[i] * chance
                boosted[i, point] += first * ahead.waning[t] * chance
                chance *= step


@compiled
def _plans(
    p: Any, traits: Any, treated: Any, dues: np.ndarray, stays: np.ndarray, boosted: np.ndarray, days: np.ndarray,
    permit: np.ndarray, price: np.ndarray,
) -> None:  # fmt: skip
    """Fills permit and price: first as if nobody opted out, then with what opting out loses."""
    for i in range(permit.shape[0]):
        money, dog, rate = traits.basket[i] * p.margin, traits.dog[i], traits.rate[i]
        anyway = 1.0 - exp(-p.voucher * rate)
        slope = (stays[i, 0] - stays[i, 1]) / STEP * money
        best, loses = -1, 0.0
        for _ in range(2):
            permit[i, :] = 0.0
            for t in range(treated.channel.shape[0]):
                c, fit = treated.channel[t], 0.0
                for due in dues:
                    fit += rs.fitting(treated.fit[t], traits.price[i], traits.service[i], traits.store[i], due)
                fit /= dues.shape[0]
                purchases = rs.added(treated.base[t], fit, traits.affinity[i, c], p.reach[c], rate, p.soon, 0.0)
                redeemed = treated.off[t] * traits.basket[i] * traits.price[i]
                e = purchases * (money * boosted[i, 0] - redeemed)
                k = treated.cost[t] + redeemed * anyway + slope * rs.upset(p, c, dog, 0.0)
                if c == best:
                    k += rs.opting_out(p, c, dog, 1.0) * (1.0 + p.complains) * loses * days[i]
                if e > k:
                    value = traits.tolerance[i] * (e - k) ** 2 / (2.0 * e * p.load[c] * p.memory)
                    if value > permit[i, c]:
                        permit[i, c], price[i, c] = value, (e - k) / (2.0 * p.load[c])
            best = int(np.argmax(permit[i]))
            first, second = permit[i, best], 0.0
            for c in range(permit.shape[1]):
                if c != best:
                    second = max(second, permit[i, c])
            loses = first - second
