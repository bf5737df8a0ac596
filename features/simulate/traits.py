"""What customers are like: drawn once, never seen by a policy, and shown by behaviour only as far as the setting lets.

Rates and money follow Pareto/NBD and gamma-gamma; sensitivities, tolerance and preferences are independent standard
normals z, turned into shares by the normal distribution function or into factors by exp. `seen_*` come from the trait
blurred by noise of the customer's own (parameters.py): they drive visible behaviour, and cause nothing else.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv, ndtr, ndtri

from features.interactions import CHANNELS
from features.simulate.parameters import Parameters
from features.simulate.randomness import fill

STORE = CHANNELS.index("store")
#: What customers said of themselves when they signed up, each 1 to 7: the only thing that shows traits without waiting.
PROFILE = (
    "offers_interest",
    "service_expectation",
    "news_appetite",
    "privacy_concern",
    *(f"likes_{channel}" for channel in CHANNELS),
)
LEVELS = 7


class Traits(NamedTuple):
    """Columns of n customers, float32 where nothing is said.

    rate, leaving: purchases and departures a day; basket: mean money; price, service: sensitivities 0..1; tolerance:
    factor, 1 on average; dog: 0..1, how much of a sleeping dog; store: 0..1; affinity [n, 8]: factor by channel;
    shock, flee: what an incident adds, and what dissatisfaction does to leaving; joins: day (int32); before: days
    between the last purchase and the start (int32); visits: a day; comes [n, 8]: cumulated shares of channels where
    they come by themselves; profile: uint8 [n, len(PROFILE)]; seen_price, seen_service, seen_tolerance, seen_dog: 0..1.
    """

    rate: np.ndarray
    leaving: np.ndarray
    basket: np.ndarray
    price: np.ndarray
    service: np.ndarray
    tolerance: np.ndarray
    dog: np.ndarray
    store: np.ndarray
    affinity: np.ndarray
    shock: np.ndarray
    flee: np.ndarray
    joins: np.ndarray
    before: np.ndarray
    visits: np.ndarray
    comes: np.ndarray
    profile: np.ndarray
    seen_price: np.ndarray
    seen_service: np.ndarray
    seen_tolerance: np.ndarray
    seen_dog: np.ndarray


def draw_traits(p: Parameters, seed: int, first: int, n: int) -> Traits:
    """Traits of the n customers from number `first` on: the same whichever others are drawn with them."""
    numbers = iter(range(1 << 10))

    def uniform() -> np.ndarray:
        out = np.empty(n)
        fill(seed, first, next(numbers), out)
        return out

    def seen(z: np.ndarray) -> np.ndarray:
        return ndtr(p.visible * z + np.sqrt(1 - p.visible**2) * ndtri(uniform()))

    rate = gammaincinv(p.r, uniform()) / p.alpha
    leaving = gammaincinv(p.s, uniform()) / p.beta
    basket = p.p * p.gamma / gammaincinv(p.q, uniform())
    price, service, tolerance, dog = (ndtri(uniform()) for _ in range(4))
    shown = [seen(z) for z in (price, service, tolerance, dog)]
    channel = np.stack([ndtri(uniform()) for _ in CHANNELS], axis=1)
    likes = np.stack([seen(z) for z in channel.T], axis=1)
    comes = np.asarray(p.comes) * np.exp(ndtri(likes))
    joins = np.maximum(0.0, (uniform() - p.established) / (1 - p.established) * p.joining)  # 0: came before the start
    before = np.minimum(-np.log(uniform()) / np.maximum(rate, 1e-6), 2000)
    columns = {
        "rate": rate,
        "leaving": leaving,
        "basket": basket,
        "price": ndtr(price),
        "service": ndtr(service),
        "tolerance": np.exp(p.tolerance * tolerance - p.tolerance**2 / 2),
        "dog": ndtr((dog - ndtri(1 - p.dogs)) / p.blur),
        "store": ndtr(channel[:, STORE]),
        "affinity": np.exp(p.preference * channel - p.preference**2 / 2),
        "shock": p.shock + p.shock_sensitive * ndtr(service),
        "flee": p.flee + p.flee_sensitive * ndtr(service),
        "joins": joins,
        "before": np.where(joins > 0, 0, before),
        "visits": p.visits * (rate * p.alpha / p.r) ** p.visits_power,
        "comes": np.cumsum(comes / comes.sum(axis=1, keepdims=True), axis=1),
        "profile": 1 + np.floor(LEVELS * np.column_stack([*shown, likes])),
        **dict(zip(("seen_price", "seen_service", "seen_tolerance", "seen_dog"), shown, strict=True)),
    }
    kinds = {"joins": np.int32, "before": np.int32, "profile": np.uint8}
    return Traits(**{name: column.astype(kinds.get(name, np.float32)) for name, column in columns.items()})
