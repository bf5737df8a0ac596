"""actions.yaml: what we can offer or do, on which channels, to whom, and when by itself."""

from datetime import UTC, date, datetime
from functools import cached_property
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from features import clock
from features.workspace import Section
from serving.decisions.policy.durations import Attributes, Count, Name, Rule, Window, micros
from serving.decisions.policy.hashing import fingerprint
from serving.decisions.policy.triggers import Trigger


def _by_channel(given: Any) -> Any:
    """`[email, web]` is short for `{email: {}, web: {}}`, and an empty treatment may be left blank."""
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        return {name: {} for name in given}
    if isinstance(given, str):
        raise ValueError(f"write a list: [{given}]")  # noqa: TRY004
    if isinstance(given, dict):
        return {name: {} if treatment is None else treatment for name, treatment in given.items()}
    return given


def _day_or_instant(given: Any) -> Any:
    """YAML reads 2026-05-04 as a date by itself; both are kept as text, and checked."""
    text = given.isoformat() if isinstance(given, date) else given
    if isinstance(text, str):
        clock.parse_instant(text)
    return text


Moment = Annotated[str, BeforeValidator(_day_or_instant)]


class Treatment(Section):
    """An action on one channel: what it costs there, and how well the channel suits it (C)."""

    cost: float = Field(0.0, ge=0, description="money per contact or showing")
    weight: float = Field(1.0, ge=0, description="context weight C: above 1 favours this channel")
    attributes: Attributes = Field({})


class Signal(Section):
    """Something the customer did that an action shows we know of; each part left out means any."""

    type: str | None = Field(None, description="interaction type, e.g. purchase")
    topic: str | None = Field(None, description="what it was about")
    channel: str | None = Field(None, description="where it happened")
    text: str | None = Field(None, description="how to put it to the customer")

    @model_validator(mode="after")
    def _something(self) -> "Signal":
        if self.type is None and self.topic is None and self.channel is None:
            raise ValueError("a signal names at least one of type, topic, channel")
        return self


class Valid(Section):
    """From the first moment up to, not including, the last; a day without a time begins in the company's zone."""

    model_config = ConfigDict(populate_by_name=True)

    start: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")

    def span(self, zone: str = "UTC") -> tuple[int | None, int | None]:
        """[from, to) in microseconds UTC; None is open."""
        return _instant(self.start, zone), _instant(self.end, zone)


def _instant(text: str | None, zone: str) -> int | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text.strip())
    return clock.micros(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))


class Action(Section):
    """Something we can offer or do."""

    name: Name
    title: str | None = Field(None, description="what people read; the name where it is left out")
    issue: Name
    group: Name
    objective: Name | None = Field(None, description="the business goal it serves; reports count by it")
    purpose: Name = Field(
        "marketing", description="what consent is asked for; actions under `service` have `service` where left out"
    )
    tags: list[Name] = Field([], description="words that caps and slots may go by")
    channels: Annotated[dict[str, Treatment], BeforeValidator(_by_channel)] = Field(min_length=1)
    value: float = Field(0.0, ge=0, description="V: money an accepted offer is worth")
    lever: float = Field(1.0, ge=0, description="L: a business lever; 1 is neutral")
    exempt: Name | None = Field(None, description="a class of the contact policy that passes caps")
    valid: Valid = Field(Valid(), description="from and to: offered in [from, to)")
    volume: Count | None = Field(None, description="at most this many contacts a day, over all customers")
    response_window: Window = Field("7d", description="silence for this long after a contact is no response")
    stages: list[Name] = Field([], description="journey stages it fits; none named: all")
    reveals: list[Signal] = Field([], description="what it shows that we know of the customer")
    says: str | None = Field(None, description="why, in words for the customer, where the signals do not say it")
    trigger: Trigger | None = Field(None, description="when it comes up by itself")
    eligible: Rule | None = Field(None, description="CEL: may we")
    applicable: Rule | None = Field(None, description="CEL: does it fit now")
    suitable: Rule | None = Field(None, description="CEL: is it in the customer's interest")
    attributes: Attributes = Field({}, description="anything else the propensity model may use")

    @cached_property
    def response(self) -> int:
        """The response window in microseconds."""
        return micros(self.response_window)


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
        return fingerprint(self)
