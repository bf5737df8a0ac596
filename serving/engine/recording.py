"""What happened, as told by channels and other systems: interactions, attributes, links of identifiers, outcomes."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from features import clock
from serving import intake, outcomes
from serving.engine.waiting import Answer, available, done, field
from serving.problems import Problem, invalid
from serving.schemas import OutcomeRequest

if TYPE_CHECKING:
    from serving.engine.engine import Engine


async def record(engine: "Engine", rows: Sequence[Any]) -> Answer:
    """received = accepted + duplicates + quarantined; what is accepted or quarantined is on disk."""
    now = engine.clock.now()
    erased = await _erased(engine, intake.named(rows, "customer_id"))
    taken, refused = intake.check(rows, engine.workspace.settings.channels, now, erased)
    await _keep(engine, refused, now)
    accepted = 0
    if taken:
        receipt = await done(engine.store.record(taken))
        accepted = receipt.accepted
        engine.nudger.arrived(row["customer_id"] for row, new in zip(taken, receipt.fresh, strict=True) if new)
    return _receipt(refused, len(taken), accepted, "interaction_id")


async def record_attributes(engine: "Engine", rows: Sequence[Any]) -> Answer:
    """The same for records of customer attributes."""
    now = engine.clock.now()
    taken, refused = intake.check_attributes(rows, now, await _erased(engine, intake.named(rows, "customer_id")))
    await _keep(engine, refused, now)
    accepted = (await done(engine.store.record_attributes(taken))).accepted if taken else 0
    return _receipt(refused, len(taken), accepted, "customer_id")


async def record_links(engine: "Engine", rows: Sequence[Any]) -> Answer:
    """The same for links of identifiers; who is who from the next reading on."""
    now = engine.clock.now()
    erased = await _erased(engine, intake.named(rows, "customer_id", "identifier"))
    taken, refused = intake.check_links(rows, engine.workspace.settings, now, erased)
    await _keep(engine, refused, now)
    accepted = (await done(engine.store.record_links(taken))).accepted if taken else 0
    return _receipt(refused, len(taken), accepted, "identifier")


def _receipt(refused: Sequence[intake.Refused], taken: int, accepted: int, key: str) -> Answer:
    """received = accepted + duplicates + quarantined; `key` names a refused row."""
    return {
        "received": taken + len(refused),
        "accepted": accepted,
        "duplicates": taken - accepted,
        "quarantined": len(refused),
        "quarantine": [row.as_dict(key) for row in refused],
    }


async def _keep(engine: "Engine", refused: Sequence[intake.Refused], now: int) -> None:
    """On disk in quarantine on return."""
    if refused:
        with available():
            await asyncio.to_thread(intake.keep, engine.workspace.quarantine, refused, now)


async def outcome(engine: "Engine", told: OutcomeRequest) -> Answer:
    """An outcome is an interaction that carries the decision it came from."""
    found = await engine.aside(engine.store.decision, told.decision_id)
    if found is None:
        raise Problem("not-found", f"no decision {told.decision_id!r} was made here")
    decision = orjson.loads(found)
    if told.outcome in ("sent", "failed"):
        raise Problem("conflict", f"report it as POST /v1/contacts/{{contact_id}}/{told.outcome}")
    action, offered_on = _meant(decision, told.action)
    channel = told.channel or offered_on or decision["channel"]
    if channel is None:
        raise field("channel", "is missing", "the decision was silence on no channel: say where this happened")
    customer = (
        await engine.fetch(decision["customer_id"])
    ).customer  # an opt-out is not older than what we know already
    now = customer.now(max(engine.clock.now(), clock.parse_instant(decision["at"])))
    occurred_at = now if told.occurred_at is None else told.occurred_at
    problems = intake.misfits(channel, occurred_at, engine.workspace.settings.channels, now)
    if problems:
        raise invalid(problems)
    outcome_id = told.outcome_id or outcomes.outcome_id(
        told.decision_id, told.outcome, action, action == decision["action"]
    )
    whom = decision["customer_id"]
    row = outcomes.interaction(
        outcome_id, told.outcome, told.decision_id, whom, action, channel, occurred_at, now, told.value
    )
    receipt = await done(engine.store.record([row]))
    engine.nudger.arrived([whom])
    return {
        "outcome_id": outcome_id,
        "decision_id": told.decision_id,
        "customer_id": whom,
        "outcome": told.outcome,
        "accepted": receipt.accepted == 1,
    }


def _meant(decision: Mapping[str, Any], action: str | None) -> tuple[str | None, str | None]:
    """The action that an outcome is about and the channel it was offered on; Problem where the decision had no such."""
    slots = [decision, *decision.get("more_slots", ())]
    offered = {slot["action"]: slot["treatment_channel"] for slot in reversed(slots) if slot["action"] is not None}
    if action is None:
        return decision["action"], decision["treatment_channel"]
    if action not in offered:
        named = ", ".join(sorted(offered)) or "none: it was silence"
        raise field("action", f"{action!r} is none of the decision's", f"name one of them ({named}), or leave it out")
    return action, offered[action]


async def _erased(engine: "Engine", ids: Collection[str]) -> set[str]:
    """As the store knows, and as the workspace does: a store that was lost and made anew knows nobody's tombstone."""
    if not ids:
        return set()
    known = await engine.aside(engine.store.erased, ids)
    with available():
        return known | engine.graveyard.tombstones().named(ids)
