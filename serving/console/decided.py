"""One decision on a page: what was asked, what came of every candidate, by which rules, and what each was worth."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving.console.blocks import Block, Cell, Column, Fact, Facts, Link, Section, Table, Text, Verdict, href
from serving.console.past import Row
from serving.console.policy_words import human
from serving.console.refusals import refusal
from serving.console.timeline import STAGES, answer

FATES = (
    Column("Action"),
    Column("Channel"),
    Column("What became of it", "verdict"),
    Column("Why"),
    Column("Chance of being the answer", "percent"),
    Column("Worth", "signed_money", "expected value of making it"),
    Column("Response", "percent", "probability, as far as a model says"),
    Column("Caused", "percent", "share of customers that it moves"),
    Column("Passes", "instant", "when every rule would let it through"),
)


def section(logged: Row, titles: Mapping[str, str]) -> Section:
    """`logged` as the store keeps it, or as history has it."""
    asked = logged["channel"]
    facts = [
        Fact("Asked on", human(asked) if asked else "any channel"),
        Fact("Because", "the customer came to us" if logged["direction"] == "inbound" else "we would reach out"),
        Fact("At", logged["at"] if isinstance(logged["at"], str) else None, "instant"),
        Fact("Answer", answer(logged, titles)),
        Fact("Reason", logged["reason"] if logged["action"] is None else None),
        Fact("In words for the customer", logged.get("says")),
        Fact("Arm", "held out, to measure" if logged["arm"] == "holdout" else "treated"),
        Fact("Policy", Link(logged["policy_version"], href("policy", version=logged["policy_version"]))),
        Fact("Decision", logged["decision_id"]),
    ]
    blocks: list[Block] = [Facts([fact for fact in facts if fact.value is not None])]
    blocks.append(_fates("candidates", "Every candidate and its fate", logged["candidates"], titles))
    for number, slot in enumerate(logged.get("more_slots") or (), start=2):
        blocks.append(Text(f"Slot {number}: {answer(slot, titles)}."))
        blocks.append(_fates(f"candidates-{number}", f"Candidates of slot {number}", slot["candidates"], titles))
    return Section("decision", "One decision", blocks)


def _fates(name: str, title: str, fates: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> Table:
    rows = [_fate(fate, titles) for fate in sorted(fates, key=_order)]
    return Table(name, title, FATES, rows, empty="No action is offered on this channel.")


def _fate(fate: Mapping[str, Any], titles: Mapping[str, str]) -> Sequence[Cell]:
    factors = fate.get("factors") or {}
    stage = fate["stage"]
    return (
        Link(titles.get(fate["action"], human(fate["action"])), href("actions", fate["action"])),
        human(fate["channel"]),
        STAGES.get(stage, Verdict(stage)),
        "; ".join(_rules(fate)) or _reason(fate),
        fate["probability"],
        factors.get("expected_value"),
        factors.get("p"),
        factors.get("u"),
        fate.get("passes_at"),
    )


def _reason(fate: Mapping[str, Any]) -> str | None:
    """In words, where it says more than the chip beside it."""
    said, stage = fate["reason"], fate["stage"]
    return None if said in (stage, STAGES.get(stage, Verdict(stage)).words) else said


def _rules(fate: Mapping[str, Any]) -> list[str]:
    """Every rule that refused it, in words."""
    return [refusal(each["rule"], each["text"]) for each in fate.get("suppressed_by") or ()]


def _order(fate: Mapping[str, Any]) -> tuple[object, ...]:
    """What was chosen first, then the likeliest and most valuable."""
    worth = (fate.get("factors") or {}).get("expected_value")
    first = fate["stage"] not in ("chosen", "withheld")
    return first, -(fate["probability"] or 0.0), worth is None, -(worth or 0.0), fate["action"], fate["channel"]
