"""Durations as people write them in settings: 90m, 12h, 7d, 2w."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from features import clock

UNITS = {"m": clock.MINUTE, "h": clock.HOUR, "d": clock.DAY, "w": 7 * clock.DAY}
WRITTEN = r"\s*([0-9]{1,6})\s*([mhdw])\s*"
LONGEST = 400 * clock.DAY  # how far back a customer's state reaches


def micros(text: str) -> int:
    """Microseconds of a duration such as 90m, 12h, 7d or 2w; a day is 24 hours.

    >>> micros("7d") == 7 * 24 * 60 * 60 * 1_000_000
    True
    """
    match = re.fullmatch(WRITTEN, text)
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


#: What an editor can see of it.
_SHAPE = Field(json_schema_extra={"pattern": f"^{WRITTEN}$"})
Duration = Annotated[str, AfterValidator(_duration), _SHAPE]
#: Longer than nothing.
Window = Annotated[str, AfterValidator(_window), _SHAPE]
