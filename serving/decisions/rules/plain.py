"""The common rules as Python: comparisons of numbers and texts, and, or, not, in, conditions, has().

CEL stays the judge. A rule in this form answers true or false only where CEL would; where it is not sure (a null beside
a number, a name that is missing, a value of another kind) it raises, and CEL is asked, which also knows the words.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any

from serving.decisions.rules.grammar import Node
from serving.decisions.rules.names import asked
from serving.decisions.rules.trees import steady

#: What asking raises where it is not sure.
UNSURE = (KeyError, TypeError, ArithmeticError)
#: Whole numbers beyond this are not themselves as floating-point numbers.
EXACT = 2**53
ORDER: dict[str, ast.cmpop] = {"<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(), ">=": ast.GtE()}
EQUAL: dict[str, ast.cmpop] = {"==": ast.Eq(), "!=": ast.NotEq()}


def _sure(value: object) -> bool:
    kind = type(value)
    if kind is float:
        return value == value
    return kind is str or value is None or (isinstance(value, int) and kind is int and -EXACT < value < EXACT)


class Values(dict[str, float | str | None]):
    """Numbers, texts and nulls by full name (`features.x`), looked up as they are asked for.

    KeyError for what is missing and for everything else: Python's true equals 1, CEL's does not.
    """

    def __init__(self, variables: Mapping[str, Mapping[str, Any]]) -> None:
        self.variables = variables

    def __missing__(self, name: str) -> float | str | None:
        variable, _, key = name.partition(".")
        value = self.variables[variable][key]
        if not _sure(value):
            raise KeyError(name)
        self[name] = value
        return value

    def true(self, name: str) -> bool:
        """A value that is used as true or false; KeyError where it is neither."""
        variable, _, key = name.partition(".")
        value = self.variables[variable][key]
        if value is True or value is False:
            return value
        raise KeyError(name)

    def has(self, name: str) -> bool:
        variable, _, key = name.partition(".")
        return key in self.variables[variable]


Plain = Callable[[Values], bool]


class _Unsaid(Exception):
    """A rule that only CEL can answer."""


def plain(tree: Node) -> Plain | None:
    """The rule as a function of values; None where only CEL can answer it.

    Put together from parts of our own: no text of the rule is run, and nothing can be called but what stands here.
    """
    try:
        body = _truth(tree)
    except _Unsaid:
        return None
    names = ast.arguments(posonlyargs=[], args=[ast.arg("values")], kwonlyargs=[], kw_defaults=[], defaults=[])
    whole = ast.fix_missing_locations(ast.Expression(ast.Lambda(names, body)))
    code = steady(lambda: compile(whole, "<rule>", "eval"))
    found: Plain = eval(code, {"__builtins__": {}, **ARITHMETIC})
    return found


def _truth(node: Node) -> ast.expr:
    """An expression that is true or false, or raises."""
    if isinstance(node.value, bool) and node.kind == "literal":
        return ast.Constant(node.value)
    if (pair := asked(node)) is not None:
        return _method("true", pair)
    if node.kind == "unary" and node.value == "!":
        return ast.UnaryOp(ast.Not(), _truth(node.parts[0]))
    if node.kind == "choice":
        return ast.IfExp(*(_truth(part) for part in node.parts))
    if node.kind == "call" and node.value == "has":
        pair = asked(node.parts[0]) if len(node.parts) == 1 and node.parts[0].kind == "select" else None
        if pair is None:
            raise _Unsaid
        return _method("has", pair)
    if node.kind != "binary":
        raise _Unsaid
    if node.value in ("&&", "||"):  # an error before what decides goes to CEL, which lets the latter absorb it
        return ast.BoolOp(ast.And() if node.value == "&&" else ast.Or(), [_truth(part) for part in node.parts])
    left, right = node.parts
    if node.value == "in":
        if right.kind != "list" or not right.parts:
            raise _Unsaid
        listed = ast.Tuple([_value(part) for part in right.parts], ast.Load())
        return ast.Compare(_value(left), [ast.In()], [listed])
    if node.value in EQUAL and _is_bool(right):
        return ast.Compare(_truth(left), [EQUAL[node.value]], [_truth(right)])
    if (operator := ORDER.get(node.value) or EQUAL.get(node.value)) is not None:
        return ast.Compare(_value(left), [operator], [_value(right)])
    raise _Unsaid


def _value(node: Node) -> ast.expr:
    """An expression that is a number, a text or null, or raises."""
    if node.kind == "literal":
        value = node.value
        if value is None or type(value) in (float, str) or (type(value) is int and abs(value) < EXACT):
            return ast.Constant(value)
    elif (pair := asked(node)) is not None:
        return ast.Subscript(ast.Name("values", ast.Load()), ast.Constant(".".join(pair)), ast.Load())
    elif node.kind == "unary" and node.value == "-":
        return ast.UnaryOp(ast.USub(), _value(node.parts[0]))
    elif node.kind == "choice":
        return ast.IfExp(_truth(node.parts[0]), *(_value(part) for part in node.parts[1:]))
    elif node.kind == "binary" and node.value in NAMED:
        parts = [_value(part) for part in node.parts]
        return ast.Call(ast.Name(NAMED[node.value], ast.Load()), parts, [])
    raise _Unsaid


def _is_bool(node: Node) -> bool:
    return node.kind == "literal" and isinstance(node.value, bool)


def _method(name: str, pair: tuple[str, str]) -> ast.expr:
    method = ast.Attribute(ast.Name("values", ast.Load()), name, ast.Load())
    return ast.Call(method, [ast.Constant(".".join(pair))], [])


def _floating(operation: Callable[[float, float], float]) -> Callable[[object, object], float]:
    """CEL mixes floating-point numbers with nothing else; what is no number any more is nothing to compare with."""

    def checked(a: object, b: object) -> float:
        if type(a) is not float or type(b) is not float or (found := operation(a, b)) != found:
            raise TypeError
        return found

    return checked


NAMED = {"+": "plus", "-": "minus", "*": "times", "/": "over"}
ARITHMETIC = {
    "plus": _floating(lambda a, b: a + b),
    "minus": _floating(lambda a, b: a - b),
    "times": _floating(lambda a, b: a * b),
    "over": _floating(lambda a, b: a / b),
}
