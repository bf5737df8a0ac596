"""Why a model says what it says of a customer: what it would say if one side of them were like others'.

The model is asked again and again, as the service asks it: with the customer's purchases (contacts, service ...)
replaced by that of other customers, one after another, and the answers averaged. The gap to what it says of them as
they are is what that side of them does to the score. That holds for any model, trees and smooth parts alike, and is a
comparison that can be put into words. Gaps need not add up, for sides may work together; and it is about the model, not
about the world: what would really happen if the customer changed is another question. (One side replaced by a
background sample: Strumbelj and Kononenko, Knowledge and Information Systems 2014, do it with coalitions of features.)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.catalogue import Catalogue
from features.definitions import Feature

#: Probabilities float64[n] for feature vectors [n, F].
Model = Callable[[np.ndarray], np.ndarray]
#: The sides of a customer, by the words in a feature's name: the first side that has one of them.
SIDES: Mapping[str, frozenset[str]] = {
    "contacts and their answers": frozenset({"contact", "response", "accepted", "rejected", "clicked", "ignored"}),
    "service and satisfaction": frozenset(
        {
            "complaint",
            "help",
            "cases",
            "case",
            "resolve",
            "satisfaction",
            "escalations",
            "billing",
            "delivery",
            "survey",
        }
    ),
    "purchases": frozenset({"purchase", "refund", "cart", "silence"}),
    "the time of day, week and year": frozenset({"hour", "weekend", "weekday", "season"}),
    "what we were told of them": frozenset({"attribute"}),
}
OTHERS = "visits and channels"


@dataclass(frozen=True)
class Reason:
    """One side: the probability if it were like other customers', and its feature that moves it most by itself."""

    side: str
    without: float
    feature: str
    alone: float


@dataclass(frozen=True)
class Reasons:
    """Sides by how far they move the probability, the furthest first; `typical` is the others' mean probability."""

    probability: float
    typical: float
    sides: Sequence[Reason]


def reasons(model: Model, inputs: Sequence[str], catalogue: Catalogue, own: np.ndarray, others: np.ndarray) -> Reasons:
    """`own` float64[F] as the catalogue has it, `others` float64[K, F] of K other customers; `inputs` names the
    features that the model reads."""
    features = {feature.name: (place, side(feature)) for place, feature in enumerate(catalogue)}
    groups: dict[str, list[int]] = {}
    for place, of in (features[name] for name in inputs if name in features):
        groups.setdefault(of, []).append(place)
    varied = [(of, [place]) for of, places in groups.items() for place in places]
    asked = [*groups.items(), *varied]
    rows = np.repeat(own[np.newaxis], len(asked) * len(others), axis=0).reshape(len(asked), len(others), len(own))
    for k, (_, places) in enumerate(asked):
        rows[k][:, places] = others[:, places]
    answers = model(rows.reshape(-1, len(own))).reshape(len(asked), len(others)).mean(axis=1)
    probability = float(model(own[np.newaxis])[0])
    alone: dict[str, tuple[float, str]] = {}
    for (of, (place,)), answer in zip(varied, answers[len(groups) :].tolist(), strict=True):
        if of not in alone or abs(answer - probability) > abs(alone[of][0] - probability):
            alone[of] = answer, catalogue.names[place]
    found = [
        Reason(of, without, alone[of][1], alone[of][0])
        for of, without in zip(groups, answers[: len(groups)].tolist(), strict=True)
    ]
    found.sort(key=lambda reason: -abs(reason.without - probability))
    return Reasons(probability, float(model(others).mean()), found)


def side(feature: Feature) -> str:
    """Which side of a customer a feature is about."""
    words = {"attribute"} if feature.operation().attribute is not None else set(feature.name.split("_"))
    return next((name for name, some in SIDES.items() if words & some), OTHERS)
