"""How many contacts one customer may get: caps over rolling and calendar windows, and pressure across channels."""

import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from features import clock
from features.workspace import Section
from serving.decisions.policy.durations import Count, Share, Window, micros

Scope = Literal["total", "channel", "issue", "group", "action", "tag"]
Period = Literal["day", "week", "month"]

#: The longest that a calendar window can last: the clocks go back in it.
LONGEST_PERIOD = {"day": 25 * clock.HOUR, "week": 7 * clock.DAY + clock.HOUR, "month": 31 * clock.DAY + clock.HOUR}
#: `3 per 7d`, `1 per day`, `1 per local day`
LIMIT = re.compile(r"\s*([0-9]{1,6})\s+(?:per|a|in)\s+(?:(?:local\s+)?(day|week|month)|([0-9]+\s*[mhdw]))\s*")


class Cap(Section):
    """At most `max` contacts with one customer in any `window`, or in any local day, week or month (`per`).

    Over everything or by channel, issue, group, action, tag. `limit: "3 per 7d"` is short for max and window,
    `limit: "1 per local day"` for max and per. Weeks are ISO weeks: they begin on Monday.
    """

    scope: Scope
    name: str | None = Field(None, description="which channel, group ...; left out: each of them on its own")
    max: Count
    window: Window | None = Field(None, description="rolling, e.g. 7d")
    per: Period | None = Field(None, description="calendar, in the customer's own zone")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "limit" not in given:
            return given
        told = given["limit"]
        match = LIMIT.fullmatch(told) if isinstance(told, str) else None
        if match is None:
            raise ValueError('`limit` is not understood; write "3 per 7d" or "1 per local day"')
        if beside := sorted({"max", "window", "per"} & set(given)):
            raise ValueError(f"`limit` says it all; remove {', '.join(beside)}")
        rest = {key: value for key, value in given.items() if key != "limit"}
        return rest | {"max": int(match[1])} | ({"per": match[2]} if match[2] else {"window": match[3]})

    @model_validator(mode="after")
    def _fits(self) -> "Cap":
        if self.scope == "total" and self.name is not None:
            raise ValueError("a cap with `scope: total` takes no `name`; remove it or choose another scope")
        if (self.window is None) == (self.per is None):
            raise ValueError("a cap takes either a `window` such as 7d or `per: day`, week, month; give one of them")
        return self

    @cached_property
    def calendar(self) -> Period | None:
        """None where the window is rolling."""
        return self.per

    @cached_property
    def length(self) -> int:
        """A rolling window in microseconds; of a calendar one the longest that it can last."""
        return micros(self.window) if self.window is not None else LONGEST_PERIOD[str(self.per)]

    @cached_property
    def label(self) -> str:
        """How this cap is named in answers: `cap channel email: 2 per 7d`."""
        each = self.window if self.window is not None else f"local {self.per}"
        return f"cap {self.scope}{' ' + self.name if self.name else ''}: {self.max} per {each}"


class Pressure(Section):
    """Contacts weigh by channel and decay: the tolerable number on one channel falls as others are used.

    Pressure is the sum of weight x 0.5 ** (age / half_life); one more contact may not lift it past `limit`. The
    defaults sustain about 3 calls, 4 e-mails or 10 letters a quarter alone, and fewer when mixed (Godfrey, Seiders and
    Voss, Journal of Marketing 2011).
    """

    limit: float = Field(1.0, gt=0)
    half_life: Window = "54d"
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field({"phone": 0.3333, "email": 0.25, "mail": 0.1})
    other: float = Field(0.1, ge=0, description="weight of channels that are not named")

    @cached_property
    def half(self) -> int:
        """The half-life in microseconds."""
        return micros(self.half_life)

    def weight(self, channel: str) -> float:
        return self.weights.get(channel, self.other)


class CapLevel(Section):
    """A share of customers who live under caps of another size, so that the effect of pressure stays measurable."""

    share: Share
    factor: float = Field(ge=0, le=10, description="caps times this, rounded down, never below 1 where they were not")


class CapLevels(Section):
    """Randomised and sticky: the salt and the customer decide. No level ever loosens consent, opt-out, quiet hours."""

    salt: str = Field("cap-levels", min_length=1)
    levels: list[CapLevel] = Field([CapLevel(share=0.02, factor=0.5), CapLevel(share=0.02, factor=1.5)])

    @model_validator(mode="after")
    def _room(self) -> "CapLevels":
        if (total := sum(level.share for level in self.levels)) > 1.0 + 1e-9:
            raise ValueError(f"the shares add up to {total:g}; at most 1")
        return self
