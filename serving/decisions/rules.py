"""Rules in CEL, the Common Expression Language, compiled once and asked about one customer.

A rule sees `features`, `scores`, `context` and `request`. What cannot be answered (a null compared with a number, a
name that is missing) is a no: rules fail closed, and the reason says so.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import cel

VARIABLES = ("features", "scores", "context", "request")
#: Names that a rule binds itself: the x in `context.list.exists(x, x > 1)`.
BOUND = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
LONGEST = 2_000  # characters; rules are read by people


@lru_cache(maxsize=4_096)
def compiled(text: str) -> cel.Program:
    """Raises ValueError saying what is wrong with the rule."""
    if len(text) > LONGEST:
        raise ValueError(f"a rule of {len(text)} characters is too long; at most {LONGEST}")
    try:
        program = cel.compile(text)
    except ValueError as error:
        first = str(error).splitlines()[0].split("ERROR: <input>:")[-1]
        raise ValueError(f"is not a CEL rule: {first}") from None
    unknown = sorted(set(program.variables()) - set(VARIABLES) - set(BOUND.findall(text)))
    if unknown:
        raise ValueError(f"uses {', '.join(unknown)}, but a rule sees only {', '.join(VARIABLES)}")
    return program


@dataclass(frozen=True)
class Facts:
    """What rules may ask about, for one customer and one request; converted to CEL once, when first needed."""

    features: Mapping[str, Any]
    scores: Mapping[str, Any]
    context: Mapping[str, Any]
    request: Mapping[str, Any]

    @cached_property
    def _cel(self) -> cel.Context:
        return cel.Context({name: dict(getattr(self, name)) for name in VARIABLES})

    def refusal(self, text: str) -> str | None:
        """None where the rule holds, else why not, in a sentence."""
        try:
            answer = compiled(text).execute(self._cel)
        except Exception as error:  # the rule's author cannot be trusted to cover every customer
            return f"`{text}` cannot be answered: {_plainly(error)}"
        if answer is True:
            return None
        if answer is False:
            return f"`{text}` is false"
        return f"`{text}` gives {answer!r}, not true or false"


def _plainly(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is not there"
    if "No such overload" in str(error):
        return "it compares or adds things that do not go together, such as a null and a number"
    return str(error).splitlines()[0]
