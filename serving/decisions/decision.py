"""A decision as data: the request, each candidate's fate, the distribution drawn from, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import orjson

from features import clock
from features.frozen import quickly_made
from serving.decisions.candidate import Candidate, Propensity, Scores
from serving.decisions.customer import Contact
from serving.decisions.fate import Factors, Fate, Outcome, Stage, Trip
from serving.decisions.request import Direction, Placement, Request

__all__ = [
    "Candidate",
    "Decision",
    "Direction",
    "Factors",
    "Fate",
    "Outcome",
    "Placement",
    "Propensity",
    "Request",
    "Scores",
    "Slot",
    "Stage",
    "Trip",
]
SILENCE = None


@quickly_made
@dataclass(frozen=True)
class Slot:
    """One thing that was asked for, and what fills it. `chosen` None is silence, a proper answer.

    `distribution` is what the answer was drawn from by `uniform`; `intended`, for a held-out customer, what it would
    have been. `contact` is what the store is to insert: a reservation, or the ghost of a contact that was withheld.
    `says` is why, in words that the customer may be shown.
    """

    placement: Placement | None
    chosen: Candidate | None
    ghost: Candidate | None
    reason: str
    uniform: float
    distribution: tuple[Outcome, ...]
    intended: tuple[Outcome, ...] | None
    fates: tuple[Fate, ...]
    contact: Contact | None = None
    says: str | None = None

    @property
    def reservation(self) -> Contact | None:
        return self.contact if self.chosen is not None else None

    def as_dict(self) -> dict[str, Any]:
        reserved = self.reservation
        return {
            "action": self.chosen.action.name if self.chosen else None,
            "treatment_channel": self.chosen.channel if self.chosen else None,
            "ghost": self.ghost.action.name if self.ghost else None,
            "ghost_channel": self.ghost.channel if self.ghost else None,
            "reason": self.reason,
            "says": self.says,
            "contact_id": reserved.contact_id if reserved else None,
            "expires_at": clock.isoformat(reserved.expires_at) if reserved else None,
            "uniform": self.uniform,
            "distribution": [outcome.as_dict() for outcome in self.distribution],
            "intended": None if self.intended is None else [outcome.as_dict() for outcome in self.intended],
            "candidates": [fate.as_dict() for fate in self.fates],
        }


@quickly_made
@dataclass(frozen=True)
class Decision:
    """One answered request: a slot for each thing that was asked for, mostly one; `chosen` and the like are its own.

    `judged_customer` is the id that whoever was asked for goes by, `arm_id` the one that their arms are drawn by.
    `arms`: holdout (treated or holdout), experiment (the arm's name or None), cap_level (its factor or None),
    challenger (whether the challenger models are to decide).
    `deferred_to` is the next allowed moment, where only rules that pass by themselves stood in the way and the policy
    defers. `agent` is what someone who talks to the customer should know. `outbox` is for the store (see its protocol).
    """

    request: Request
    at: int
    slots: tuple[Slot, ...]
    arm: Literal["treated", "holdout"]
    churn: float | None
    policy_version: str
    judged_version: int
    judged_customer: str
    arm_id: str
    arms: Mapping[str, Any]
    deferred_to: int | None = None
    agent: Mapping[str, Any] | None = None
    logged: Mapping[str, Any] = field(default_factory=dict)
    outbox: Mapping[str, Any] | None = None

    @property
    def decision_id(self) -> str:
        return self.request.decision_id

    @property
    def chosen(self) -> Candidate | None:
        return self.slots[0].chosen

    @property
    def ghost(self) -> Candidate | None:
        return self.slots[0].ghost

    @property
    def reason(self) -> str:
        return self.slots[0].reason

    @property
    def uniform(self) -> float:
        return self.slots[0].uniform

    @property
    def distribution(self) -> tuple[Outcome, ...]:
        return self.slots[0].distribution

    @property
    def intended(self) -> tuple[Outcome, ...] | None:
        return self.slots[0].intended

    @property
    def fates(self) -> tuple[Fate, ...]:
        return self.slots[0].fates

    @property
    def says(self) -> str | None:
        return self.slots[0].says

    @property
    def contact(self) -> Contact | None:
        """The reservation of the first slot."""
        return self.slots[0].reservation

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """All reservations and ghosts, which the store inserts by compare-and-swap on `judged_version`."""
        return tuple(slot.contact for slot in self.slots if slot.contact is not None)

    def as_dict(self) -> dict[str, Any]:
        """The whole decision, as logged: enough to replay it. `more_slots` are those after the first."""
        return dict(self._document)

    @cached_property
    def _document(self) -> dict[str, Any]:
        """Put together once: it is logged, and then answered."""
        return {
            "decision_id": self.decision_id,
            **self.request.as_dict(),
            "at": clock.isoformat(self.at),
            **self.slots[0].as_dict(),
            "arm": self.arm,
            "churn": self.churn,
            "policy_version": self.policy_version,
            "judged_customer": self.judged_customer,
            "judged_version": self.judged_version,
            "arm_id": self.arm_id,
            "arms": dict(self.arms),
            "deferred_to": None if self.deferred_to is None else clock.isoformat(self.deferred_to),
            "agent": self.agent,
            "more_slots": [slot.as_dict() for slot in self.slots[1:]],
            **self.logged,
        }

    def to_bytes(self) -> bytes:
        return orjson.dumps(self._document, option=orjson.OPT_SERIALIZE_NUMPY)
