"""Candidates on the asked channel, and the rules that say whether they are eligible, applicable and suitable."""

from collections.abc import Iterable

from serving.decisions.decision import Candidate, Stage
from serving.decisions.policy import Actions
from serving.decisions.rules import Facts

STAGES: tuple[Stage, ...] = ("eligible", "applicable", "suitable")


def candidates(actions: Actions, channel: str | None) -> list[Candidate]:
    """Every treatment on `channel`, or on any channel where none is named, in the order of the file."""
    return [
        Candidate(action, name)
        for action in actions.actions
        for name in action.channels
        if channel is None or name == channel
    ]


def refusals(considered: Iterable[Candidate], facts: Facts) -> dict[str, tuple[Stage, str]]:
    """The first stage that refuses, and why, by action name; rules are about the action, not its channel."""
    found: dict[str, tuple[Stage, str]] = {}
    asked: set[str] = set()
    for candidate in considered:
        action = candidate.action
        if action.name in asked:
            continue
        asked.add(action.name)
        for stage in STAGES:
            rule = getattr(action, stage)
            if rule is not None and (why := facts.refusal(rule)) is not None:
                found[action.name] = stage, f"not {stage}: {why}"
                break
    return found
