"""What a new version of the policy changed: in sentences where it changed what is said, and line by line as written."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from serving.console import action_words, policy_words
from serving.decisions.policy import Playbook


@dataclass(frozen=True)
class Change:
    """Under one topic or action: sentences that no longer hold, and sentences that do now."""

    topic: str
    gone: tuple[str, ...]
    new: tuple[str, ...]


def changes(before: Playbook, after: Playbook, currency: str) -> list[Change]:
    """In the order of the policy, then actions by name."""
    old, new = _said(before, currency), _said(after, currency)
    found = []
    for topic in dict.fromkeys([*new, *old]):
        was, now = old.get(topic, ()), new.get(topic, ())
        gone, came = tuple(s for s in was if s not in now), tuple(s for s in now if s not in was)
        if gone or came:
            found.append(Change(topic, gone, came))
    return found


def lines(before: Mapping[str, str], after: Mapping[str, str]) -> Mapping[str, str]:
    """A unified diff of each file that changed, by its name."""
    found = {}
    for name in sorted({*before, *after}):
        was, now = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        if diff := "\n".join(difflib.unified_diff(was, now, "before", "after", lineterm="", n=2)):
            found[name] = diff
    return found


def _said(playbook: Playbook, currency: str) -> dict[str, tuple[str, ...]]:
    """Everything that is said of a version, by topic; an action's topic is its name, for titles may change."""
    said = {topic.name: topic.sentences for topic in policy_words.policy(playbook.policy, currency)}
    for action in sorted(playbook.actions.actions, key=lambda one: one.name):
        own = action_words.action(action, playbook.policy, currency)
        said[f"Action {action.name}"] = (f"Called “{action_words.title(action)}”.", *own)
    return said
