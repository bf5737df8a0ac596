"""What becomes of a candidate: the rules that refused it, what it is worth, and how likely it was drawn."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from features import clock
from serving.decisions.candidate import Candidate

Stage = Literal[
    "chosen",
    "withheld",
    "eligible",
    "applicable",
    "suitable",
    "guard",
    "score",
    "arbitration",
    "holdout",
    "experiment",
    "taken",
]


class Trip(NamedTuple):
    """A guard rule that refused: its name, plain words, and the earliest instant it passes (None: not by itself)."""

    rule: str
    text: str
    passes_at: int | None

    def as_dict(self) -> dict[str, Any]:
        at = None if self.passes_at is None else clock.isoformat(self.passes_at)
        return {"rule": self.rule, "text": self.text, "passes_at": at}


@dataclass(frozen=True, slots=True)
class Factors:
    """Expected value = C x V x U x L - cost - harm.

    U is an increment: `learned`, or else P x share, the stated share of responses that would not have come anyway.
    `positives`: how many responses to this action the model of P learned from, None where nobody counted.
    """

    p: float
    share: float
    u: float
    learned: bool
    c: float
    v: float
    lever: float
    cost: float
    harm: float
    expected_value: float
    positives: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "p": self.p,
            "share": self.share,
            "u": self.u,
            "learned": self.learned,
            "c": self.c,
            "v": self.v,
            "lever": self.lever,
            "cost": self.cost,
            "harm": self.harm,
            "expected_value": self.expected_value,
            "positives": self.positives,
        }


@dataclass(frozen=True)
class Fate:
    """What became of one candidate: chosen, or the first stage that refused it and why.

    `trips` are all guard rules that refuse it, `passes_at` the earliest instant at which none of them would; None where
    that never happens by itself.
    """

    candidate: Candidate
    stage: Stage
    reason: str
    trips: tuple[Trip, ...] = ()
    passes_at: int | None = None
    factors: Factors | None = None
    probability: float = 0.0

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
