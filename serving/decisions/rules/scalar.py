"""Rules in CEL, the Common Expression Language, compiled once and asked about one customer.

A rule sees `features`, `scores`, `context`, `request`, `attributes` and `journey`. What cannot be answered (a null
compared with a number, a name that is missing) is a no: rules fail closed, and the reason says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import cel

from features.frozen import quickly_made
from serving.decisions.rules.grammar import Node, Unreadable, parse, walk
from serving.decisions.rules.limits import LONGEST, excesses, oversized
from serving.decisions.rules.names import EVERYTHING, VARIABLES, Needs, bound, needed
from serving.decisions.rules.plain import UNSURE, Plain, Values, plain


@dataclass(frozen=True)
class Compiled:
    """A rule ready to be asked, and what it asks for; `plain` where it can be asked without CEL."""

    program: cel.Program
    tree: Node
    needs: Needs
    macro: bool
    plain: Plain | None


@lru_cache(maxsize=4_096)
def compiled(text: str) -> Compiled:
    """Raises ValueError saying what is wrong with the rule."""
    if len(text) > LONGEST:
        raise ValueError(f"a rule of {len(text)} characters is too long; at most {LONGEST}")
    try:
        tree = parse(text)
        program = cel.compile(text)
    except Unreadable as error:
        raise ValueError(f"is not a CEL rule: it {error}") from None
    except ValueError as error:
        first = str(error).splitlines()[0].split("ERROR: <input>:")[-1]
        raise ValueError(f"is not a CEL rule: {first}") from None
    unknown = sorted(set(program.variables()) - set(VARIABLES) - bound(tree))
    if unknown:
        raise ValueError(f"uses {', '.join(unknown)}, but a rule sees only {', '.join(VARIABLES)}")
    if (excess := next(excesses(tree), None)) is not None:
        raise ValueError(f"costs too much to ask: it {excess}")
    return Compiled(program, tree, needed(tree), any(node.macro for node in walk(tree)), plain(tree))


def together(rules: Sequence[Compiled]) -> Plain | None:
    """All of them at once: whether every one holds. None where CEL has to be asked, or there is nothing to ask."""
    if len(rules) == 1:
        return rules[0].plain
    return plain(Node("binary", "&&", tuple(rule.tree for rule in rules))) if rules else None


@quickly_made
@dataclass(frozen=True)
class Facts:
    """What rules may ask about, for one customer and one request; converted to CEL once, when first needed.

    `needs` names what the rules at hand ask for (`playbook.needs`): the rest is never looked up nor converted.
    """

    features: Mapping[str, Any]
    scores: Mapping[str, Any]
    context: Mapping[str, Any]
    request: Mapping[str, Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    journey: Mapping[str, Any] = field(default_factory=dict)
    needs: Needs = EVERYTHING

    @cached_property
    def _seen(self) -> dict[str, dict[str, Any]]:
        return {name: _chosen(getattr(self, name), self.needs.of(name)) for name in VARIABLES}

    @cached_property
    def _cel(self) -> cel.Context:
        return cel.Context(self._seen)

    @cached_property
    def _values(self) -> Values:
        return Values({name: getattr(self, name) for name in VARIABLES})

    @cached_property
    def _oversized(self) -> str | None:
        return oversized(value for name in ("context", "attributes") for value in self._seen[name].values())

    def sure(self, plain: Plain) -> bool:
        """Whether it holds for sure; if not, the rule is still to be asked."""
        try:
            return plain(self._values)
        except UNSURE:
            return False

    def judged(self, text: str) -> bool | str:
        """Whether the rule holds, or why that cannot be answered."""
        return self.answer(compiled(text))

    def answer(self, rule: Compiled) -> bool | str:
        """The same of a compiled rule."""
        if rule.plain is not None:
            try:
                return rule.plain(self._values)
            except UNSURE:
                pass
        return self.asked(rule)

    def asked(self, rule: Compiled) -> bool | str:
        """The same from CEL itself."""
        if rule.macro and self._oversized is not None:
            return self._oversized
        try:
            answer = rule.program.execute(self._cel)
        except Exception as error:  # the rule's author cannot be trusted to cover every customer
            return _plainly(error)
        return answer if isinstance(answer, bool) else f"it gives {answer!r}, not true or false"

    def refusal(self, text: str) -> str | None:
        """None where the rule holds, else why not, in a sentence."""
        found = self.judged(text)
        if found is True:
            return None
        return f"`{text}` is false" if found is False else f"`{text}` cannot be answered: {found}"


def _chosen(values: Mapping[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    if names is None:
        return dict(values)
    return {name: values[name] for name in names if name in values}


def _plainly(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is not there"
    if "No such overload" in str(error):
        return "it compares or adds things that do not go together, such as a null and a number"
    return str(error).splitlines()[0]
