"""Decisions and contacts as clients see them."""

from collections.abc import Mapping
from typing import Any

from features import clock
from serving.decisions.customer import Contact


def decision(logged: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a client, from a decision as logged: all but the random draw and the feature vector."""
    refusals = sorted({fate["reason"] for fate in logged["candidates"] if fate["stage"] in ("guard", "score")})
    return {
        "decision_id": logged["decision_id"],
        "request_id": logged["request_id"],
        "customer_id": logged["customer_id"],
        "channel": logged["channel"],
        "direction": logged["direction"],
        "at": logged["at"],
        "action": logged["action"],
        "action_channel": logged["treatment_channel"],
        "reasons": [logged["reason"], *(refusals if logged["action"] is None else [])],
        "contact_id": logged["contact_id"],
        "expires_at": logged["expires_at"],
        "arm": logged["arm"],
        "churn": logged["churn"],
        "candidates": logged["candidates"],
        "distribution": logged["distribution"],
        "versions": {
            "policy": logged["policy_version"],
            "catalogue": logged["catalogue_version"],
            "models": logged["models"],
        },
    }


def contact(found: Contact) -> dict[str, Any]:
    """Where a contact stands."""
    return {
        "contact_id": found.contact_id,
        "decision_id": found.decision_id,
        "customer_id": found.customer_id,
        "action": found.action,
        "channel": found.channel,
        "state": found.state,
        "reserved_at": clock.isoformat(found.reserved_at),
        "expires_at": clock.isoformat(found.expires_at),
        "claimed_at": None if found.touched_at is None else clock.isoformat(found.touched_at),
        "closed_at": None if found.closed_at is None else clock.isoformat(found.closed_at),
        "breach": found.breach,
    }
