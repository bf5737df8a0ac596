"""A nudge is a decision about one action: asked under an id of its own, so that one occasion is answered once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from features import clock
from features.hashing import hash_string
from serving.decisions.decision import Decision
from serving.decisions.policy import Action
from serving.decisions.request import Request
from serving.engine import deciding
from serving.engine.waiting import done
from serving.store.protocol import Outgoing

if TYPE_CHECKING:
    from serving.engine import Engine


@dataclass(frozen=True)
class Nudge:
    """An action whose trigger went off at `occasion`; `turn` counts how often it was put off before."""

    customer_id: str
    action: str
    kind: str
    occasion: int
    turn: int = 0

    @property
    def request_id(self) -> str:
        """Says nothing of the customer: request ids may be shown where customers may not."""
        content = f"{self.customer_id}\0{self.action}\0{self.occasion}"
        return f"nudge-{hash_string(content):016x}-{self.turn}"

    def again(self) -> "Nudge":
        return replace(self, turn=self.turn + 1)

    def as_dict(self) -> dict[str, Any]:
        return {"action": self.action, "kind": self.kind, "occasion": self.occasion, "turn": self.turn}

    @classmethod
    def of(cls, entry: Outgoing) -> "Nudge":
        """One that was put off."""
        told = entry.body
        return cls(entry.customer_id, told["action"], told["kind"], told["occasion"], told["turn"])


@dataclass(frozen=True)
class Result:
    """What became of a nudge: made (it is in the outbox), put off until an instant, or not made, and why.

    `fresh` is false where this turn had been answered before.
    """

    made: bool
    deferred_to: int | None
    reason: str
    fresh: bool = True

    @property
    def told(self) -> str:
        return "made" if self.made else "refused" if self.deferred_to is None else "deferred"


async def ask(engine: "Engine", nudge: Nudge, action: Action) -> Result:
    """Decides, with the contact in the outbox where it passes; what the policy defers is put off, at most by the
    trigger's own `again`. Asked once more about the same turn it does nothing new."""
    engine.check_ready()
    request = Request(
        customer_id=nudge.customer_id,
        decision_id=deciding.new_id(engine),
        direction="outbound",
        request_id=nudge.request_id,
        only=nudge.action,
    )
    logged = await deciding.answered(engine, request, dict, lambda decision: _to_outbox(decision, nudge))
    later = _deferred(logged)
    made, fresh = logged["contact_id"] is not None, logged["decision_id"] == request.decision_id
    if made or later is None:
        return Result(made, None, logged["reason"], fresh)
    gap = action.trigger.gap if action.trigger is not None else 0
    if later >= nudge.occasion + gap:
        return Result(False, None, "the next allowed moment is too late for it", fresh)
    following = nudge.again()
    entry = Outgoing(following.request_id, nudge.customer_id, None, following.as_dict(), later)
    await done(engine.store.outbox_add([entry]))
    return Result(False, later, logged["reason"], fresh)


def _to_outbox(decision: Decision, nudge: Nudge) -> Decision:
    """With what the channel is given. A ghost counts as made: its effect is being measured."""
    slot = decision.slots[0]
    if slot.contact is None:
        return decision
    body: dict[str, Any] = {"trigger": nudge.action, "kind": nudge.kind, "occasion": clock.isoformat(nudge.occasion)}
    if slot.chosen is not None:
        body |= {
            "action": slot.chosen.action.name,
            "title": slot.chosen.action.title,
            "channel": slot.chosen.channel,
            "says": slot.says,
            "reserved_at": clock.isoformat(slot.contact.reserved_at),
            "expires_at": clock.isoformat(slot.contact.expires_at),
        }
    return replace(decision, outbox=body)


def _deferred(logged: Mapping[str, Any]) -> int | None:
    later = logged.get("deferred_to")
    return None if later is None else clock.parse_instant(later)


def dumped(entry: Outgoing) -> dict[str, Any]:
    """An entry of the outbox as channels get it, by polling or by webhook."""
    return {
        "outbox_id": entry.outbox_id,
        "contact_id": entry.contact_id,
        "decision_id": entry.decision_id,
        "customer_id": entry.customer_id,
        **entry.body,
        "channel": entry.channel,
    }


def payload(entry: Outgoing) -> bytes:
    """The body of a webhook's call."""
    return orjson.dumps(dumped(entry))
