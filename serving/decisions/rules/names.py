"""Which names a rule asks for, so that a decision looks up those alone and not all that is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from serving.decisions.rules.grammar import Node, walk

VARIABLES = ("features", "scores", "context", "request", "attributes", "journey")
Variable = str


@dataclass(frozen=True)
class Needs:
    """(variable, name) pairs, and the variables that are needed whole: `features[context.which]`."""

    names: frozenset[tuple[Variable, str]] = frozenset()
    whole: frozenset[Variable] = frozenset()

    def of(self, variable: Variable) -> frozenset[str] | None:
        """The names needed of a variable; None means all of them."""
        return self._by_variable.get(variable, frozenset())

    @cached_property
    def _by_variable(self) -> dict[Variable, frozenset[str] | None]:
        """Worked out once: every decision asks."""
        named = {owner: frozenset(name for of, name in self.names if of == owner) for owner, _ in self.names}
        return {**named, **dict.fromkeys(self.whole)}

    @classmethod
    def all(cls, needs: Iterable["Needs"]) -> "Needs":
        """What any of them needs."""
        listed = list(needs)
        names = frozenset().union(*(each.names for each in listed))
        return cls(names, frozenset().union(*(each.whole for each in listed)))


EVERYTHING = Needs(whole=frozenset(VARIABLES))


def needed(tree: Node) -> Needs:
    """What a rule may look at, whatever the customer."""
    names: set[tuple[Variable, str]] = set()
    whole: set[Variable] = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if (pair := asked(node)) is not None:
            names.add(pair)
            continue
        if node.kind == "name" and node.value in VARIABLES:
            whole.add(node.value)
        waiting.extend(node.parts)
    return Needs(frozenset(names), frozenset(whole))


def asked(node: Node) -> tuple[Variable, str] | None:
    """`features.x` and `features["x"]` as ("features", "x"); None for anything else."""
    if not node.parts or node.parts[0].kind != "name" or node.parts[0].value not in VARIABLES:
        return None
    if node.kind == "select":
        return node.parts[0].value, node.value
    if node.kind == "index" and node.parts[1].kind == "literal" and isinstance(node.parts[1].value, str):
        return node.parts[0].value, node.parts[1].value
    return None


def bound(tree: Node) -> frozenset[str]:
    """Names that a rule binds itself: the x in `context.list.exists(x, x > 1)`."""
    return frozenset(node.parts[1].value for node in walk(tree) if node.macro)
