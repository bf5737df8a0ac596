"""From a customer's packed state to features by name and the champions' probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features import online
from features.catalogue import Catalogue
from features.state import State
from features.vocabulary import Vocabulary
from features.workspace import Settings
from serving.champions import Champion, levels
from serving.decisions.attributes import Inputs, action_inputs
from serving.decisions.decision import Candidate, Scores


class Vectors:
    """Feature vectors of single customers, by the kernel that history uses; the tables follow the vocabulary."""

    def __init__(self, catalogue: Catalogue, settings: Settings, vocabulary: Vocabulary) -> None:
        self.catalogue = catalogue
        self.levels = levels(catalogue, settings)
        self._compiled = catalogue.compile(vocabulary, settings)

    def of(self, state: bytes, as_of: int) -> np.ndarray:
        """float64[F] as of an instant (microseconds); NaN is null. No state is the profile of a stranger."""
        packed = State.from_bytes(state) if state else State()
        return online.compute(packed, as_of, self._compiled)

    def named(self, values: np.ndarray) -> dict[str, Any]:
        """Features by name: numbers, labels, None for null."""
        found: dict[str, Any] = {}
        for name, value in zip(self.catalogue.names, values.tolist(), strict=True):
            labels = self.levels[name]
            if value != value:
                found[name] = None
            else:
                found[name] = value if labels is None else labels[int(value)]
        return found


@dataclass(frozen=True)
class Propensities:
    """P of each candidate for one feature vector; None for all without a champion."""

    champion: Champion | None
    values: np.ndarray

    def __call__(self, candidates: Sequence[Candidate], /) -> Sequence[float | None]:
        if self.champion is None:
            return [None] * len(candidates)
        inputs = [inputs_of(candidate) for candidate in candidates]
        return [float(p) for p in self.champion.scorer.actions(self.values, inputs)]


def inputs_of(candidate: Candidate) -> Inputs:
    """What the propensity model is told about a candidate."""
    return action_inputs(candidate.action.name, candidate.channel, candidate.action)


def churn(champions: Mapping[str, Champion], values: np.ndarray) -> float | None:
    """The probability that the customer leaves, None without a champion."""
    champion = champions.get("churn")
    return None if champion is None else float(champion.scorer.customers(values)[0])


def scores(vectors: Vectors, champions: Mapping[str, Champion], values: np.ndarray) -> Scores:
    """What a decision is given of one customer, and what it logs so that it can be replayed."""
    logged = {
        "features": values.tolist(),
        "catalogue_version": vectors.catalogue.version,
        "models": {kind: champion.describe() for kind, champion in champions.items()},
    }
    propensity = Propensities(champions.get("propensity"), values)
    return Scores(vectors.named(values), churn(champions, values), propensity, logged)
