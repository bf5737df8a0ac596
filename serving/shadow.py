"""What shadow models say of a live decision, logged beside it: `shadow` in its document, a column of history.

`{"churn": {"version": "2", "score": 0.31}, "propensity": {"version": "4", "scores": {action: {channel: P}}}}`, of the
candidates that the models which decide were asked about. A replay keeps it; nothing that is decided reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from serving import scoring
from serving.champions import Champion
from serving.decisions.candidate import Candidate, Propensity, Scores

#: By action, then by channel.
Told = dict[str, dict[str, float | None]]


def beside(
    scores: Scores, shadows: Mapping[str, Champion], values: np.ndarray, delayed: scoring.Delayed | None = None
) -> Scores:
    """The same scores, with what the shadows say written into their log while they are asked.

    `delayed` as given to `scores`, which actions that reveal behaviour are scored by.
    """
    said: dict[str, Any] = {}
    if (leaving := shadows.get("churn")) is not None:
        said["churn"] = {"version": leaving.version, "score": float(leaving.scorer.customers(values)[0])}
    logged = {**scores.logged, "shadow": said}
    if (shadow := shadows.get("propensity")) is None:
        return replace(scores, logged=logged)
    told: Told = {}
    said["propensity"] = {"version": shadow.version, "scores": told}
    now = Heard(scores.propensity, scoring.Propensities(shadow, values), told)
    earlier = None if delayed is None else Heard(scores.delayed, replace(delayed, champion=shadow), told)
    return replace(scores, propensity=now, delayed=earlier, logged=logged)


@dataclass(frozen=True)
class Heard:
    """P from the model that decides; what the shadow says of the same candidates is written down."""

    decides: Propensity | None
    shadow: Propensity
    told: Told

    def __call__(self, candidates: Sequence[Candidate], /) -> Sequence[float | None]:
        for candidate, p in zip(candidates, self.shadow(candidates), strict=True):
            self.told.setdefault(candidate.action.name, {})[candidate.channel] = p
        return [None] * len(candidates) if self.decides is None else self.decides(candidates)
