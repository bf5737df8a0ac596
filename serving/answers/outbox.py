"""What waits to be sent, and what was taken over."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from serving.answers.common import AT, ID, Answer


class OutboxEntry(BaseModel):
    """A reserved contact for a channel to send: claim it, send it, report it. `says` is why, for the customer."""

    outbox_id: str
    position: int
    contact_id: str
    decision_id: str | None
    customer_id: str
    channel: str | None
    action: str
    title: str | None
    says: str | None
    trigger: str
    kind: str
    occasion: str
    reserved_at: str
    expires_at: str
    due_at: str
    tries: int


_ENTRY: dict[str, Any] = {
    "outbox_id": f"d-{ID}.1",
    "position": 17,
    "contact_id": f"d-{ID}.1",
    "decision_id": f"d-{ID}",
    "customer_id": "C1042",
    "channel": "email",
    "action": "basket_reminder",
    "title": "Your basket is waiting",
    "says": "You see this because you put shoes into your basket in May. Tell us if you would rather not.",
    "trigger": "basket_reminder",
    "kind": "abandoned",
    "occasion": AT,
    "reserved_at": AT,
    "expires_at": "2026-05-05T18:30:00Z",
    "due_at": AT,
    "tries": 0,
}


class Outbox(Answer):
    """What waits, oldest first. Ask for what comes behind with `after`; what is acknowledged is not shown again."""

    entries: list[OutboxEntry]
    after: int

    model_config = ConfigDict(json_schema_extra={"examples": [{"entries": [_ENTRY], "after": 17}]})


class Acknowledged(Answer):
    """`acknowledged` is false where it was before: twice is once."""

    outbox_id: str
    acknowledged: bool
