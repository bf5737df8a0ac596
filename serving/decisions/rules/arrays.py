"""Rules asked about many customers at once: the verdicts of `Facts.judged`, in arrays.

Comparisons, and, or, not, in, conditions and arithmetic run on whole columns, three-valued as in CEL: true, false, and
no answer, which `false && ...` and `true || ...` absorb. A rule that says anything else is asked row by row.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from serving.decisions.rules.columns import Column, Missing, Unsupported, Vector, of, row
from serving.decisions.rules.grammar import Node
from serving.decisions.rules.names import VARIABLES, asked
from serving.decisions.rules.scalar import Facts, compiled

HOLDS, FALSE, UNANSWERED = 0, 1, 2
NUMBERS = ("number", "int")
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def refusals_many(text: str, columns: Mapping[str, Column], rows: int) -> np.ndarray:
    """int8[rows]: HOLDS, FALSE, or UNANSWERED, which refuses as well.

    `columns` are by full name (`features.x`, `request.channel`): float64 with NaN for null, a bool array, any sequence
    of what one customer would have (None is null, MISSING is no such name), or one value for all customers.
    """
    tree = compiled(text).tree
    vectors: dict[str, Vector] = {}
    try:
        with np.errstate(all="ignore"):
            answer = _Asked(columns, rows, vectors).value(tree)
            true, false = answer.truth()
    except Unsupported:
        return _row_by_row(text, columns, rows)
    verdict = np.full(rows, UNANSWERED, np.int8)
    verdict[np.broadcast_to(false, rows)] = FALSE
    verdict[np.broadcast_to(true, rows)] = HOLDS
    return verdict


def _row_by_row(text: str, columns: Mapping[str, Column], rows: int) -> np.ndarray:
    needs = compiled(text).needs
    needed = {name: column for name, column in columns.items() if _needed(name, needs.whole, needs.names)}
    verdict = np.full(rows, UNANSWERED, np.int8)
    for i in range(rows):
        facts = facts_of(needed, i)
        found = facts.judged(text)
        verdict[i] = HOLDS if found is True else FALSE if found is False else UNANSWERED
    return verdict


def _needed(name: str, whole: frozenset[str], names: frozenset[tuple[str, str]]) -> bool:
    variable, _, key = name.partition(".")
    return variable in whole or (variable, key) in names


def facts_of(columns: Mapping[str, Column], i: int) -> Facts:
    """One customer's facts out of the columns: for the reason, in words, of a verdict that refuses."""
    found: dict[str, dict[str, Any]] = {variable: {} for variable in VARIABLES}
    for name, column in columns.items():
        variable, _, key = name.partition(".")
        if not isinstance(value := row(column, i), Missing):
            found[variable][key] = value
    features, scores, context, request, attributes, journey = (found[variable] for variable in VARIABLES)
    return Facts(features, scores, context, request, attributes, journey)


class _Asked:
    """One rule over the columns of many customers; Unsupported where arrays cannot say what CEL would."""

    def __init__(self, columns: Mapping[str, Column], rows: int, vectors: dict[str, Vector]) -> None:
        self.columns, self.rows, self.vectors = columns, rows, vectors

    def value(self, node: Node) -> Vector:
        if (pair := asked(node)) is not None:
            return self.column(".".join(pair))
        if node.kind == "literal":
            return of(node.value, self.rows)
        if node.kind == "unary":
            return self.unary(node.value, self.value(node.parts[0]))
        if node.kind == "choice":
            return self.choice(*(self.value(part) for part in node.parts))
        if node.kind == "call" and node.value == "has" and len(node.parts) == 1:
            return self.has(node.parts[0])
        if node.kind != "binary":
            raise Unsupported
        if node.value == "in":
            return self.within(self.value(node.parts[0]), node.parts[1])
        parts = [self.value(part) for part in node.parts]
        if node.value in ("&&", "||"):
            return _joined(node.value, parts)
        if node.value in ("==", "!="):
            return _equal(parts[0], parts[1], wanted=node.value == "==")
        if node.value in COMPARE:
            return _compared(node.value, parts[0], parts[1])
        return _arithmetic(node.value, parts[0], parts[1])

    def column(self, name: str) -> Vector:
        if name not in self.vectors:
            column = self.columns.get(name, Missing.HERE)
            self.vectors[name] = of(column, self.rows)
        return self.vectors[name]

    def has(self, node: Node) -> Vector:
        if node.kind != "select" or (pair := asked(node)) is None:
            raise Unsupported
        column = self.columns.get(".".join(pair), Missing.HERE)
        if isinstance(column, np.ndarray | Sequence) and not isinstance(column, str):
            return Vector("bool", np.array([not isinstance(value, Missing) for value in column], bool))
        return Vector("bool", np.asarray(not isinstance(column, Missing)))

    def within(self, left: Vector, right: Node) -> Vector:
        if right.kind != "list" or not right.parts:
            raise Unsupported
        found = [_equal(left, self.value(part), wanted=True) for part in right.parts]
        bad = np.logical_or.reduce(np.broadcast_arrays(*(each.bad for each in found)))
        values = np.logical_or.reduce(np.broadcast_arrays(*(each.values for each in found)))
        return Vector("bool", values, bad=bad)

    def unary(self, sign: str, operand: Vector) -> Vector:
        if sign == "!":
            true, false = operand.truth()
            return Vector("bool", false, bad=~(true | false))
        if operand.kind not in NUMBERS or operand.large:
            raise Unsupported
        return Vector(operand.kind, -operand.values, bad=operand.bad | operand.null)

    def choice(self, condition: Vector, yes: Vector, no: Vector) -> Vector:
        true, false = condition.truth()
        kinds = {each.kind for each in (yes, no)} - {"null"}
        if len(kinds) > 1:
            raise Unsupported
        if yes.kind == "null":
            yes = Vector(no.kind, no.values, yes.nulls, yes.bad)
        if no.kind == "null":
            no = Vector(yes.kind, yes.values, no.nulls, no.bad)
        return Vector(
            yes.kind,
            np.where(true, yes.values, no.values),
            np.where(true, yes.null, no.null),
            np.where(true, yes.bad, no.bad) | ~(true | false),
        )


def _joined(operator: str, parts: Sequence[Vector]) -> Vector:
    """`&&` and `||`: one side that decides outweighs another that has no answer."""
    truths = [part.truth() for part in parts]
    true, false = truths[0]
    for also_true, also_false in truths[1:]:
        if operator == "&&":
            true, false = true & also_true, false | also_false
        else:
            true, false = true | also_true, false & also_false
    return Vector("bool", true, bad=~(true | false))


def _equal(left: Vector, right: Vector, wanted: bool) -> Vector:
    """Things of different kinds are not equal, which is an answer; null equals null."""
    bad = left.bad | right.bad
    if "null" in (left.kind, right.kind):
        same = np.logical_and(left.nulls, right.nulls)
    elif left.kind == right.kind or {left.kind, right.kind} <= set(NUMBERS):
        _check_exact(left, right)
        same = (left.values == right.values) & ~left.null & ~right.null | (left.null & right.null)
    else:
        same = left.null & right.null
    return Vector("bool", same if wanted else np.logical_not(same), bad=bad)


def _compared(operator: str, left: Vector, right: Vector) -> Vector:
    kinds = {left.kind, right.kind}
    if not (kinds <= set(NUMBERS) or kinds == {"text"}):
        raise Unsupported
    _check_exact(left, right)
    bad = left.bad | right.bad | left.null | right.null
    for side in (left, right):
        if side.kind == "number":
            bad = bad | np.isnan(side.values)  # 0.0 / 0.0 is neither above nor below anything
    return Vector("bool", np.asarray(COMPARE[operator](left.values, right.values), bool), bad=bad)


def _arithmetic(operator: str, left: Vector, right: Vector) -> Vector:
    """On floating-point numbers; CEL mixes them with nothing else, and whole numbers overflow."""
    if left.kind != "number" or right.kind != "number" or operator == "%":
        raise Unsupported
    a, b = left.values, right.values
    values = a + b if operator == "+" else a - b if operator == "-" else a * b if operator == "*" else a / b
    return Vector("number", values, bad=left.bad | right.bad | left.null | right.null)


def _check_exact(left: Vector, right: Vector) -> None:
    """Whole numbers beyond 2 ** 53 are not themselves as floating-point numbers."""
    if left.large or right.large:
        raise Unsupported
