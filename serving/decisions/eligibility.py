"""Candidates for a slot, and the rules that say whether they are eligible, applicable and suitable."""

from collections.abc import Iterable
from typing import NamedTuple

from features import clock
from serving.decisions.candidate import Candidate
from serving.decisions.fate import Stage
from serving.decisions.policy import Action, Actions, Playbook
from serving.decisions.request import Placement, Request
from serving.decisions.rules import Compiled, Facts, Plain, compiled, together

STAGES: tuple[Stage, ...] = ("eligible", "applicable", "suitable")


class Screen(NamedTuple):
    """What the files say of one action: offered in [start, end), for which stages of the journey, its rules in the
    order in which they are asked; no rule stands for whether the journey's stage fits."""

    start: int | None
    end: int | None
    stages: tuple[str, ...]
    checks: tuple[tuple[Stage, str, Compiled | None], ...]
    all: Plain | None  # all rules at once, where they can be asked without CEL


def candidates(actions: Actions, channel: str | None) -> list[Candidate]:
    """Every treatment on `channel`, or on any channel where none is named, in the order of the file."""
    return [
        Candidate(action, name)
        for action in actions.actions
        for name in action.channels
        if channel is None or name == channel
    ]


def offered(actions: Actions, channel: str | None) -> list[Candidate]:
    """Those of `candidates` that a decision considers by itself: without the actions that only their trigger brings
    up."""
    found = candidates(actions, channel)
    return [each for each in found if each.action.trigger is None or not each.action.trigger.only]


def considered(playbook: Playbook, request: Request, placement: Placement | None) -> list[Candidate]:
    """The treatments that a request asks about for one of its slots."""
    channel = request.channel
    if placement is not None and placement.channel is not None:
        channel = placement.channel
    found: list[Candidate] | None
    if request.only is not None:
        found = [each for each in candidates(playbook.actions, channel) if each.action.name == request.only]
    else:
        found = playbook.memo.get(("on", channel))
    if found is None:
        found = playbook.memo["on", channel] = offered(playbook.actions, channel)
    if placement is not None and placement.tags:
        wanted = set(placement.tags)
        found = [candidate for candidate in found if wanted.intersection(candidate.action.tags)]
    return found


def refusals(
    asked: Iterable[Candidate], facts: Facts, playbook: Playbook, now: int, stage: str | None = None
) -> dict[str, tuple[Stage, str]]:
    """The first rule that refuses, and why, by action name; rules are about the action, not its channel.

    `stage` is the customer's on their journey, None where they are in none.
    """
    found: dict[str, tuple[Stage, str]] = {}
    seen: set[str] = set()
    screens: dict[str, Screen] = playbook.memo.setdefault("screens", {})
    for candidate in asked:
        name = candidate.key[0]
        if name in seen:
            continue
        seen.add(name)
        screen = screens.get(name)
        if screen is None:
            screen = screens[name] = _screen(candidate.action, playbook)
        if (refused := _refusal(screen, facts, now, stage)) is not None:
            found[name] = refused
    return found


def _screen(action: Action, playbook: Playbook) -> Screen:
    checks: list[tuple[Stage, str, Compiled | None]] = []
    for name in STAGES:
        if name == "applicable" and action.stages:
            checks.append((name, "", None))
        if (text := getattr(action, name)) is not None:
            checks.append((name, text, compiled(text)))
    rules = [rule for _, _, rule in checks if rule is not None]
    return Screen(*playbook.spans[action.name], tuple(action.stages), tuple(checks), together(rules))


def _refusal(screen: Screen, facts: Facts, now: int, stage: str | None) -> tuple[Stage, str] | None:
    start, end, stages, checks, all_rules = screen
    if start is not None and now < start:
        return "eligible", f"not eligible: it is not offered before {clock.isoformat(start)}"
    if end is not None and now >= end:
        return "eligible", f"not eligible: it was offered until {clock.isoformat(end)}"
    if all_rules is not None and (not stages or stage in stages) and facts.sure(all_rules):
        return None
    for name, text, rule in checks:
        if rule is None:
            if stage not in stages:
                return name, f"not applicable: the customer is {_in(stage)}, and it fits {', '.join(stages)}"
        elif facts.answer(rule) is not True:
            return name, f"not {name}: {facts.refusal(text)}"
    return None


def _in(stage: str | None) -> str:
    return "in no stage of the journey" if stage is None else f"in the stage {stage}"
