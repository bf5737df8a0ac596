"""CEL as a tree, so that a rule can be measured, searched for names, and asked about many customers at once.

The CEL library stays the judge of one customer; this reading of the same text only looks at it. The grammar is that of
https://github.com/google/cel-spec/blob/master/doc/langdef.md without structs.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from serving.decisions.rules.trees import steady

Kind = Literal["literal", "name", "select", "index", "call", "method", "unary", "binary", "choice", "list", "map"]

TOKEN = re.compile(
    r"""\s+ | //[^\n]*
    | (?P<number>0[xX][0-9a-fA-F]+[uU]? | (?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
    | (?P<text>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    | (?P<name>[A-Za-z_]\w*)
    | (?P<mark>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
WORDS = {"true": True, "false": False, "null": None}
#: Binary operators by precedence, the loosest first; `in` stands among the comparisons.
LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))
MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
DEEPEST = 24  # levels of brackets and operators; rules are read by people


class Unreadable(ValueError):
    """Not CEL as far as this reading goes, or nested too deeply."""


@dataclass(frozen=True, slots=True)
class Node:
    """`value` is the literal, name, field, function or operator; `a && b && c` is one node of three parts."""

    kind: Kind
    value: Any
    parts: tuple["Node", ...] = ()

    @property
    def macro(self) -> bool:
        """Whether it binds a name and walks over a list."""
        return self.kind == "method" and self.value in MACROS and len(self.parts) > 2 and self.parts[1].kind == "name"


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.parts)


def parse(text: str) -> Node:
    """The tree of a rule; Unreadable where it has none, or one deeper than DEEPEST."""
    reader = _Reader(list(_tokens(text)))
    tree = reader.expression(0)
    reader.expect("")
    return tree


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise Unreadable(f"has {text[at]!r} where nothing like it can stand")
        at = match.end()
        if match.lastgroup is not None:
            yield match.lastgroup, match[match.lastgroup]
    yield "end", ""


class _Reader:
    """Recursive descent over the tokens; `deep` counts how many expressions are open."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.at = tokens, 0

    def peek(self) -> str:
        """The mark or word that comes next; nothing for numbers and texts."""
        kind, text = self.tokens[self.at]
        return text if kind in ("mark", "name") else "" if kind == "end" else "\0"

    def take(self) -> tuple[str, str]:
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, *marks: str) -> str | None:
        if self.peek() in marks:
            return self.take()[1]
        return None

    def expect(self, mark: str) -> None:
        if self.peek() != mark:
            raise Unreadable(f"lacks {mark!r}" if mark else f"goes on after its end with {self.tokens[self.at][1]!r}")
        self.at += 1

    def expression(self, deep: int) -> Node:
        if deep > DEEPEST:
            raise Unreadable(f"is nested more than {DEEPEST} deep; split it into eligible, applicable and suitable")
        condition = self.operators(0, deep)
        if self.accept("?") is None:
            return condition
        yes = self.operators(0, deep + 1)
        self.expect(":")
        return Node("choice", "?", (condition, yes, self.expression(deep + 1)))

    def operators(self, level: int, deep: int) -> Node:
        if level == len(LEVELS):
            return self.unary(deep)
        found = self.operators(level + 1, deep)
        links = 0
        while (operator := self.accept(*LEVELS[level])) is not None:
            right = self.operators(level + 1, deep)
            if level < 2 and found.kind == "binary" and found.value == operator and links:
                found = Node("binary", operator, (*found.parts, right))
            else:
                found = Node("binary", operator, (found, right))
            links += 1
            if level >= 2 and links > DEEPEST:
                raise Unreadable(f"chains more than {DEEPEST} operators; split it")
        return found

    def unary(self, deep: int) -> Node:
        signs = []
        while (sign := self.accept("!", "-")) is not None:
            signs.append(sign)
        if len(signs) > DEEPEST:
            raise Unreadable(f"is nested more than {DEEPEST} deep")
        found = self.member(deep + 1)
        for sign in reversed(signs):
            found = Node("unary", sign, (found,))
        return found

    def member(self, deep: int) -> Node:
        found, links = self.primary(deep), 0
        while (mark := self.accept(".", "[")) is not None:
            links += 1
            if links > DEEPEST:
                raise Unreadable(f"is nested more than {DEEPEST} deep")
            if mark == "[":
                found = Node("index", "[", (found, self.expression(deep + 1)))
                self.expect("]")
                continue
            kind, name = self.take()
            if kind != "name":
                raise Unreadable(f"has {name!r} after a dot")
            if self.accept("(") is None:
                found = Node("select", name, (found,))
            else:
                found = Node("method", name, (found, *self.listed(")", deep)))
        return found

    def primary(self, deep: int) -> Node:
        kind, text = self.take()
        if kind == "number":
            return Node("literal", _number(text))
        if kind == "text":
            return Node("literal", _text(text))
        if kind == "name" and text in WORDS:
            return Node("literal", WORDS[text])
        if kind == "name":
            return Node("call", text, self.listed(")", deep)) if self.accept("(") else Node("name", text)
        if text == "(":
            found = self.expression(deep + 1)
            self.expect(")")
            return found
        if text == "[":
            return Node("list", "[", self.listed("]", deep))
        if text == "{":
            return Node("map", "{", self.entries(deep))
        raise Unreadable(f"has {text!r} where a value is expected" if text else "ends where a value is expected")

    def listed(self, closing: str, deep: int) -> tuple[Node, ...]:
        found: list[Node] = []
        while self.accept(closing) is None:
            if found:
                self.expect(",")
                if self.accept(closing) is not None:
                    break
            found.append(self.expression(deep + 1))
        return tuple(found)

    def entries(self, deep: int) -> tuple[Node, ...]:
        """Keys and values in turn."""
        found: list[Node] = []
        while self.accept("}") is None:
            if found:
                self.expect(",")
                if self.accept("}") is not None:
                    break
            found.append(self.expression(deep + 1))
            self.expect(":")
            found.append(self.expression(deep + 1))
        return tuple(found)


class Odd(Enum):
    """A literal that only the CEL library needs to understand: unsigned numbers, bytes."""

    LITERAL = "odd"


def _number(text: str) -> int | float | Odd:
    if text[-1] in "uU":
        return Odd.LITERAL
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def _text(text: str) -> str | Odd:
    quote = min(text.find(mark) for mark in "\"'" if mark in text)
    prefix = text[:quote].lower()
    try:
        return Odd.LITERAL if "b" in prefix else str(steady(lambda: ast.literal_eval(text)))
    except (ValueError, SyntaxError):
        return Odd.LITERAL  # an escape that Python spells otherwise
