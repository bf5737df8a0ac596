"""When we leave people alone: cool-downs after a no, quiet hours, consent, open cases, and signals not to be shown."""

import re
from functools import cached_property
from typing import Literal

from pydantic import Field, field_validator

from features.workspace import Section
from serving.decisions.policy.durations import Duration, Window, micros

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = re.compile(r"\s*([01]?[0-9]|2[0-3]):([0-5][0-9])\s*-\s*([01]?[0-9]|2[0-4]):([0-5][0-9])\s*")
MIDNIGHT = 24 * 60


class AfterRejection(Section):
    action: Duration = Field("30d", description="rest of the action that was rejected")
    group: Duration = Field("7d", description="rest of the other actions of its group")


class AfterIgnored(Section):
    """So many contacts in a row on a channel without a response, their response windows over: the channel rests."""

    count: int = Field(3, ge=1)
    rest: Duration = "14d"

    @cached_property
    def length(self) -> int:
        return micros(self.rest)


class LessOften(Section):
    """A customer who asked for less: caps are divided by this, rounded down, never below 1 where they were not."""

    factor: float = Field(2.0, ge=1, le=100)


class CoolDown(Section):
    """How long we rest after a no."""

    after_rejection: AfterRejection = AfterRejection()
    actions: dict[str, Duration] = Field({}, description="another rest for these actions")
    groups: dict[str, Duration] = Field({}, description="another rest for the whole of these groups")
    after_complaint: Duration = Field("30d", description="no selling after a contact was complained about")
    after_ignored: AfterIgnored | None = Field(None, description="the rest of a channel that is not listened to")
    less_often: LessOften = LessOften()


class Quiet(Section):
    """When nobody is contacted, on the customer's own clock and calendar."""

    hours: str | None = Field(
        None,
        description='from-to of the local day, e.g. "21:00-08:00"; may pass midnight',
        json_schema_extra={"pattern": f"^{HOURS.pattern}$"},
    )
    weekdays: list[Weekday] = Field([], description="whole local days of rest, e.g. [sat, sun]")
    holidays: bool = Field(False, description="public holidays are days of rest")
    country: str | None = Field(
        None, pattern=r"^[A-Z]{2}$", description="whose holidays, where the customer's own `country` is not known"
    )
    channels: list[str] | None = Field(None, description="only these channels; left out: every outbound contact")

    @field_validator("hours")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text is not None:
            match = HOURS.fullmatch(text)
            if match is None or _minutes(match[3], match[4]) > MIDNIGHT:
                raise ValueError(f'{text!r} are no hours; write them as "21:00-08:00"')
            if _minutes(match[1], match[2]) == _minutes(match[3], match[4]):
                raise ValueError(f"{text!r} begin when they end; for the whole day write 00:00-24:00")
        return text

    @cached_property
    def span(self) -> tuple[int, int] | None:
        """(from, to) in minutes of the local day; from > to passes midnight, to = 1440 is its end."""
        match = HOURS.fullmatch(self.hours) if self.hours is not None else None
        return None if match is None else (_minutes(match[1], match[2]), _minutes(match[3], match[4]))

    @cached_property
    def days(self) -> frozenset[int]:
        """Weekdays of rest, Monday is 0."""
        return frozenset(WEEKDAYS.index(day) for day in self.weekdays)

    def binds(self, channel: str) -> bool:
        return self.channels is None or channel in self.channels


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)


class Consent(Section):
    """What silence means. An explicit opt-out always wins."""

    unknown: Literal["denied", "granted"] = "denied"
    assumed: list[str] = Field([], description="channels where unknown counts as granted")
    inbound_unknown: Literal["denied", "granted"] = Field("denied", description="the customer came to us")
    purposes: bool = Field(True, description="look for consent to channel and purpose first, then channel, then all")


class OpenCase(Section):
    """An open complaint or service case suppresses selling on every channel."""

    suppresses: list[Literal["complaint", "case_opened"]] = Field(["complaint", "case_opened"])
    without_case: Duration = Field("14d", description="how long a complaint without a case_id counts as open")


class Signals(Section):
    """What an action that `reveals` something may rest on, so that nobody feels watched."""

    minimum_age: Duration = Field("24h", description="younger behaviour is not shown, nor used to score such actions")
    provenance: list[Literal["declared", "observed", "inferred"]] = Field(["declared", "observed"], min_length=1)
    identified: bool = Field(True, description="only what they did signed in, or recognised with consent")

    @cached_property
    def age(self) -> int:
        """The minimum age in microseconds."""
        return micros(self.minimum_age)


class ExemptClass(Section):
    """A class of actions that passes caps."""

    counts: bool = Field(
        True, description="its messages are contacts: they count toward the caps of others, and cost harm"
    )


class Reservation(Section):
    expires: Window = Field("24h", description="an unclaimed contact gives its slot back after this")

    @cached_property
    def length(self) -> int:
        return micros(self.expires)
