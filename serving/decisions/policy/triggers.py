"""When an action comes up by itself: a stage reached or stalled in, a case closed, a basket left, a date coming up."""

from functools import cached_property
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from features.workspace import Section
from serving.decisions.policy.durations import Duration, Name, Window, micros

Kind = Literal["stage", "stalled", "case_closed", "abandoned", "date"]
KINDS: tuple[Kind, ...] = ("stage", "stalled", "case_closed", "abandoned", "date")


class Stalled(Section):
    """In a journey stage for this long, and nothing that leads on."""

    model_config = ConfigDict(populate_by_name=True)

    stage: Name
    length: Window = Field(alias="for", description="how long the customer has been there, e.g. 3d")


class Abandoned(Section):
    """Something begun and not brought to its end."""

    type: Name = Field(description="the interaction type that begins it, e.g. add_to_cart")
    without: list[Name] = Field(min_length=1, description="types that bring it to its end, e.g. [purchase]")
    after: Window = Field("4h", description="how long we wait for the end")


class ComingUp(Section):
    """A date among the customer's attributes."""

    attribute: Name = Field(description="a customer attribute that holds a date, e.g. birthday, contract_end")
    before: Duration = Field("0d", description="how long before it")
    yearly: bool = Field(False, description="it comes round every year: a birthday; else once")


class Trigger(Section):
    """Exactly one reason, and how long at least lies between two of the same for one customer."""

    stage: Name | None = Field(None, description="this journey stage is reached")
    stalled: Stalled | None = Field(None, description="no further from this stage for a while")
    case_closed: bool | Name | None = Field(None, description="a service case is closed: `true`, or its topic")
    abandoned: Abandoned | None = Field(None, description="begun and not finished, e.g. a basket")
    date: ComingUp | None = Field(None, description="a date comes up")
    again: Window = Field("30d", description="the least time between two of the same")
    only: bool = Field(False, description="nothing else brings the action up: no other decision considers it")

    @model_validator(mode="after")
    def _one(self) -> "Trigger":
        given = [kind for kind in KINDS if getattr(self, kind) not in (None, False)]
        if len(given) != 1:
            found = " and ".join(f"`{kind}`" for kind in given) or "none"
            raise ValueError(f"a trigger has exactly one of {', '.join(KINDS)}; it names {found}")
        return self

    @cached_property
    def kind(self) -> Kind:
        return next(kind for kind in KINDS if getattr(self, kind) not in (None, False))

    @cached_property
    def gap(self) -> int:
        """The least time between two of the same, in microseconds."""
        return micros(self.again)
