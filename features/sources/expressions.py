"""The map's small expression language: columns, arithmetic, text, comparisons, CASE. Parsed here, run by Arrow.

    sum     Quantity * UnitPrice - Discount         text    InvoiceNo || '-' || StockCode
    test    Quantity < 0 and Country in ('UK', 'EIRE')      column with blanks   "Unit Price"   or   `Unit Price`
    choice  case when Status = 'refund' then 'refund' else 'purchase' end      calls   round(Price, 2), lower(Kind)

It has no loops, no files and no side effects. As in SQL, null in gives null out, and a test that is null is not met.
"""

import re
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)
  | (?P<text>'(?:[^']|'')*')
  | (?P<column>"(?:[^"]|"")+"|`[^`]+`)
  | (?P<name>[^\W\d][\w.$]*)
  | (?P<symbol>\|\||<=|>=|<>|!=|==|[-+*/%<>=(),])
    )""",
    re.VERBOSE,
)
_KEYWORDS = {"and", "or", "not", "in", "is", "null", "like", "case", "when", "then", "else", "end", "true", "false"}
_COMPARISONS = ("=", "==", "!=", "<>", "<", "<=", ">", ">=")
_DEEPEST, _LONGEST = 30, 400

#: Functions a map may call: name -> (fewest arguments, most arguments).
FUNCTIONS: dict[str, tuple[int, int]] = {
    "abs": (1, 1), "ceil": (1, 1), "coalesce": (1, 99), "concat": (1, 99), "contains": (2, 2), "digest": (1, 99),
    "ends_with": (2, 2), "floor": (1, 1), "greatest": (1, 99), "if": (3, 3), "least": (1, 99), "length": (1, 1),
    "lower": (1, 1), "lpad": (3, 3), "matches": (2, 2), "nullif": (2, 2), "number": (1, 1), "replace": (3, 3),
    "round": (1, 2), "split_part": (3, 3), "starts_with": (2, 2), "substr": (2, 3), "text": (1, 1), "trim": (1, 1),
    "upper": (1, 1),
}  # fmt: skip


class ExpressionError(ValueError):
    """What is wrong with an expression, and where in it."""


@dataclass(frozen=True)
class Node:
    """A parsed expression: an operation (`literal`, `column`, `call`, an operator ...) over operands."""

    operation: str
    operands: tuple[Any, ...]

    def columns(self) -> list[str]:
        """The columns it reads, in order of appearance."""
        if self.operation == "column":
            return [self.operands[0]]
        nested = [name for part in self.operands for node in _nodes(part) for name in node.columns()]
        return list(dict.fromkeys(nested))


def parse(source: str) -> Node:
    """Raises ExpressionError that quotes the place.

    >>> parse("Quantity * UnitPrice").columns()
    ['Quantity', 'UnitPrice']
    >>> parse("Quantity *")
    Traceback (most recent call last):
    features.sources.expressions.ExpressionError: 'Quantity *' ends where a value was expected
    """
    return _Parser(source).whole()


def _nodes(part: Any) -> list[Node]:
    if isinstance(part, Node):
        return [part]
    return [node for item in part for node in _nodes(item)] if isinstance(part, tuple) else []


class _Parser:
    def __init__(self, source: str) -> None:
        self.source, self.tokens, self.at, self.depth = source, _tokens(source), 0, 0

    def whole(self) -> Node:
        node = self.disjunction()
        if self.at < len(self.tokens):
            self._fail("has something left over")
        return node

    def disjunction(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ExpressionError(f"{self.source[:60]!r}... is nested more than {_DEEPEST} deep")
        node = self._chain(self.conjunction, ("or",))
        self.depth -= 1
        return node

    def conjunction(self) -> Node:
        return self._chain(self.negation, ("and",))

    def negation(self) -> Node:
        inverted = False
        while self._take("not"):
            inverted = not inverted
        return self._maybe_not(self.comparison(), inverted)

    def comparison(self) -> Node:
        left = self.joined()
        if (symbol := self._take(*_COMPARISONS)) is not None:
            return Node({"==": "=", "<>": "!="}.get(symbol, symbol), (left, self.joined()))
        if self._take("is"):
            inverted = self._take("not") is not None
            self._need("null")
            return self._maybe_not(Node("is null", (left,)), inverted)
        inverted = self._take("not") is not None
        if self._take("in"):
            self._need("(")
            return self._maybe_not(Node("in", (left, self._arguments())), inverted)
        if self._take("like"):
            return self._maybe_not(Node("like", (left, self.joined())), inverted)
        if inverted:
            self._fail("has `not` without `in` or `like`")
        return left

    def joined(self) -> Node:
        return self._chain(self.addition, ("||",))

    def addition(self) -> Node:
        return self._chain(self.product, ("+", "-"))

    def product(self) -> Node:
        return self._chain(self.signed, ("*", "/", "%"))

    def signed(self) -> Node:
        minus = False
        while (sign := self._take("-", "+")) is not None:
            minus ^= sign == "-"
        return Node("negate", (self.value(),)) if minus else self.value()

    def value(self) -> Node:
        if self.at >= len(self.tokens):
            raise ExpressionError(f"{self.source!r} ends where a value was expected")
        kind, token = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return Node("literal", (float(token) if re.search(r"[.eE]", token) else int(token),))
        if kind == "text":
            return Node("literal", (token[1:-1].replace("''", "'"),))
        if kind == "column":
            return Node("column", (token[1:-1].replace('""', '"') if token[0] == '"' else token[1:-1],))
        if kind == "symbol" and token == "(":
            node = self.disjunction()
            self._need(")")
            return node
        if kind == "name":
            return self._named(token)
        self.at -= 1
        return self._fail("has no value")

    def _named(self, token: str) -> Node:
        word = token.lower()
        if self.at < len(self.tokens) and self.tokens[self.at] == ("symbol", "("):
            return self._call(word)
        if word in ("true", "false", "null"):
            return Node("literal", ({"true": True, "false": False, "null": None}[word],))
        if word == "case":
            return self._case()
        if word in _KEYWORDS:
            self.at -= 1
            self._fail("has no value")
        return Node("column", (token,))

    def _call(self, name: str) -> Node:
        if name not in FUNCTIONS:
            raise ExpressionError(f"{self.source!r}: there is no function {name}(); known: {', '.join(FUNCTIONS)}")
        self._need("(")
        arguments = self._arguments()
        fewest, most = FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} or more" if most == 99 else f"{fewest} to {most}"
            raise ExpressionError(f"{self.source!r}: {name}() takes {wanted} arguments, found {len(arguments)}")
        return Node("call", (name, arguments))

    def _case(self) -> Node:
        branches = []
        while self._take("when"):
            condition = self.disjunction()
            self._need("then")
            branches.append((condition, self.disjunction()))
        otherwise = self.disjunction() if self._take("else") else Node("literal", (None,))
        if not branches:
            self._fail("has a CASE without WHEN")
        self._need("end")
        return Node("case", (tuple(branches), otherwise))

    def _arguments(self) -> tuple[Node, ...]:
        arguments = [self.disjunction()] if not self._take(")") else []
        if not arguments:
            return ()
        while self._take(","):
            arguments.append(self.disjunction())
        self._need(")")
        return tuple(arguments)

    def _chain(self, operand: Any, symbols: tuple[str, ...]) -> Node:
        node = operand()
        while (symbol := self._take(*symbols)) is not None:
            node = Node(symbol, (node, operand()))
        return node

    def _maybe_not(self, node: Node, inverted: bool) -> Node:
        return Node("not", (node,)) if inverted else node

    def _take(self, *words: str) -> str | None:
        if self.at < len(self.tokens):
            kind, token = self.tokens[self.at]
            if kind in ("symbol", "name") and token.lower() in words:
                self.at += 1
                return token.lower()
        return None

    def _need(self, word: str) -> None:
        if self._take(word) is None:
            self._fail(f"lacks {word.upper() if word.isalpha() else word!r}")

    def _fail(self, what: str) -> Any:
        if self.at >= len(self.tokens):
            raise ExpressionError(f"{self.source!r} {what} at its end")
        raise ExpressionError(
            f'{self.source!r} {what} at {self.tokens[self.at][1]!r}; write a column with blanks as "Unit Price",'
            " a text as 'abc'"
        )


def _tokens(source: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    source = source.rstrip()
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None or match.lastgroup is None:
            raise ExpressionError(f"{source!r}: cannot read it from {source[at : at + 20].strip()!r} on")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    if len(tokens) > _LONGEST:
        raise ExpressionError(f"{source[:60]!r}... is longer than {_LONGEST} words; split it into cases or columns")
    if not tokens:
        raise ExpressionError("an expression may not be empty")
    return tokens
