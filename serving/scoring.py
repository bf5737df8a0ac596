"""From a customer's packed state to features by name and the champions' probabilities."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from features import online
from features.catalogue import Catalogue
from features.frozen import quickly_made
from features.state import State
from features.vocabulary import Vocabulary
from features.workspace import Settings
from serving.champions import Champion, levels
from serving.decisions.attributes import Inputs, action_inputs
from serving.decisions.decision import Candidate, Scores
from serving.decisions.guard.standing import Standing
from serving.scorer import Encoded, Scorer

#: Encoded candidates that a model keeps; the old ones of policies long gone are then forgotten.
REMEMBERED = 4_096


class Vectors:
    """Feature vectors of single customers, by the kernel that history uses; the tables follow the vocabulary."""

    def __init__(self, catalogue: Catalogue, settings: Settings, vocabulary: Vocabulary) -> None:
        self.catalogue = catalogue
        self.levels = levels(catalogue, settings)
        self._place = {name: place for place, name in enumerate(catalogue.names)}
        self._compiled = catalogue.compile(vocabulary, settings)

    def of(self, state: bytes | State, as_of: int) -> np.ndarray:
        """float64[F] as of an instant (microseconds); NaN is null. No state is the profile of a stranger."""
        if not isinstance(state, State):
            state = State.from_bytes(state) if state else State()
        return online.compute(state, as_of, self._compiled)

    def named(self, values: np.ndarray) -> "Features":
        """Features by name: numbers, labels, None for null."""
        return Features(values, self._place, self.levels)


class Features(Mapping[str, Any]):
    """A feature vector by name, read as it is asked: rules name a few of what there is."""

    __slots__ = ("_levels", "_place", "_values")

    def __init__(
        self, values: np.ndarray, place: Mapping[str, int], levels: Mapping[str, tuple[str, ...] | None]
    ) -> None:
        self._values, self._place, self._levels = values, place, levels

    def __getitem__(self, name: str) -> float | str | None:
        value = float(self._values[self._place[name]])
        if value != value:
            return None
        labels = self._levels[name]
        return value if labels is None else labels[int(value)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)


@quickly_made
@dataclass(frozen=True)
class Propensities:
    """P of each candidate for one feature vector; None for all without a champion."""

    champion: Champion | None
    values: np.ndarray

    def __call__(self, candidates: Sequence[Candidate], /) -> Sequence[float | None]:
        if self.champion is None:
            return [None] * len(candidates)
        if not candidates:
            return []
        scorer = self.champion.scorer
        table, rows = placed(scorer, candidates)
        chances: list[float | None] = scorer.picked(self.values[np.newaxis], table, rows)[0].tolist()
        return chances


@quickly_made
@dataclass(frozen=True)
class Delayed:
    """The same from what was known at an earlier instant, computed only where an action that reveals behaviour asks."""

    champion: Champion | None
    vectors: Vectors
    state: bytes | State
    as_of: int

    @cached_property
    def values(self) -> np.ndarray:
        """The feature vector of that instant."""
        return self.vectors.of(self.state, self.as_of)

    def __call__(self, candidates: Sequence[Candidate], /) -> Sequence[float | None]:
        return Propensities(self.champion, self.values)(candidates)


@dataclass(frozen=True)
class Uplifts:
    """Learned U of each candidate for one feature vector (one of earlier where it is `Delayed`), None where the model
    does not know it."""

    champion: Champion
    of: np.ndarray | Delayed

    def __call__(self, candidates: Sequence[Candidate], /) -> Sequence[float | None]:
        values = self.of.values if isinstance(self.of, Delayed) else self.of
        return _known(self.champion.effects.uplift(values[np.newaxis], candidates))


@dataclass(frozen=True)
class Harms:
    """Learned harm of one more contact for each candidate, given what stands; None where the model does not know."""

    champion: Champion
    values: np.ndarray

    def __call__(
        self, candidates: Sequence[Candidate], standing: Sequence[Standing], now: int, /
    ) -> Sequence[float | None]:
        model = self.champion.effects
        at = np.array([now], np.int64)
        return _known(model.harm(self.values[np.newaxis], candidates, model.counted(standing, now), at))


def _known(found: np.ndarray) -> list[float | None]:
    return [None if value != value else value for value in found[0].tolist()]


def uplifts(champions: Mapping[str, Champion], of: np.ndarray | Delayed | None) -> Uplifts | None:
    """None without a champion, or without anything to ask it about."""
    champion = champions.get("uplift")
    return None if champion is None or of is None else Uplifts(champion, of)


def harms(champions: Mapping[str, Champion], values: np.ndarray) -> Harms | None:
    """None without a champion."""
    champion = champions.get("fatigue")
    return None if champion is None else Harms(champion, values)


def encoded(scorer: Scorer, candidate: Candidate) -> Encoded:
    """A candidate as the model reads it."""
    return scorer.encode(inputs_of(candidate))


def placed(scorer: Scorer, candidates: Sequence[Candidate]) -> tuple[Encoded, np.ndarray]:
    """A table of actions as the model reads them, and int64[m] which rows of it the candidates are.

    Each is worked out once: a changed file brings other action objects.
    """
    known = scorer.known
    try:
        rows = [known.rows[id(each.action), each.channel] for each in candidates]
    except KeyError:
        if len(known.rows) > REMEMBERED:
            known = scorer.known = scorer.forgotten()
        for each in candidates:
            if (id(each.action), each.channel) not in known.rows:
                known.add((id(each.action), each.channel), each.action, encoded(scorer, each))
        rows = [known.rows[id(each.action), each.channel] for each in candidates]
    return known.table, np.array(rows)


def inputs_of(candidate: Candidate) -> Inputs:
    """What the propensity model is told about a candidate."""
    return action_inputs(candidate.action.name, candidate.channel, candidate.action)


def churn(champions: Mapping[str, Champion], values: np.ndarray) -> float | None:
    """The probability that the customer leaves, None without a champion."""
    champion = champions.get("churn")
    return None if champion is None else champion.scorer.customer(values)


def scores(
    vectors: Vectors, champions: Mapping[str, Champion], values: np.ndarray, delayed: Delayed | None = None
) -> Scores:
    """What a decision is given of one customer, and what it logs so that it can be replayed."""
    logged = {
        "features": values.tolist(),
        "catalogue_version": vectors.catalogue.version,
        "models": {kind: champion.describe() for kind, champion in champions.items()},
    }
    return Scores(
        features=vectors.named(values),
        churn=churn(champions, values),
        propensity=Propensities(champions.get("propensity"), values),
        logged=logged,
        delayed=delayed,
        uplift=uplifts(champions, values),
        delayed_uplift=uplifts(champions, delayed),
        harm=harms(champions, values),
        positives=positives(champions),
    )


def positives(champions: Mapping[str, Champion]) -> Mapping[str, int] | None:
    """How many responses to each action the propensity model learned from; None where nobody counted."""
    champion = champions.get("propensity")
    return None if champion is None else champion.scorer.positives
