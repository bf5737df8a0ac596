"""What became of an action, as the interaction that says so."""

from typing import Any

#: Outcomes that say nothing about the customer coming to us.
_OURS = frozenset({"pending", "no_response"})


def outcome_id(decision_id: str, outcome: str, action: str | None, first: bool) -> str:
    """The same for whoever tells it, so that it is told once. `first`: of the decision's first slot."""
    return f"outcome:{decision_id}:{outcome}" + ("" if first else f":{action}")


def interaction(
    interaction_id: str,
    outcome: str,
    decision_id: str,
    customer_id: str,
    action: str | None,
    channel: str,
    occurred_at: int,
    received_at: int,
    value: float | None = None,
) -> dict[str, Any]:
    """A row of the contract that carries the decision it came from; instants in microseconds."""
    return {
        "interaction_id": interaction_id,
        "customer_id": customer_id,
        "occurred_at": occurred_at,
        "channel": channel,
        "direction": "outbound" if outcome in _OURS else "inbound",
        "type": outcome,
        "value": value,
        "topic": None,
        "case_id": None,
        "decision_id": decision_id,
        "action": action,
        "satisfaction": None,
        "identified": True,
        "provenance": "observed",
        "received_at": received_at,
        "attributes": None,
    }
