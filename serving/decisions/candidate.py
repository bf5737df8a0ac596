"""A treatment under consideration, and what the models know of the customer it is for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from features.frozen import quickly_made
from serving.decisions.policy import Action, Treatment

if TYPE_CHECKING:
    from serving.decisions.guard.standing import Standing


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


class Harm(Protocol):
    """What one more contact costs this customer, for each candidate, given what stands; None where no model can say."""

    def __call__(
        self, candidates: Sequence[Candidate], standing: "Sequence[Standing]", now: int, /
    ) -> Sequence[float | None]: ...


@quickly_made
@dataclass(frozen=True)
class Scores:
    """What the models know of the customer at the instant of the decision.

    `features` (by name) is for rules; `logged` is kept with the decision so that it can be replayed: the feature
    vector, the catalogue's version, the models' versions. `uplift` is U where it was learned, `harm` what a contact
    costs where that was. `delayed` and `delayed_uplift` are P and U from what was known a minimum age ago, for actions
    that reveal behaviour. `positives` counts, by action, the responses that the propensity model learned from; None
    where nobody counted.
    """

    features: Mapping[str, Any] = field(default_factory=dict)
    churn: float | None = None
    propensity: Propensity | None = None
    logged: Mapping[str, Any] = field(default_factory=dict)
    delayed: Propensity | None = None
    uplift: Propensity | None = None
    delayed_uplift: Propensity | None = None
    harm: Harm | None = None
    positives: Mapping[str, int] | None = None
