"""What a decision policy sees and answers: only what a company could know."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa

from features import clock
from features.simulate.actions import CHANNEL_OF, TREATMENTS
from features.simulate.events import Events
from features.simulate.log import interactions
from features.workspace import WorkspaceError

SILENCE = -1
#: The arms of an experiment beside next best action, as a contact policy calls them (experiment.py).
PLAYS = ("random_eligible", "propensity_only", "no_levers", "looser_caps", "nothing")
QUIET = PLAYS.index("nothing")


@dataclass(frozen=True)
class View:
    """The morning of `day` (from 0; midnight UTC is `at`, microseconds), for n customers, in the same order every day.

    known: bool[n], has been seen before today. profile: uint8[n, len(PROFILE)], what they said of themselves when they
    signed up (traits.py). reachable: bool[n, treatments], known and not opted out of the channel.
    news: what was recorded since yesterday morning, contacts and answers to them too, sorted by customer; `customer`
    there is a position among the n, whose ids are `log.customer_ids(customer)`. `table()` is the news as interactions.
    """

    day: int
    at: int
    known: np.ndarray
    closed: np.ndarray
    profile: np.ndarray
    news: Events

    @property
    def customers(self) -> int:
        return len(self.known)

    @cached_property
    def reachable(self) -> np.ndarray:
        return self.known[:, None] & (self.closed[:, None] >> CHANNEL_OF & 1 == 0)

    def table(self) -> pa.Table:
        """The news as interactions."""
        return interactions(self.news, self.at - self.day * clock.DAY)


@dataclass(frozen=True)
class Choice:
    """A policy's answer for n customers: `treatment` int16[n], a position in TREATMENTS or SILENCE.

    probability: float32[n], with which this very answer was drawn. distribution: float32[n, treatments + 1], of every
    answer, silence last; None where the policy does not say. considered: bool[n], whom it was about; None is everybody.
    ghost: int16[n], the treatment that was drawn and withheld, which is silence; ghosts: float32[n, treatments], how
    probable that was of each, a part of silence; None where nothing is withheld (withholding.py).
    level: float32[n], the factor on caps that chance gave each customer (capped.py); None where there are no levels.
    held: bool[n], who is held out: kept from being sold to, and `intended` the choice before they were (holding.py).
    experiment: int[n], each customer's arm of an experiment, -1 for none (experiment.py); None where there is none.
    """

    treatment: np.ndarray
    probability: np.ndarray
    distribution: np.ndarray | None = None
    considered: np.ndarray | None = None
    ghost: np.ndarray | None = None
    ghosts: np.ndarray | None = None
    level: np.ndarray | None = None
    held: np.ndarray | None = None
    intended: "Choice | None" = None
    experiment: np.ndarray | None = None


class Policy(Protocol):
    """Anything with a name that decides. A treatment that cannot reach the customer is refused, and is silence.

    One of your own needs no more than this; what it answers is checked (`checked` below):

    >>> from features.simulate.market import Market
    >>> class Vouchers:
    ...     "Every third Monday a voucher on the app, to whom offers interest (1 to 7)."
    ...     name = "vouchers"
    ...     what = TREATMENTS.index(("voucher", "mobile_app"))
    ...
    ...     def decide(self, view: View) -> Choice:
    ...         told = (view.profile[:, 0] >= 6) & view.reachable[:, self.what] & (view.day % 21 == 5)
    ...         return Choice(np.where(told, self.what, SILENCE), np.ones(view.customers))
    >>> outcome = Market(1_000, seed=1).play(Vouchers(), 30)
    >>> outcome.value.shape, bool(outcome.contacts.sum() > 400)
    ((1000,), True)

    `outcome.above(another)` compares it with another policy's play from the same morning (market.py). One that draws
    its answers says their `distribution`, too: `drawn` below does both. Then `Withholding` and `Holding` can be put
    around it, and training can learn from its log (`features.simulate.output.write`).
    """

    name: str

    def decide(self, view: View) -> Choice:
        """Called once a day, in order."""


class Silent:
    """Contacts nobody."""

    name = "none"

    def decide(self, view: View) -> Choice:
        n = view.customers
        return Choice(np.full(n, SILENCE, np.int16), np.ones(n, np.float32))


class Uniform:
    """Considers customers every so many days: with probability `rate` a contact, by any reachable treatment alike."""

    name = "random"

    def __init__(self, rate: float, every: int = 1, seed: int = 0) -> None:
        if not 0.0 <= rate <= 1.0:
            raise WorkspaceError(f"the share {rate!r} of decisions that are contacts is not in 0 to 1")
        if every < 1:
            raise WorkspaceError(f"customers are considered every 1, 2 ... days, not every {every}")
        self.rate, self.every, self.seed = rate, every, seed

    def decide(self, view: View) -> Choice:
        n = view.customers
        considered = view.known & ((np.arange(n) + view.day) % self.every == 0)
        rows = np.flatnonzero(considered)
        reachable = view.closed[rows, None] >> CHANNEL_OF & 1 == 0
        number = reachable.sum(axis=1)
        rate = np.where(number > 0, self.rate, 0.0)
        distribution = np.zeros((n, len(TREATMENTS) + 1), np.float32)
        distribution[:, -1] = 1.0
        some = np.zeros((len(rows), len(TREATMENTS) + 1), np.float32)
        np.divide(rate[:, None], number[:, None], out=some[:, :-1], where=reachable)
        some[:, -1] = 1.0 - rate
        distribution[rows] = some
        uniform = np.random.default_rng((self.seed, view.day)).random(n)
        found = drawn(some, uniform[rows])
        treatment, probability = np.full(n, SILENCE, np.int16), np.ones(n, np.float32)
        treatment[rows], probability[rows] = found.treatment, found.probability
        return Choice(treatment, probability, distribution, considered)


class Scored:
    """Contacts where a score (worth, propensity ... of each treatment, float[n, treatments]) is above a threshold.

    The best score wins; with probability `explore` a day the answer is drawn evenly among reachable treatments and
    silence instead.
    """

    def __init__(
        self, name: str, score: Callable[[View], np.ndarray], above: float = 0.0, explore: float = 0.0, seed: int = 0
    ) -> None:
        self.name, self.score, self.above, self.explore, self.seed = name, score, above, explore, seed

    def decide(self, view: View) -> Choice:
        reachable = view.reachable
        scores = np.where(reachable, self.score(view), -np.inf)
        n = view.customers
        best = scores.argmax(axis=1)
        even = self.explore / (reachable.sum(axis=1) + 1)
        distribution = np.zeros((n, len(TREATMENTS) + 1), np.float32)
        distribution[:, :-1] = reachable * even[:, None]
        distribution[:, -1] = even
        distribution[np.arange(n), np.where(scores.max(axis=1) > self.above, best, -1)] += 1.0 - self.explore
        return drawn(distribution, np.random.default_rng((self.seed, view.day)).random(n))


def checked(choice: Choice, customers: int) -> np.ndarray:
    """A choice's treatments, int16[n]. Raises TypeError on what is no choice, ValueError on treatments that do not
    fit."""
    if not isinstance(choice, Choice):
        raise TypeError(f"a policy's `decide` answers with a Choice, not with a {type(choice).__name__}")
    chosen = np.asarray(choice.treatment)
    whole = np.issubdtype(chosen.dtype, np.integer)
    if not whole or chosen.shape != (customers,) or chosen.min() < SILENCE or chosen.max() >= len(TREATMENTS):
        raise ValueError(
            f"a choice has one treatment for each of {customers:,} customers, a whole number from -1 (silence) to"
            f" {len(TREATMENTS) - 1}; this one is of {chosen.dtype.name} in the shape {chosen.shape}"
        )
    if np.shape(choice.probability) != (customers,):
        raise ValueError(
            f"a choice has one probability for each of {customers:,} customers, not {np.shape(choice.probability)}"
        )
    return chosen.astype(np.int16)


def drawn(distribution: np.ndarray, uniform: np.ndarray) -> Choice:
    """A draw from each row's distribution [n, treatments + 1], by a number in [0, 1) each."""
    edges = np.cumsum(distribution, axis=1, dtype=np.float64)
    picked = (uniform[:, None] * edges[:, -1:] >= edges).sum(axis=1)
    treatment = np.where(picked == distribution.shape[1] - 1, SILENCE, picked).astype(np.int16)
    return Choice(treatment, distribution[np.arange(len(picked)), picked], distribution)
