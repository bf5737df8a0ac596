"""What shadow models say of a live decision, logged beside it: `shadow` in its document, a column of history.

`{"churn": {"version": "2", "score": 0.31}, "propensity": {"version": "4", "scores": {action: {channel: P}}}}`, of the
candidates that the models which decide were asked about; `uplift` (U) and `fatigue` (harm) are told like propensity. A
replay keeps it; nothing that is decided reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from serving import scoring
from serving.champions import Champion
from serving.decisions.candidate import Candidate, Scores

#: By action, then by channel.
Told = dict[str, dict[str, float | None]]


def beside(
    scores: Scores, shadows: Mapping[str, Champion], values: np.ndarray, delayed: scoring.Delayed | None = None
) -> Scores:
    """The same scores, with what the shadows say written into their log while they are asked.

    `delayed` as given to `scores`, which actions that reveal behaviour are scored by.
    """
    said: dict[str, Any] = {}
    heard: dict[str, Any] = {"logged": {**scores.logged, "shadow": said}}
    for kind, champion in shadows.items():
        said[kind] = {"version": champion.version}
        if kind == "churn":
            said[kind]["score"] = scoring.churn(shadows, values)
            continue
        told: Told = {}
        said[kind]["scores"] = told
        for name, shadow in _asked(kind, champion, shadows, values, delayed).items():
            heard[name] = Heard(getattr(scores, name), shadow, told)
    return replace(scores, **heard)


def _asked(
    kind: str,
    champion: Champion,
    shadows: Mapping[str, Champion],
    values: np.ndarray,
    delayed: scoring.Delayed | None,
) -> dict[str, Any]:
    """The shadow of each part of the scores that a kind of model gives."""
    if kind == "propensity":
        earlier = None if delayed is None else replace(delayed, champion=champion)
        found: dict[str, Any] = {"propensity": scoring.Propensities(champion, values), "delayed": earlier}
    elif kind == "uplift":
        found = {"uplift": scoring.uplifts(shadows, values), "delayed_uplift": scoring.uplifts(shadows, delayed)}
    else:
        found = {"harm": scoring.harms(shadows, values)}
    return {name: shadow for name, shadow in found.items() if shadow is not None}


@dataclass(frozen=True)
class Heard:
    """What the model that decides says; what the shadow says of the same candidates is written down."""

    decides: Any
    shadow: Any
    told: Told

    def __call__(self, candidates: Sequence[Candidate], /, *about: Any) -> Sequence[float | None]:
        for candidate, found in zip(candidates, self.shadow(candidates, *about), strict=True):
            self.told.setdefault(candidate.action.name, {})[candidate.channel] = found
        return [None] * len(candidates) if self.decides is None else self.decides(candidates, *about)
