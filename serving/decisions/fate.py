"""What becomes of a candidate: the rules that refused it, what it is worth, and how likely it was drawn."""

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


class Factors(NamedTuple):
    """Expected value = C x V x U x L - cost - harm.

    U is an increment: `learned`, or else P x share, the stated share of responses that would not have come anyway.
    `positives`: how many responses to this action the model of P learned from, None where nobody counted.
    `harm_learned`: harm is what a model says of this customer, not the policy's prior; said only where it is.
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
    harm_learned: bool = False

    def as_dict(self) -> dict[str, Any]:
        p, share, u, learned, c, v, lever, cost, harm, expected_value, positives, harm_learned = self
        found = {
            "p": p,
            "share": share,
            "u": u,
            "learned": learned,
            "c": c,
            "v": v,
            "lever": lever,
            "cost": cost,
            "harm": harm,
            "expected_value": expected_value,
            "positives": positives,
        }
        return found | {"harm_learned": True} if harm_learned else found


class Fate(NamedTuple):
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
        candidate, stage, reason, trips, passes_at, factors, probability = self
        action, channel = candidate.key
        found: dict[str, Any] = {
            "action": action,
            "channel": channel,
            "stage": stage,
            "reason": reason,
            "probability": probability,
        }
        if trips:
            found["suppressed_by"] = [trip.as_dict() for trip in trips]
            found["passes_at"] = None if passes_at is None else clock.isoformat(passes_at)
        if factors is not None:
            found["factors"] = factors.as_dict()
        return found


class Outcome(NamedTuple):
    """One cell of the distribution that the answer was drawn from. Silence has no action; a ghost is not made."""

    action: str | None
    channel: str | None
    ghost: bool
    probability: float

    def as_dict(self) -> dict[str, Any]:
        action, channel, ghost, probability = self
        return {"action": action, "channel": channel, "ghost": ghost, "probability": probability}
