"""A decision as data: the request, each candidate's fate, the distribution drawn from, and the answer."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import orjson

from features import clock
from serving.decisions.customer import Contact
from serving.decisions.policy import Action, Treatment

Direction = Literal["inbound", "outbound"]
Stage = Literal["chosen", "withheld", "eligible", "applicable", "suitable", "guard", "score", "arbitration", "holdout"]
SILENCE = None


@dataclass(frozen=True)
class Request:
    """One question: what now for this customer? `channel` None asks about every channel.

    `decision_id` is given by the caller, so that deciding stays a pure function. `fingerprint` tells a retry of the
    same `request_id` from another question under the same id.
    """

    customer_id: str
    decision_id: str
    channel: str | None = None
    direction: Direction = "outbound"
    request_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        content = [self.customer_id, self.channel, self.direction, dict(self.context)]
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]

    def as_dict(self) -> dict[str, Any]:
        return {
            "request_id": self.request_id,
            "customer_id": self.customer_id,
            "channel": self.channel,
            "direction": self.direction,
            "context": dict(self.context),
        }


@dataclass(frozen=True)
class Candidate:
    """A treatment under consideration: an action on a channel."""

    action: Action
    channel: str

    @property
    def treatment(self) -> Treatment:
        return self.action.channels[self.channel]

    @property
    def key(self) -> tuple[str, str]:
        return self.action.name, self.channel


class Propensity(Protocol):
    """P for each candidate: the probability of a response if it is offered now; None where no model can say."""

    def __call__(self, candidates: Sequence[Candidate], /) -> Sequence[float | None]: ...


@dataclass(frozen=True)
class Scores:
    """What the models know of the customer at the instant of the decision.

    `features` (by name) is for rules; `logged` is kept with the decision so that it can be replayed: the feature
    vector, the catalogue's version, the models' versions.
    """

    features: Mapping[str, Any] = field(default_factory=dict)
    churn: float | None = None
    propensity: Propensity | None = None
    logged: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trip:
    """A guard rule that refused: its name, plain words, and the earliest instant it passes (None: not by itself)."""

    rule: str
    text: str
    passes_at: int | None

    def as_dict(self) -> dict[str, Any]:
        at = None if self.passes_at is None else clock.isoformat(self.passes_at)
        return {"rule": self.rule, "text": self.text, "passes_at": at}


@dataclass(frozen=True, slots=True)
class Factors:
    """Expected value = C x V x U x L - cost - harm, with U = P x share of responses that are an increment."""

    p: float
    share: float
    u: float
    c: float
    v: float
    lever: float
    cost: float
    harm: float
    expected_value: float

    def as_dict(self) -> dict[str, float]:
        return {
            "p": self.p,
            "share": self.share,
            "u": self.u,
            "c": self.c,
            "v": self.v,
            "lever": self.lever,
            "cost": self.cost,
            "harm": self.harm,
            "expected_value": self.expected_value,
        }


@dataclass(frozen=True)
class Fate:
    """What became of one candidate: chosen, or the stage that refused it and why."""

    candidate: Candidate
    stage: Stage
    reason: str
    trips: tuple[Trip, ...] = ()
    factors: Factors | None = None
    probability: float = 0.0

    @property
    def passes_at(self) -> int | None:
        """The earliest instant at which every rule that tripped would pass; None where one never does by itself."""
        moments = [trip.passes_at for trip in self.trips]
        if not moments or None in moments:
            return None
        return max(moment for moment in moments if moment is not None)

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "action": self.candidate.action.name,
            "channel": self.candidate.channel,
            "stage": self.stage,
            "reason": self.reason,
            "probability": self.probability,
        }
        if self.trips:
            found["suppressed_by"] = [trip.as_dict() for trip in self.trips]
            found["passes_at"] = None if self.passes_at is None else clock.isoformat(self.passes_at)
        if self.factors is not None:
            found["factors"] = self.factors.as_dict()
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """One cell of the distribution that the answer was drawn from. Silence has no action; a ghost is not made."""

    action: str | None
    channel: str | None
    ghost: bool
    probability: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "channel": self.channel,
            "ghost": self.ghost,
            "probability": self.probability,
        }


@dataclass(frozen=True)
class Decision:
    """One answered request. `chosen` None is silence, a proper answer; `contact` is the reservation to commit.

    `distribution` is what the answer was drawn from; `intended`, for a held-out customer, what it would have been.
    `judged_customer` is the id that whoever was asked for goes by.
    """

    request: Request
    at: int
    chosen: Candidate | None
    ghost: Candidate | None
    reason: str
    arm: Literal["treated", "holdout"]
    uniform: float
    distribution: tuple[Outcome, ...]
    intended: tuple[Outcome, ...] | None
    fates: tuple[Fate, ...]
    churn: float | None
    policy_version: str
    judged_version: int
    judged_customer: str
    contact: Contact | None = None
    logged: Mapping[str, Any] = field(default_factory=dict)

    @property
    def decision_id(self) -> str:
        return self.request.decision_id

    def as_dict(self) -> dict[str, Any]:
        """The whole decision, as logged: enough to replay it."""
        return {
            "decision_id": self.decision_id,
            **self.request.as_dict(),
            "at": clock.isoformat(self.at),
            "action": self.chosen.action.name if self.chosen else None,
            "treatment_channel": self.chosen.channel if self.chosen else None,
            "ghost": self.ghost.action.name if self.ghost else None,
            "ghost_channel": self.ghost.channel if self.ghost else None,
            "reason": self.reason,
            "contact_id": self.contact.contact_id if self.contact else None,
            "expires_at": clock.isoformat(self.contact.expires_at) if self.contact else None,
            "arm": self.arm,
            "uniform": self.uniform,
            "distribution": [outcome.as_dict() for outcome in self.distribution],
            "intended": None if self.intended is None else [outcome.as_dict() for outcome in self.intended],
            "candidates": [fate.as_dict() for fate in self.fates],
            "churn": self.churn,
            "policy_version": self.policy_version,
            "judged_customer": self.judged_customer,
            **self.logged,
        }

    def to_bytes(self) -> bytes:
        return orjson.dumps(self.as_dict(), option=orjson.OPT_SERIALIZE_NUMPY)
