"""What marketers decide: actions.yaml (what we can offer) and contact_policy.yaml (when we leave people alone).

Both are validated whole: a wrong key, a misspelt rule or an unknown channel is one line naming file, key and fix.
"""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, field_validator, model_validator

from features import clock
from features.workspace import Section, Workspace, WorkspaceError, read_yaml
from serving.decisions import rules

UNITS = {"m": clock.MINUTE, "h": clock.HOUR, "d": clock.DAY, "w": 7 * clock.DAY}
LONGEST = 400 * clock.DAY  # how far back a customer's state reaches


def micros(text: str) -> int:
    """Microseconds of a duration such as 90m, 12h, 7d or 2w; a day is 24 hours.

    >>> micros("7d") == 7 * 24 * 60 * 60 * 1_000_000
    True
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*([mhdw])\s*", text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write minutes, hours, days or weeks as 90m, 12h, 7d, 2w")
    length = int(match[1]) * UNITS[match[2]]
    if length > LONGEST:
        raise ValueError(f"{text!r} is longer than 400 days, which is as far back as a customer's state reaches")
    return length


def _duration(text: str) -> str:
    micros(text)
    return text


def _window(text: str) -> str:
    if micros(text) == 0:
        raise ValueError("must be longer than zero")
    return text


def _compiles(text: str) -> str:
    rules.compiled(text)
    return text


def _by_channel(given: Any) -> Any:
    """`[email, web]` is short for `{email: {}, web: {}}`, and an empty treatment may be left blank."""
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        return {name: {} for name in given}
    if isinstance(given, dict):
        return {name: {} if treatment is None else treatment for name, treatment in given.items()}
    return given


Duration = Annotated[str, AfterValidator(_duration)]
Window = Annotated[str, AfterValidator(_window)]
Rule = Annotated[str, AfterValidator(_compiles)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Scope = Literal["total", "channel", "issue", "group", "action"]
Attributes = dict[str, bool | float | str]


class Treatment(Section):
    """An action on one channel: what it costs there, and how well the channel suits it (C)."""

    cost: float = Field(0.0, ge=0, description="money per contact or showing")
    weight: float = Field(1.0, ge=0, description="context weight C: above 1 favours this channel")
    attributes: Attributes = Field({})


class Action(Section):
    """Something we can offer or do."""

    name: Name
    title: str | None = Field(None, description="what people read; the name where it is left out")
    issue: Name
    group: Name
    channels: Annotated[dict[str, Treatment], BeforeValidator(_by_channel)] = Field(min_length=1)
    value: float = Field(0.0, ge=0, description="V: money an accepted offer is worth")
    lever: float = Field(1.0, ge=0, description="L: a business lever; 1 is neutral")
    exempt: Name | None = Field(None, description="a class of the contact policy that passes caps")
    eligible: Rule | None = Field(None, description="CEL: may we")
    applicable: Rule | None = Field(None, description="CEL: does it fit now")
    suitable: Rule | None = Field(None, description="CEL: is it in the customer's interest")
    attributes: Attributes = Field({}, description="anything else the propensity model may use")


class Actions(Section):
    """actions.yaml."""

    actions: list[Action] = Field([])

    @field_validator("actions")
    @classmethod
    def _distinct(cls, actions: list[Action]) -> list[Action]:
        seen: set[str] = set()
        for action in actions:
            if action.name in seen:
                raise ValueError(f"names the action {action.name!r} twice; rename one of them")
            seen.add(action.name)
        return actions

    @cached_property
    def by_name(self) -> dict[str, Action]:
        return {action.name: action for action in self.actions}

    @cached_property
    def version(self) -> str:
        return _hash(self)


class Cap(Section):
    """At most `max` contacts with one customer in any `window`, over everything or by channel, issue, group, action."""

    scope: Scope
    name: str | None = Field(None, description="which channel, group ...; left out: each of them on its own")
    max: int = Field(ge=0)
    window: Window

    @model_validator(mode="after")
    def _total_is_nameless(self) -> "Cap":
        if self.scope == "total" and self.name is not None:
            raise ValueError("a cap with `scope: total` takes no `name`; remove it or choose another scope")
        return self

    @cached_property
    def length(self) -> int:
        """The window in microseconds."""
        return micros(self.window)

    @cached_property
    def label(self) -> str:
        """How this cap is named in answers: `cap channel email: 2 per 7d`."""
        return f"cap {self.scope}{' ' + self.name if self.name else ''}: {self.max} per {self.window}"


class AfterRejection(Section):
    action: Duration = Field("30d", description="rest of the action that was rejected")
    group: Duration = Field("7d", description="rest of the other actions of its group")


class CoolDown(Section):
    """How long we rest after a no."""

    after_rejection: AfterRejection = AfterRejection()
    actions: dict[str, Duration] = Field({}, description="another rest for these actions")
    groups: dict[str, Duration] = Field({}, description="another rest for the whole of these groups")
    after_complaint: Duration = Field("30d", description="no selling after a contact was complained about")


class Consent(Section):
    """What silence means. An explicit opt-out always wins."""

    unknown: Literal["denied", "granted"] = "denied"
    assumed: list[str] = Field([], description="channels where unknown counts as granted")
    inbound_unknown: Literal["denied", "granted"] = Field("denied", description="the customer came to us")


class OpenCase(Section):
    """An open complaint or service case suppresses selling on every channel."""

    suppresses: list[Literal["complaint", "case_opened"]] = Field(["complaint", "case_opened"])
    without_case: Duration = Field("14d", description="how long a complaint without a case_id counts as open")


class ExemptClass(Section):
    """A class of actions that passes caps."""

    counts: bool = Field(True, description="its contacts still count toward the caps of others")


class Holdout(Section):
    """Customers kept uncontacted, to measure the total. Sticky: the salt and the customer decide."""

    share: Share = 0.05
    salt: str = Field("tactful", min_length=1)


class Withholding(Section):
    """With this probability a drawn selling action is not made, and logged as a ghost."""

    share: Share = 0.02


class Exploration(Section):
    """With probability epsilon the draw is uniform among the survivors and silence."""

    epsilon: Share = 0.02


class Increment(Section):
    """U = P x this share of the responses that would not have come by themselves: stated, until it is learned."""

    default: Share = 0.2
    groups: dict[str, Share] = Field({})


class Harm(Section):
    """What one more contact is expected to cost through opt-out and complaint, in money; a stated prior.

    harm = (channels[channel] or contact) x (1 + rising x contacts in the last `recent`).
    """

    contact: float = Field(0.02, ge=0)
    channels: dict[str, Annotated[float, Field(ge=0)]] = Field({})
    rising: float = Field(0.5, ge=0)
    recent: Window = "7d"

    @cached_property
    def length(self) -> int:
        return micros(self.recent)


class Reservation(Section):
    expires: Window = Field("24h", description="an unclaimed contact gives its slot back after this")

    @cached_property
    def length(self) -> int:
        return micros(self.expires)


class Fallback(Section):
    """What to use where no propensity model can be asked."""

    propensity: Share | None = Field(None, description="none: an action that cannot be scored is refused")


class ContactPolicy(Section):
    """contact_policy.yaml."""

    caps: list[Cap] = Field([])
    cool_down: CoolDown = CoolDown()
    consent: Consent = Consent()
    service: list[str] = Field(["service"], description="issues or groups that help; all others are selling")
    open_case: OpenCase = OpenCase()
    exempt: dict[Name, ExemptClass] = Field({})
    not_contacts: list[str] = Field(
        ["failed", "bounced", "pending", "no_response", "receipt"],
        description="outbound interaction types that are no contact",
    )
    holdout: Holdout = Holdout()
    withholding: Withholding = Withholding()
    exploration: Exploration = Exploration()
    increment: Increment = Increment()
    harm: Harm = Harm()
    reservation: Reservation = Reservation()
    fallback: Fallback = Fallback()

    @cached_property
    def version(self) -> str:
        return _hash(self)

    @cached_property
    def reach(self) -> int:
        """How far back, in microseconds, the guard looks at contacts."""
        return max([cap.length for cap in self.caps] + [self.harm.length])

    def sells(self, action: Action) -> bool:
        """Everything is selling unless its issue or group is listed under `service`: unlisted fails closed."""
        return action.issue not in self.service and action.group not in self.service

    def counts(self, action: Action) -> bool:
        """Whether contacts of this action count toward caps."""
        return action.exempt is None or self.exempt[action.exempt].counts


@dataclass(frozen=True)
class Playbook:
    """Both files, read and checked together."""

    actions: Actions
    policy: ContactPolicy

    @cached_property
    def version(self) -> str:
        """Changes with every change of meaning in either file; it is on every decision."""
        return hashlib.sha256(f"{self.actions.version} {self.policy.version}".encode()).hexdigest()[:12]


def load(workspace: Workspace) -> Playbook:
    """Raises WorkspaceError where a file is wrong or the two do not fit each other or the workspace's channels."""
    actions = read_yaml(workspace.actions_file, Actions)
    policy = read_yaml(workspace.policy_file, ContactPolicy)
    problems = list(misfits(actions, policy, workspace.settings.channels))
    if problems:
        raise WorkspaceError("; ".join(f"{_file(workspace, at)}: `{key}`: {what}" for at, key, what in problems))
    return Playbook(actions, policy)


def misfits(actions: Actions, policy: ContactPolicy, channels: Collection[str]) -> list[tuple[str, str, str]]:
    """(file, key, problem) for each name that exists nowhere: a cap on `emial` would silently never bind."""
    known = {
        "channel": set(channels),
        "issue": {action.issue for action in actions.actions},
        "group": {action.group for action in actions.actions},
        "action": set(actions.by_name),
    }
    found = []

    def expect(kind: str, name: str, file: str, key: str) -> None:
        if name not in known[kind]:
            listed = ", ".join(sorted(known[kind])) or "none yet"
            found.append((file, key, f"{name!r} is no known {kind}; known: {listed}"))

    for i, action in enumerate(actions.actions):
        for channel in action.channels:
            expect("channel", channel, "actions", f"actions.{i}.channels")
        if action.exempt is not None and action.exempt not in policy.exempt:
            found.append(("actions", f"actions.{i}.exempt", f"{action.exempt!r} is not under `exempt` in the policy"))
    for i, cap in enumerate(policy.caps):
        if cap.name is not None:
            expect(cap.scope, cap.name, "policy", f"caps.{i}.name")
    for kind, key, names in (
        ("channel", "consent.assumed", policy.consent.assumed),
        ("channel", "harm.channels", policy.harm.channels),
        ("action", "cool_down.actions", policy.cool_down.actions),
        ("group", "cool_down.groups", policy.cool_down.groups),
        ("group", "increment.groups", policy.increment.groups),
    ):
        for name in names:
            expect(kind, name, "policy", key)
    return found


def _file(workspace: Workspace, which: str) -> Path:
    return workspace.actions_file if which == "actions" else workspace.policy_file


def _hash(model: BaseModel) -> str:
    text = json.dumps(model.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
