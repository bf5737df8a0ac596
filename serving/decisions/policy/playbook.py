"""Both files as one decision sees them, with what many decisions share worked out once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from serving.decisions.language import BUILT_IN, Language
from serving.decisions.policy.actions import Action, Actions
from serving.decisions.policy.contact_policy import ContactPolicy
from serving.decisions.rules import Needs, compiled

#: The rules of an action, in the order in which they are asked.
RULES = ("eligible", "applicable", "suitable")


@dataclass(frozen=True)
class Playbook:
    """Both files, read and checked together. Here every action has the purpose that the policy gives it."""

    actions: Actions
    policy: ContactPolicy
    languages: Mapping[str, Language] = field(default_factory=lambda: BUILT_IN, compare=False)
    #: What decisions work out once for these files.
    memo: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if all(action.purpose == self.policy.purpose(action) for action in self.actions.actions):
            return
        meant = [action.model_copy(update={"purpose": self.policy.purpose(action)}) for action in self.actions.actions]
        object.__setattr__(self, "actions", Actions.model_construct(actions=meant))

    @cached_property
    def version(self) -> str:
        """Changes with every change of meaning in either file; it is on every decision."""
        return hashlib.sha256(f"{self.actions.version} {self.policy.version}".encode()).hexdigest()[:12]

    @cached_property
    def needs(self) -> Needs:
        """What the rules of all actions ask for; the rest of what is known need not be looked up."""
        texts = [text for action in self.actions.actions for rule in RULES if (text := getattr(action, rule))]
        return Needs.all(compiled(text).needs for text in texts)

    @cached_property
    def reveals(self) -> bool:
        """Whether any action shows what we know."""
        return any(action.reveals for action in self.actions.actions)

    @cached_property
    def spans(self) -> dict[str, tuple[int | None, int | None]]:
        """[from, to) of every action by name, in microseconds UTC; None is open."""
        return {action.name: action.valid.span(self.policy.zone) for action in self.actions.actions}

    def valid(self, action: Action, now: int) -> bool:
        """Whether `now` lies in the action's [from, to)."""
        start, end = self.spans[action.name]
        return (start is None or start <= now) and (end is None or now < end)
