"""Contradictions in two files that are each well formed: what no customer can ever get, and what never matters.

A finding is certain and worth a change; a note says what a marketer may not expect and is often meant so.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from features.sensitive import is_sensitive, sensitive_topics
from features.workspace import Settings
from serving.decisions.policy.actions import Action
from serving.decisions.policy.caps import Cap
from serving.decisions.policy.contact_policy import ContactPolicy
from serving.decisions.policy.impossible import Room, impossible
from serving.decisions.policy.moot import makes_moot, moot, never_binds
from serving.decisions.policy.playbook import RULES, Playbook
from serving.decisions.rules import compiled

KNOWN = {"scores": ("churn",), "request": ("channel", "direction", "customer_id"), "journey": ("stage",)}


@dataclass(frozen=True)
class Finding:
    """One line: which file, which key, what is wrong and what to do."""

    file: Literal["actions", "policy"]
    key: str
    text: str
    note: bool = False


def check(book: Playbook, settings: Settings, features: Collection[str], now: int) -> list[Finding]:
    """Everything that is found, in the order of the files; `features` are the catalogue's names."""
    found: list[Finding] = []
    for i, action in enumerate(book.actions.actions):
        found.extend(Finding("actions", f"actions.{i}{key}", text) for key, text in _action(action, book, now))
        found.extend(Finding("actions", f"actions.{i}.{key}", text) for key, text in _rules(action, settings, features))
        found.extend(Finding("actions", f"actions.{i}.{key}", text) for key, text in _journey(action, settings))
    found.extend(Finding("policy", key, text) for key, text in _policy(book, settings))
    found.extend(Finding("policy", key, text, note=True) for key, text in _notes(book))
    return found


def _action(action: Action, book: Playbook, now: int) -> Iterator[tuple[str, str]]:
    """Why nobody ever gets an action, whatever they are like."""
    name, policy = action.name, book.policy
    start, end = book.spans[name]
    if start is not None and end is not None and start >= end:
        yield ".valid", f"{name} is offered from {action.valid.start} to {action.valid.end}, which is never; swap them"
    elif end is not None and end <= now:
        yield ".valid", f"{name} was offered until {action.valid.end}, which is over; move it or remove the action"
    if action.volume == 0:
        yield ".volume", f"{name} has a volume of 0, so nobody gets it; remove the action, or the volume"
    if all(t.weight * action.value * action.lever <= t.cost for t in action.channels.values()):
        text = "is worth no more than it costs on any channel even if everyone responds, so silence always wins"
        yield "", f"{name} {text}; state its value"
    if action.exempt is None:
        none = [cap for cap in policy.caps if cap.max == 0]
        blocks = [next((cap for cap in none if _holds(cap, action, channel)), None) for channel in action.channels]
        if blocks and all(cap is not None for cap in blocks):
            labels = ", ".join(dict.fromkeys(cap.label for cap in blocks if cap is not None))
            yield "", f"no customer can ever be contacted with {name}: {labels}; lift the cap or remove the action"
        pressure = policy.pressure
        if pressure is not None and all(pressure.weight(channel) > pressure.limit for channel in action.channels):
            yield "", f"one contact with {name} weighs more than the whole of `pressure.limit` on each of its channels"


def _holds(cap: Cap, action: Action, channel: str) -> bool:
    """Whether a cap counts contacts with this action on this channel."""
    own: dict[str, list[str]] = {
        "channel": [channel],
        "issue": [action.issue],
        "group": [action.group],
        "action": [action.name],
        "tag": action.tags,
    }
    return cap.scope == "total" or (cap.name in own[cap.scope] if cap.name else bool(own[cap.scope]))


def _rules(action: Action, settings: Settings, features: Collection[str]) -> Iterator[tuple[str, str]]:
    """Rules that look at what is not there, and rules that nobody satisfies."""
    known: dict[str, Collection[str]] = {**KNOWN, "features": features}
    written = {rule: text for rule in RULES if (text := getattr(action, rule)) is not None}
    for rule, text in written.items():
        for variable, name in sorted(compiled(text).needs.names):
            if variable in known and name not in known[variable]:
                there = "`tactful features list` has them all" if variable == "features" else ", ".join(KNOWN[variable])
                yield rule, f"{action.name} asks for {variable}.{name}, which does not exist; {there}"
    domains = {
        "scores.churn": Room(0.0, 1.0),
        "request.channel": Room(among=(*settings.channels, None)),
        "request.direction": Room(among=("inbound", "outbound"), null=False),
        "journey.stage": Room(among=(*(action.stages or settings.journey.stages), None), null=not action.stages),
    }
    culprit = impossible((compiled(text).tree for text in written.values()), domains)
    if culprit is not None:
        rules = " and ".join(f"`{rule}`" for rule in written)
        text = "is never true" if culprit == "false" else f"leaves {culprit} no value at all"
        yield next(iter(written)), f"no customer can ever get {action.name}: {rules} {text}"


def _journey(action: Action, settings: Settings) -> Iterator[tuple[str, str]]:
    """Stages that the customers' journey does not have, and signals that may never be shown."""
    stages, hidden = settings.journey.stages, sensitive_topics(settings)
    asked = [("stages", stage) for stage in action.stages]
    if action.trigger is not None and action.trigger.stage is not None:
        asked.append(("trigger.stage", action.trigger.stage))
    if action.trigger is not None and action.trigger.stalled is not None:
        asked.append(("trigger.stalled", action.trigger.stalled.stage))
    for key, stage in asked:
        if stage not in stages:
            yield key, f"{action.name} waits for the stage {stage!r}; the journey has {', '.join(stages)}"
    for n, signal in enumerate(action.reveals):
        if is_sensitive(signal.topic, hidden):
            text = f"would show {signal.topic!r}, a sensitive topic, so it is always refused; remove it"
            yield f"reveals.{n}", f"{action.name} {text}"


def _policy(book: Playbook, settings: Settings) -> Iterator[tuple[str, str]]:
    policy = book.policy
    pressure = policy.pressure
    for channel in pressure.weights if pressure is not None and "weights" in pressure.model_fields_set else ():
        if channel not in settings.channels:
            known = ", ".join(settings.channels)
            yield f"pressure.weights.{channel}", f"{channel!r} is no channel here, so it never weighs; known: {known}"
    for i, j in moot(policy.caps):
        yield f"caps.{i}", f"{_label(policy.caps[i])} never matters: {_label(policy.caps[j])} always refuses first"
    for name in policy.exempt:
        if all(action.exempt != name for action in book.actions.actions):
            yield f"exempt.{name}", f"no action is of the class {name!r}; remove it or give an action `exempt: {name}`"
    quiet = policy.quiet
    if quiet is not None and (len(quiet.days) == 7 or quiet.span == (0, 24 * 60)):
        where = "anywhere" if quiet.channels is None else f"on {', '.join(quiet.channels)}"
        yield "quiet", f"the quiet hours and days cover the whole week: nobody is ever contacted {where}"
    if policy.holdout.share == 1.0:
        yield "holdout.share", "everyone is held out, so nothing is ever sold; 0.05 measures as well"
    if policy.withholding.share == 1.0:
        yield "withholding.share", "every selling action is withheld, so nothing is ever sold; 0.02 measures as well"
    if policy.challenger is not None and policy.challenger.share == 1.0:
        yield "challenger.share", "challengers decide for everyone, so nobody is left to compare with; 0.1 is enough"
    yield from _arms(policy)
    if policy.experiment is not None:
        idle = sum(arm.share for arm in policy.experiment.arms if arm.play == "nothing")
        if idle >= 1.0:
            yield "experiment.arms", "everyone is in an arm that plays nothing"


def _arms(policy: ContactPolicy) -> Iterator[tuple[str, str]]:
    """Arms that are drawn alike, or that take everyone before the challengers."""
    drawn = {"holdout": policy.holdout, "experiment": policy.experiment, "cap_levels": policy.cap_levels}
    salts = {name: part.salt for name, part in (drawn | {"challenger": policy.challenger}).items() if part is not None}
    for first, second in combinations(salts, 2):
        if salts[first] == salts[second]:  # whoever falls low in the one falls low in the other
            text = f"is that of `{first}`: the same customers are drawn, and shares are not as stated; write another"
            yield f"{second}.salt", text
    experiment, levels = policy.experiment, policy.cap_levels
    taken = [sum(arm.share for arm in experiment.arms) if experiment is not None else 0.0]
    taken.append(sum(level.share for level in levels.levels) if levels is not None else 0.0)
    if policy.challenger is not None and max(taken) >= 1.0 - 1e-9:
        yield "challenger", "decide for nobody: experiment or cap levels take everyone, challengers the rest of them"


def _notes(book: Playbook) -> Iterator[tuple[str, str]]:
    policy = book.policy
    for i, cap in enumerate(policy.caps):
        for other in policy.caps:
            if other is not cap and never_binds(other, cap) and not makes_moot(other, cap):
                text = f"{_label(cap)} binds only on contacts of other tools: {_label(other)} is reached first"
                yield f"caps.{i}", text
                break
    named = {name for action in book.actions.actions for name in (action.issue, action.group)}
    for i, name in enumerate(policy.service if "service" in policy.model_fields_set else ()):
        if named and name not in named:
            known = ", ".join(sorted(named))
            yield f"service.{i}", f"no action has the issue or group {name!r}, so it names nothing; there are {known}"
    used = {channel for action in book.actions.actions for channel in action.channels}
    closed = sorted(used - set(policy.consent.assumed)) if policy.consent.unknown == "denied" else []
    if closed:
        yield "consent", f"contacts on {', '.join(closed)} wait until the customer says yes there"
    local = policy.quiet is not None or any(cap.calendar for cap in policy.caps)
    if local and policy.unknown_zone == "refuse":
        yield "unknown_zone", "who has no `time_zone` attribute is not contacted, as hours and days are the customer's"


def _label(cap: Cap) -> str:
    return f"`{cap.label}`"
