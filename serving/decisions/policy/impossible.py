"""Rules that no customer can satisfy: `features.x > 5 && features.x < 3`, found where it is plain to see.

Only comparisons of one name with something written out are understood; anything else might hold. So what is reported
is certain, and not everything is reported.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from serving.decisions.rules.grammar import Node
from serving.decisions.rules.names import asked

MOST = 256  # combinations of alternatives that are looked at
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


@dataclass(frozen=True)
class Room:
    """What one name may still be: a range of numbers, a list of values (None: any), none of some, null or not."""

    low: float = -math.inf
    high: float = math.inf
    low_in: bool = True
    high_in: bool = True
    among: tuple[Any, ...] | None = None
    but: tuple[Any, ...] = ()
    null: bool = True

    @property
    def empty(self) -> bool:
        if self.null:
            return False
        if self.among is not None and not any(self.fits(value) for value in self.among):
            return True
        if self.low == self.high:
            return not (self.low_in and self.high_in) or any(_same(self.low, value) for value in self.but)
        return self.low > self.high

    def fits(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return math.isinf(self.low) and math.isinf(self.high)
        above = value > self.low or (self.low_in and value == self.low)
        return above and (value < self.high or (self.high_in and value == self.high))

    def narrowed(self, operator: str, value: Any) -> "Room":
        """This room where `NAME operator value` is true; comparing a null has no answer, so it is none."""
        if operator in ("==", "in"):
            values = tuple(value) if operator == "in" else (value,)
            left = self.among
            kept = values if left is None else tuple(v for v in left if any(_same(v, w) for w in values))
            kept = tuple(v for v in kept if not any(_same(v, w) for w in self.but))
            return replace(self, among=kept, null=self.null and any(v is None for v in values))
        if operator == "!=":
            others = None if self.among is None else tuple(v for v in self.among if not _same(v, value))
            return replace(self, among=others, but=(*self.but, value), null=self.null and value is not None)
        if value is None:
            return replace(self, among=(), null=False)
        here = replace(self, null=False)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return here
        if operator in (">", ">=") and (value, operator == ">") >= (self.low, not self.low_in):
            return replace(here, low=value, low_in=operator == ">=")
        if operator in ("<", "<=") and (-value, operator == "<") >= (-self.high, not self.high_in):
            return replace(here, high=value, high_in=operator == "<=")
        return here


def impossible(trees: Iterable[Node], domains: Mapping[str, Room]) -> str | None:
    """The name that these rules together leave no value, or `false`; None where some customer may satisfy them all."""
    culprit = None
    for number, facts in enumerate(product(*(list(_ways(tree, wanted=True)) for tree in trees))):
        if number >= MOST:
            return None
        culprit = _empty((fact for way in facts for fact in way), domains)
        if culprit is None:
            return None
    return culprit or "false"


Fact = tuple[str, str, Any]
NEVER: Fact = ("false", "never", None)


def _empty(facts: Iterable[Fact], domains: Mapping[str, Room]) -> str | None:
    rooms: dict[str, Room] = {}
    for name, operator, value in facts:
        if operator == "never":
            return name
        rooms[name] = rooms.get(name, domains.get(name, Room())).narrowed(operator, value)
        if rooms[name].empty:
            return name
    return None


def _ways(node: Node, wanted: bool) -> Iterator[tuple[Fact, ...]]:
    """Alternatives that make a rule true (or false), each the facts that must hold together; empty: who knows."""
    if node.kind == "literal" and isinstance(node.value, bool):
        yield () if node.value == wanted else (NEVER,)
    elif node.kind == "unary" and node.value == "!":
        yield from _ways(node.parts[0], not wanted)
    elif node.kind == "binary" and node.value in ("&&", "||"):
        if (node.value == "&&") == wanted:
            sides = [list(_ways(part, wanted)) for part in node.parts]
            if math.prod(len(side) for side in sides) > MOST:
                yield ()
                return
            for choice in product(*sides):
                yield tuple(fact for way in choice for fact in way)
        else:
            for part in node.parts:
                yield from _ways(part, wanted)
    else:
        fact = _fact(node, wanted)
        yield () if fact is None else (fact,)


def _fact(node: Node, wanted: bool) -> Fact | None:
    if node.kind != "binary" or len(node.parts) != 2:
        return None
    left, right, operator = node.parts[0], node.parts[1], node.value
    if operator == "in":
        pair = asked(left)
        if pair is None or right.kind != "list" or not wanted:
            return None
        values = [_value(part) for part in right.parts]
        return None if UNKNOWN in values else (".".join(pair), "in", tuple(values))
    if operator not in MIRRORED:
        return None
    if asked(left) is None:
        left, right, operator = right, left, MIRRORED[operator]
    pair, value = asked(left), _value(right)
    if pair is None or value is UNKNOWN:
        return None
    return ".".join(pair), operator if wanted else NEGATED[operator], value


UNKNOWN = object()


def _value(node: Node) -> Any:
    """What is written out; UNKNOWN for anything else."""
    if node.kind == "unary" and node.value == "-" and isinstance(value := _value(node.parts[0]), int | float):
        return -value
    known = node.kind == "literal" and (node.value is None or isinstance(node.value, bool | int | float | str))
    return node.value if known else UNKNOWN


def _same(a: Any, b: Any) -> bool:
    """As CEL compares: 1 equals 1.0, true equals neither."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b
