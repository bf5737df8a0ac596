"""A treatment under consideration, and what the models know of the customer it is for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from serving.decisions.policy import Action, Treatment


@dataclass(frozen=True)
class Candidate:
    """An action on a channel."""

    action: Action
    channel: str

    @property
    def treatment(self) -> Treatment:
        return self.action.channels[self.channel]

    @cached_property
    def key(self) -> tuple[str, str]:
        return self.action.name, self.channel


class Propensity(Protocol):
    """P for each candidate: the probability of a response if it is offered now; None where no model can say."""

    def __call__(self, candidates: Sequence[Candidate], /) -> Sequence[float | None]: ...


@dataclass(frozen=True)
class Scores:
    """What the models know of the customer at the instant of the decision.

    `features` (by name) is for rules; `logged` is kept with the decision so that it can be replayed: the feature
    vector, the catalogue's version, the models' versions. `delayed` is P from what was known a minimum age ago, for
    actions that reveal behaviour. `uplift` is U where it was learned. `positives` counts, by action, the responses
    that the propensity model learned from; None where nobody counted.
    """

    features: Mapping[str, Any] = field(default_factory=dict)
    churn: float | None = None
    propensity: Propensity | None = None
    logged: Mapping[str, Any] = field(default_factory=dict)
    delayed: Propensity | None = None
    uplift: Propensity | None = None
    positives: Mapping[str, int] | None = None
