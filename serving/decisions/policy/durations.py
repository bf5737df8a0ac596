"""Durations, names, shares: the small types that both files share."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from features.durations import LONGEST as LONGEST
from features.durations import UNITS as UNITS
from features.durations import Duration as Duration
from features.durations import Window as Window
from features.durations import micros as micros
from serving.decisions import rules


def _compiles(text: str) -> str:
    rules.compiled(text)
    return text


Rule = Annotated[str, AfterValidator(_compiles)]


def _count(found: object) -> object:
    if isinstance(found, float):
        raise ValueError(f"a whole number is wanted, and {found} has a point; write one thousand as 1000")  # noqa: TRY004
    return found


#: A number of things: 1.000 is a thousand to some, and one to YAML.
Count = Annotated[int, Field(ge=0), BeforeValidator(_count)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]


def _attribute(found: object) -> object:
    if not isinstance(found, bool | int | float | str):
        raise ValueError("is no text, number, true or false; write one of them")  # noqa: TRY004
    return found


Attributes = dict[str, Annotated[bool | float | str, BeforeValidator(_attribute)]]
