"""What two versions of the policy files differ in, and of which differences a log can say what they would do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from serving.decisions.policy import Action, ContactPolicy, Playbook

#: Of contact_policy.yaml: what a logged decision can be judged by again, and what changes no answer.
JUDGED = ("caps", "pressure", "holdout", "withholding", "exploration", "maturity", "experiment", "cap_levels",
          "increment", "harm")  # fmt: skip
IDLE = ("on_cap",)
#: Of an action in actions.yaml.
ACTION_JUDGED = ("value", "lever", "valid", "channels")
ACTION_IDLE = ("title", "objective", "says", "trigger")
TREATMENT_JUDGED = ("cost", "weight")


@dataclass(frozen=True)
class Change:
    """One difference: `key` as in the file, both values as text, and why the log cannot judge it (None: it can)."""

    key: str
    before: str
    after: str
    why_not: str | None = None

    def __str__(self) -> str:
        return f"`{self.key}`: {self.before} -> {self.after}"


def changes(before: Playbook, after: Playbook) -> list[Change]:
    """All of them, those of contact_policy.yaml first."""
    return [*_of_policy(before.policy, after.policy), *_of_actions(before, after)]


def _of_policy(before: ContactPolicy, after: ContactPolicy) -> Iterator[Change]:
    for name in ContactPolicy.model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if name == "caps":
            yield from _of_caps(before, after)
            continue
        known = name in JUDGED or name in IDLE
        why = None if known else "the log does not hold what this rule would have been asked about"
        yield Change(name, _text(old), _text(new), why)


def _of_caps(before: ContactPolicy, after: ContactPolicy) -> Iterator[Change]:
    old, new = ([cap.label for cap in policy.caps] for policy in (before, after))
    gone, fresh = [each for each in old if each not in new], [each for each in new if each not in old]
    for n in range(max(len(gone), len(fresh))):
        yield Change("caps", gone[n] if n < len(gone) else "no such cap", fresh[n] if n < len(fresh) else "no such cap")


def _of_actions(before: Playbook, after: Playbook) -> Iterator[Change]:
    old, new = before.actions.by_name, after.actions.by_name
    for name, action in new.items():
        if name not in old:
            yield Change(f"actions.{name}", "unknown", "offered", "the log never tried it")
        else:
            yield from _of_action(old[name], action)
    for name in old:
        if name not in new:
            yield Change(f"actions.{name}", "offered", "gone")


def _of_action(before: Action, after: Action) -> Iterator[Change]:
    for field in Action.model_fields:
        old, new = getattr(before, field), getattr(after, field)
        key = f"actions.{after.name}.{field}"
        if field == "channels":
            yield from _of_treatments(before, after)
        elif old != new:
            idle = field in ACTION_IDLE and _left_to_trigger(before) == _left_to_trigger(after)
            known = idle or field in ACTION_JUDGED
            yield Change(key, _text(old), _text(new), None if known else "the log does not hold what this would change")


def _left_to_trigger(action: Action) -> bool:
    return action.trigger is not None and action.trigger.only


def _of_treatments(before: Action, after: Action) -> Iterator[Change]:
    for channel, treatment in after.channels.items():
        key = f"actions.{after.name}.channels.{channel}"
        if channel not in before.channels:
            yield Change(key, "not offered there", "offered there", "the log never tried it")
            continue
        for field in type(treatment).model_fields:
            old, new = getattr(before.channels[channel], field), getattr(treatment, field)
            if old != new:
                why = None if field in TREATMENT_JUDGED else "the models were not asked with this"
                yield Change(f"{key}.{field}", _text(old), _text(new), why)
    for channel in before.channels:
        if channel not in after.channels:
            yield Change(f"actions.{after.name}.channels.{channel}", "offered there", "not offered there")


def _text(value: Any) -> str:
    """A value as one would write it in the file, on one line."""
    if value is None:
        return "none"
    plain = value.model_dump(exclude_defaults=True) if hasattr(value, "model_dump") else value
    text = str(plain) if plain != {} else "the defaults"
    return text if len(text) <= 80 else text[:77] + "..."
