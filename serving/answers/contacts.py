"""Where a contact stands."""

from typing import Literal

from pydantic import ConfigDict

from serving.answers.common import AT, ID, Answer


class Contact(Answer):
    """Where a contact stands: reserved, claimed, sent, failed or expired.

    What was not answered by `respond_by` counts as no response; the window moves along with the claim.
    """

    contact_id: str
    decision_id: str
    customer_id: str
    action: str
    channel: str
    state: Literal["reserved", "claimed", "sent", "failed", "expired"]
    reserved_at: str
    expires_at: str
    claimed_at: str | None
    closed_at: str | None
    respond_by: str | None
    breach: bool

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "contact_id": "d-" + ID + ".1",
                    "decision_id": "d-" + ID,
                    "customer_id": "C1042",
                    "action": "winback_voucher",
                    "channel": "email",
                    "state": "claimed",
                    "reserved_at": AT,
                    "expires_at": "2026-05-05T18:30:00Z",
                    "claimed_at": "2026-05-04T18:31:00Z",
                    "closed_at": None,
                    "respond_by": "2026-05-11T18:31:00Z",
                    "breach": False,
                }
            ]
        }
    )
