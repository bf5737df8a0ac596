"""Durations, names, shares: the small types that both files share."""

from typing import Annotated

from pydantic import AfterValidator, Field

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
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Attributes = dict[str, bool | float | str]
