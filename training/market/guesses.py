"""What the log tells of customers by the market's own equations: a cloud of guesses for each, and what to expect.

Rows are guesses, K for each customer, one after the other. Each is drawn from what customers are like given what was
seen of them, with the market's true numbers:

    rate, leaving   Pareto/NBD with visits as a second sign of life: with a = rate + visits(rate), x purchases and y
                    visits until `alive`, T days known: rate^x visits^y e^-(a + leaving) alive x (leaving + a e^-(a +
                    leaving)(T - alive)) / (a + leaving), by importance resampling (Rubin 1988)
    basket          gamma-gamma
    all else        normal traits given the level 1 to 7 that each was told as

Days are then lived by each guess: incidents told and not told, contacts, fading. Answers to contacts (clicks, opting
out) and new signs of life weigh guesses anew. Left out: seasons, what topics and channels add to the questionnaire, and
purchases that contacts made being counted as one's own. So it is a little less than all that can be known.
"""

from math import log
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from features.interactions import CHANNELS
from features.kernel.jit import compiled
from features.simulate import pressure
from features.simulate import response as rs
from features.simulate.actions import TREATMENTS
from features.simulate.contacting import TREATED
from features.simulate.parameters import Parameters
from features.simulate.state import opening
from features.simulate.traits import LEVELS, Traits
from features.simulate.truth import COLUMNS, NET, weigh
from features.simulate.worth import worth
from training.market.evidence import Evidence, Noted

#: Guesses a customer; proposals that their rates are resampled from; customers at a time.
K, PROPOSALS, PIECE = 16, 300, 2_000


class Guesses:
    """Of all customers, on the morning of `day`. `live` each day after that, then ask what is `expected`."""

    def __init__(self, p: Parameters, evidence: Evidence, day: int, seed: int = 0) -> None:
        self.p, self.evidence, self.random = p, evidence, np.random.default_rng(seed)
        self.n = len(evidence.bought)
        self.traits = self._drawn(day)
        self.state = opening(self.traits)
        before = self.random.exponential(size=self.n * K) / np.maximum(self.traits.rate, 1e-6)
        self.state.bought[:] = self.traits.joins - np.minimum(before, 2000)  # days lived know better
        self.worth = worth(p, self.traits)
        self.told = np.zeros(self.n * K)  # ln of how likely each guess makes the answers
        self.drawn = self._likelihood(day)[0]
        for noted in evidence.days:
            self.live(noted)

    def live(self, noted: Noted) -> None:
        """A day goes by for each guess."""
        p, state, random = self.p, self.state, self.random
        state.dissatisfaction[:] *= 0.5 ** (1 / p.forget)
        state.boost[:] *= 0.5 ** (1 / p.wears_off)
        trouble = _rows(noted.trouble)
        state.dissatisfaction[trouble] += self.traits.shock[trouble]
        unseen = p.incidents * np.where(_each(noted.suffers), 1.0, 1.0 - p.told)
        hit = np.flatnonzero(random.random(len(unseen)) < unseen)
        state.dissatisfaction[hit] += self.traits.shock[hit]
        treatment, complained = _each(noted.treatment), _each(noted.complained)
        clicked, closed, rows = _each(noted.clicked), _each(noted.closed), _rows(noted.contacted)
        _contacts(p, self.traits, state, TREATED, noted.day, rows, treatment, complained, clicked, closed, self.told)
        state.bought[_rows(noted.bought)] = noted.day

    def expected(self, day: int, rows: np.ndarray, closed: np.ndarray) -> np.ndarray:
        """float64[rows, treatments], money: what each is worth net to these customers, cost included."""
        self.state.closed[:] = _each(closed)
        now, alive = self._likelihood(day)
        weight = now - self.drawn + self.told.reshape(self.n, K)
        weight = np.exp(weight - weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        found = np.zeros((len(rows), len(TREATMENTS)))
        _expected(self.p, self.traits, self.state, self.worth, TREATED, day, rows, weight, alive, found)
        return found

    def _drawn(self, day: int) -> Traits:
        p, seen, random, n = self.p, self.evidence, self.random, self.n
        rate, leaving = self._rates(day)
        inverse = random.gamma(p.q + p.p * _each(seen.baskets), 1.0 / (p.gamma + _each(seen.money)))
        z = np.empty((n * K, seen.profile.shape[1]))
        for k in range(z.shape[1]):
            level = (_each(seen.profile[:, k]) - 1 + random.random(n * K)) / LEVELS
            x = ndtri(np.clip(level, 1e-9, 1 - 1e-9))
            z[:, k] = p.visible * x + np.sqrt(1 - p.visible**2) * random.standard_normal(n * K)
        price, service, tolerance, dog = z.T[:4]
        channel = z[:, 4:]
        columns = {
            "rate": rate,
            "leaving": leaving,
            "basket": p.p / inverse,
            "price": ndtr(price),
            "service": ndtr(service),
            "tolerance": np.exp(p.tolerance * tolerance - p.tolerance**2 / 2),
            "dog": ndtr((dog - ndtri(1 - p.dogs)) / p.blur),
            "store": ndtr(channel[:, CHANNELS.index("store")]),
            "affinity": np.exp(p.preference * channel - p.preference**2 / 2),
            "shock": p.shock + p.shock_sensitive * ndtr(service),
            "flee": p.flee + p.flee_sensitive * ndtr(service),
        }
        found = {name: column.astype(np.float32) for name, column in columns.items()}
        found["joins"] = _each(seen.joined).astype(np.int32)
        found["before"] = np.zeros(n * K, np.int32)
        found |= {"comes": np.zeros((1, len(CHANNELS)), np.float32), "profile": seen.profile[:1]}
        rest = ("visits", "seen_price", "seen_service", "seen_tolerance", "seen_dog")
        return Traits(**found, **{name: np.zeros(1, np.float32) for name in rest})  # nothing here asks for these

    def _rates(self, day: int) -> tuple[np.ndarray, np.ndarray]:
        """Rates of buying and of leaving, float64[n x K]."""
        p, seen, random = self.p, self.evidence, self.random
        rate, leaving = np.empty((self.n, K)), np.empty((self.n, K))
        for first in range(0, self.n, PIECE):
            rows = np.arange(first, min(first + PIECE, self.n))
            count = seen.purchases[rows, None]
            known, alive = self._days(day, rows)
            near = p.alpha + (known + alive) / 2
            some = random.gamma(p.r + count, 1 / near, (len(rows), PROPOSALS))
            left = random.gamma(p.s, 1 / p.beta, some.shape)
            # the prior of a rate over how it was proposed: powers of rate x and exponentials of the days
            weight = self._likely(some, left, rows, day)[0] - count * np.log(some) + some * (near - p.alpha)
            edges = np.cumsum(np.exp(weight - weight.max(axis=1, keepdims=True)), axis=1)
            at = (random.permuted(np.tile(np.arange(K), (len(rows), 1)), axis=1) + random.random((len(rows), 1))) / K
            for i, row in enumerate(rows):
                pick = np.minimum(np.searchsorted(edges[i], at[i] * edges[i, -1]), PROPOSALS - 1)
                rate[row], leaving[row] = some[i, pick], left[i, pick]
        return rate.ravel(), leaving.ravel()

    def _days(self, day: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Days that they are known for, and until the last sign of life, [rows, 1]."""
        joined = self.evidence.joined[rows]
        known = np.maximum(day - joined, 0)
        return known[:, None], np.maximum(self.evidence.alive[rows] - joined, 0)[:, None]

    def _likelihood(self, day: int) -> tuple[np.ndarray, np.ndarray]:
        shape = (self.n, K)
        rate, leaving = (column.reshape(shape).astype(np.float64) for column in (self.traits.rate, self.traits.leaving))
        likely, alive = self._likely(rate, leaving, np.arange(self.n), day)
        return likely, np.where(self.evidence.goodbye[:, None], 0.0, alive)

    def _likely(
        self, rate: np.ndarray, leaving: np.ndarray, rows: np.ndarray, day: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """ln of the likelihood of what was seen of these customers, and the probability that they are still there."""
        p, seen = self.p, self.evidence
        known, alive = self._days(day, rows)
        visits = p.visits * (rate * p.alpha / p.r) ** p.visits_power
        signs = rate + visits
        silent = np.exp(-np.minimum((signs + leaving) * (known - alive), 700.0))
        ends = (leaving + signs * silent) / (signs + leaving)
        likely = seen.purchases[rows, None] * np.log(rate) + seen.visits[rows, None] * np.log(visits)
        return likely - (signs + leaving) * alive + np.log(ends), silent / ends


def _each(column: np.ndarray) -> np.ndarray:
    return np.repeat(column, K, axis=0)


def _rows(customers: np.ndarray) -> np.ndarray:
    return (customers[:, None] * K + np.arange(K)).ravel()


@compiled
def _contacts(
    p: Any, traits: Any, state: Any, treated: Any, day: int, rows: np.ndarray, treatment: np.ndarray,
    complained: np.ndarray, clicked: np.ndarray, closed: np.ndarray, told: np.ndarray,
) -> None:  # fmt: skip
    """A contact reaches these guesses as the day loop has it (contacting.py); `told` learns from the answers."""
    for j in range(rows.shape[0]):
        i, t = rows[j], treatment[j]
        c = treated.channel[t]
        loads = state.load[i]
        pressure.fade(p, loads, day - state.loaded[i])
        state.loaded[i] = day
        straight, squares = pressure.sums(loads)
        x = pressure.together(p, straight, squares) / traits.tolerance[i]
        loads[c] += p.load[c]
        straight, squares = pressure.sums(loads)
        y = pressure.together(p, straight, squares) / traits.tolerance[i]
        due = traits.rate[i] * (day - state.bought[i])
        fit = rs.fitting(treated.fit[t], traits.price[i], traits.service[i], traits.store[i], due)
        welcome = rs.interest(treated.fit[t], fit, state.dissatisfaction[i])
        clicks = rs.clicking(p, c, traits.affinity[i, c], welcome, x)
        leaves = rs.opting_out(p, c, traits.dog[i], x)
        told[i] += log(max(clicks, 1e-9)) if clicked[j] else log(max(1.0 - clicks, 1e-9))
        told[i] += log(leaves) if closed[j] else log(1.0 - leaves)
        more = rs.added(treated.base[t], fit, traits.affinity[i, c], p.reach[c], traits.rate[i], p.soon, x)
        state.boost[i] += more * (1.0 - 0.5 ** (1.0 / p.wears_off))
        state.dissatisfaction[i] *= 1.0 - rs.calmed(treated.calms[t], traits.service[i])
        state.dissatisfaction[i] += rs.upset(p, c, traits.dog[i], y) + (p.complaint if complained[j] else 0.0)


@compiled
def _expected(
    p: Any, traits: Any, state: Any, worth: Any, treated: Any, day: int, rows: np.ndarray, weight: np.ndarray,
    alive: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """The mean over guesses of what treatments are worth, to who may have left already."""
    weighed = np.empty((out.shape[1], COLUMNS))
    for r in range(rows.shape[0]):
        i = rows[r]
        for k in range(weight.shape[1]):
            weigh(p, traits, state, worth, treated, day, i * weight.shape[1] + k, weighed)
            for t in range(out.shape[1]):
                here = alive[i, k] * (weighed[t, NET] + treated.cost[t])
                out[r, t] += weight[i, k] * (here - treated.cost[t])
