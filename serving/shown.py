"""Decisions and contacts as clients see them."""

from collections.abc import Mapping
from typing import Any

from features import clock
from serving.decisions.customer import Contact

#: Of a decision from before there were these arms.
NO_ARMS = {"experiment": None, "cap_level": None, "challenger": False}


def decision(logged: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a client, from a decision as logged: all but the random draw and the feature vector.

    What the first slot holds stands at the top, `slots` holds all of them; logs of older versions lack the newer keys.
    """
    dry = logged.get("dry_run", False)
    first = _slot(logged)
    return {
        "decision_id": logged["decision_id"],
        "request_id": logged["request_id"],
        "customer_id": logged["customer_id"],
        "channel": logged["channel"],
        "direction": logged["direction"],
        "at": logged["at"],
        **first,
        "slots": _slots(logged, first),
        "deferred_to": logged.get("deferred_to"),
        "agent": logged.get("agent"),
        "arm": logged["arm"],
        "arms": NO_ARMS | {"holdout": logged["arm"]} | (logged.get("arms") or {}),
        "churn": logged["churn"],
        "candidates": logged["candidates"],
        "distribution": logged["distribution"],
        "dry_run": dry,
        "versions": {
            "policy": logged["policy_version"],
            "catalogue": logged["catalogue_version"],
            "models": logged["models"],
        },
    }


def _slot(logged: Mapping[str, Any]) -> dict[str, Any]:
    reasons = [logged["reason"]]
    if logged["action"] is None:
        reasons += sorted({fate["reason"] for fate in logged["candidates"] if fate["stage"] in ("guard", "score")})
    return {
        "action": logged["action"],
        "action_channel": logged["treatment_channel"],
        "reasons": reasons,
        "says": logged.get("says"),
        "contact_id": logged["contact_id"],
        "expires_at": logged["expires_at"],
        "claimed": False,
    }


def _slots(logged: Mapping[str, Any], first: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each thing that was asked for; the fates and the distribution of the first are the answer's own."""
    names = [placement["name"] for placement in logged.get("placements", ())]
    more = logged.get("more_slots", ())
    found = [{"placement": names[0] if names else None, **first}]
    for number, slot in enumerate(more, start=1):
        found.append(
            {
                "placement": names[number] if names else None,
                **_slot(slot),
                "candidates": slot["candidates"],
                "distribution": slot["distribution"],
            }
        )
    return found


def churn(answer: Mapping[str, Any]) -> str:
    """The probability that the customer leaves, for people, where the answer has one."""
    stated = "" if "churn" in answer["versions"]["models"] else " (stated in contact_policy.yaml: there is no model)"
    return f"churn {answer['churn']:.3f}{stated}"


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
        "respond_by": None if found.respond_by is None else clock.isoformat(found.respond_by),
        "breach": found.breach,
    }
