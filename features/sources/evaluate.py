"""Runs a parsed expression over the columns of a chunk, with Arrow's kernels."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.fingerprints import fingerprints, hexadecimal
from features.sources.chunks import Chunk
from features.sources.complaints import Complaints
from features.sources.expressions import Node
from features.sources.values import Numbers, text

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": pc.add, "-": pc.subtract, "*": pc.multiply, "/": pc.divide,
    "%": lambda a, b: pc.subtract(a, pc.multiply(b, pc.floor(pc.divide(a, b)))),
}  # fmt: skip
_COMPARE: dict[str, Callable[..., Any]] = {
    "=": pc.equal, "!=": pc.not_equal, "<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal,
}  # fmt: skip
_LOGIC: dict[str, Callable[..., Any]] = {"and": pc.and_kleene, "or": pc.or_kleene}
_NUMBER_CALLS: dict[str, Callable[..., Any]] = {
    "abs": pc.abs, "ceil": pc.ceil, "floor": pc.floor, "greatest": pc.max_element_wise, "least": pc.min_element_wise,
    "number": lambda value: value,
}  # fmt: skip
_TEXT_CALLS: dict[str, Callable[..., Any]] = {
    "lower": pc.utf8_lower, "trim": pc.utf8_trim_whitespace, "upper": pc.utf8_upper, "text": lambda value: value,
}  # fmt: skip
_TESTS = ("contains", "ends_with", "matches", "starts_with")
#: What later arguments of a function must be, written out and not computed.
_WRITTEN: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_TESTS, (str,)), "lpad": (int, str), "replace": (str, str), "round": (int,),
    "split_part": (str, int), "substr": (int, int),
}  # fmt: skip
_TRUTH = {"=", "!=", "<", "<=", ">", ">=", "and", "or", "not", "in", "like", "is null"}


class Evaluator:
    """Values of expressions over one chunk; rows whose numbers cannot be read are complained about."""

    def __init__(self, chunk: Chunk, numbers: Numbers, nulls: Sequence[str], complaints: Complaints) -> None:
        self.chunk, self.numbers, self.nulls, self.complaints = chunk, numbers, nulls, complaints
        self._numbers: dict[str, pa.Array] = {}

    def value(self, node: Node) -> pa.Array:
        """The expression's values: numbers, truth or text, by what it computes."""
        kind = self.kind(node)
        return {"number": self.number, "truth": self.truth, "text": self.text}[kind](node)

    def kind(self, node: Node) -> str:
        """`number`, `truth` or `text`, told from the expression alone and the types of typed columns."""
        operation, operands = node.operation, node.operands
        if operation == "literal":
            value = operands[0]
            return "truth" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text"
        if operation == "column":
            return self._column_kind(operands[0])
        if operation in _ARITHMETIC or operation == "negate":
            return "number"
        if operation in _TRUTH:
            return "truth"
        if operation == "call":
            return self._call_kind(*operands)
        if operation == "case":
            return self._common([result for _, result in operands[0]] + [operands[1]])
        return "text"

    def number(self, node: Node) -> pa.Array:
        operation, operands = node.operation, node.operands
        if operation == "column":
            return self._numeric_column(operands[0])
        if operation == "literal" and not isinstance(operands[0], str):
            return self._repeat(None if operands[0] is None else float(operands[0]), pa.float64())
        if operation in _ARITHMETIC:
            return _ARITHMETIC[operation](*(self.number(part) for part in operands))
        if operation == "negate":
            return pc.negate(self.number(operands[0]))
        if operation == "case":
            return self._case(operands, self.number)
        if operation == "call" and (done := self._number_call(*operands)) is not None:
            return done
        if self.kind(node) == "truth":
            return self.truth(node).cast(pa.int64()).cast(pa.float64())
        return self._read(self.text(node), " ".join(node.columns()) or "expression")

    def text(self, node: Node) -> pa.Array:
        operation, operands = node.operation, node.operands
        if operation == "column":
            words, broken = text(self.chunk.column(operands[0]), self.nulls)
            self.complaints.add(broken, operands[0], lambda _row: "holds bytes that are not in the file's encoding")
            return words
        if operation == "literal" and (operands[0] is None or isinstance(operands[0], str)):
            return self._repeat(operands[0], pa.string())
        if operation == "||":
            return pc.binary_join_element_wise(*(self.text(part) for part in operands), "")
        if operation == "case":
            return self._case(operands, self.text)
        if operation == "call" and (done := self._text_call(*operands)) is not None:
            return done
        value = self.number(node) if self.kind(node) == "number" else self.truth(node)
        return text(value, ())[0]

    def truth(self, node: Node) -> pa.Array:
        operation, operands = node.operation, node.operands
        if operation in _LOGIC:
            return _LOGIC[operation](*(self.truth(part) for part in operands))
        if operation == "not":
            return pc.invert(self.truth(operands[0]))
        if operation in _COMPARE:
            as_kind = self._comparable(*operands)
            return _COMPARE[operation](*(as_kind(part) for part in operands))
        if operation == "is null":
            return pc.is_null(self.text(operands[0]))
        if operation == "in":
            return self._any_of(*operands)
        if operation == "like":
            return self._like(*operands)
        if operation == "literal" and (operands[0] is None or isinstance(operands[0], bool)):
            return self._repeat(operands[0], pa.bool_())
        if operation == "case":
            return self._case(operands, self.truth)
        if operation == "call" and operands[0] in _TESTS:
            return self._test(*operands)
        if operation == "call" and operands[0] == "if":
            return self._if(operands[1], self.truth)
        if operation == "column" and pa.types.is_boolean(self.chunk.column(operands[0]).type):
            return self.chunk.column(operands[0])
        return pc.is_in(pc.utf8_lower(self.text(node)), pa.array(["true", "yes", "y", "t", "1"]))

    def _column_kind(self, name: str) -> str:
        kind = self.chunk.column(name).type
        if pa.types.is_boolean(kind):
            return "truth"
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        return "number" if numeric else "text"

    def _call_kind(self, name: str, arguments: tuple[Node, ...]) -> str:
        if name in _NUMBER_CALLS or name in ("round", "length"):
            return "number"
        if name in _TESTS:
            return "truth"
        if name in ("coalesce", "nullif"):
            return self._common(list(arguments))
        return self._common(list(arguments[1:])) if name == "if" else "text"

    def _common(self, nodes: list[Node]) -> str:
        kinds = {self.kind(node) for node in nodes if node != Node("literal", (None,))}
        return kinds.pop() if len(kinds) == 1 else "text"

    def _comparable(self, *nodes: Node) -> Callable[[Node], pa.Array]:
        """Numbers where either side is one, truth likewise, else text."""
        kinds = {self.kind(node) for node in nodes}
        return self.number if "number" in kinds else self.truth if "truth" in kinds else self.text

    def _numeric_column(self, name: str) -> pa.Array:
        if name not in self._numbers:
            self._numbers[name] = self._read(self.chunk.column(name), name)
        return self._numbers[name]

    def _read(self, column: pa.Array, name: str) -> pa.Array:
        if pa.types.is_boolean(column.type):
            return column.cast(pa.int64()).cast(pa.float64())
        numbers, (bad, reason) = self.numbers.read(column)
        self.complaints.add(bad, name, reason)
        return numbers

    def _number_call(self, name: str, arguments: tuple[Node, ...]) -> pa.Array | None:
        if name in _NUMBER_CALLS:
            return _NUMBER_CALLS[name](*(self.number(part) for part in arguments))
        if name == "length":
            return pc.utf8_length(self.text(arguments[0])).cast(pa.float64())
        if name == "round":
            digits = int(_written(arguments[1])) if len(arguments) > 1 else 0
            return pc.round(self.number(arguments[0]), ndigits=digits, round_mode="half_towards_infinity")
        return self._any_kind(name, arguments, self.number)

    def _text_call(self, name: str, arguments: tuple[Node, ...]) -> pa.Array | None:
        if name in _TEXT_CALLS:
            return _TEXT_CALLS[name](self.text(arguments[0]))
        if name == "concat":
            parts = [self.text(part).fill_null("") for part in arguments]
            return pc.binary_join_element_wise(*parts, "")
        if name == "digest":
            parts = pa.table([self.text(part) for part in arguments], [f"p{i}" for i in range(len(arguments))])
            return hexadecimal(fingerprints(parts))
        if name == "substr":
            start = max(int(_written(arguments[1])), 1) - 1
            stop = None if len(arguments) < 3 else start + int(_written(arguments[2]))
            return pc.utf8_slice_codeunits(self.text(arguments[0]), start, stop)
        if name == "replace":
            return pc.replace_substring(
                self.text(arguments[0]), str(_written(arguments[1])), str(_written(arguments[2]))
            )
        if name == "lpad":
            return pc.utf8_lpad(self.text(arguments[0]), int(_written(arguments[1])), str(_written(arguments[2])))
        if name == "split_part":
            return self._split(self.text(arguments[0]), str(_written(arguments[1])), int(_written(arguments[2])))
        return self._any_kind(name, arguments, self.text)

    def _any_kind(self, name: str, arguments: tuple[Node, ...], run: Callable[[Node], pa.Array]) -> pa.Array | None:
        if name == "coalesce":
            return pc.coalesce(*(run(part) for part in arguments))
        if name == "nullif":
            as_kind = self._comparable(*arguments)
            equal = pc.equal(as_kind(arguments[0]), as_kind(arguments[1])).fill_null(False)
            value = run(arguments[0])
            return pc.if_else(equal, pa.scalar(None, value.type), value)
        return self._if(arguments, run) if name == "if" else None

    def _if(self, arguments: tuple[Node, ...], run: Callable[[Node], pa.Array]) -> pa.Array:
        return pc.if_else(self.truth(arguments[0]).fill_null(False), run(arguments[1]), run(arguments[2]))

    def _case(self, operands: tuple[Any, ...], run: Callable[[Node], pa.Array]) -> pa.Array:
        branches, otherwise = operands
        result = run(otherwise)
        for condition, value in reversed(branches):
            result = pc.if_else(self.truth(condition).fill_null(False), run(value), result)
        return result

    def _any_of(self, needle: Node, options: tuple[Node, ...]) -> pa.Array:
        found = self._repeat(False, pa.bool_())
        for option in options:
            as_kind = self._comparable(needle, option)
            found = pc.or_kleene(found, pc.equal(as_kind(needle), as_kind(option)))
        return found

    def _like(self, value: Node, pattern: Node) -> pa.Array:
        return pc.match_like(self.text(value), str(_written(pattern)))

    def _test(self, name: str, arguments: tuple[Node, ...]) -> pa.Array:
        kernel = {
            "contains": pc.match_substring, "ends_with": pc.ends_with, "starts_with": pc.starts_with,
            "matches": pc.match_substring_regex,
        }[name]  # fmt: skip
        return kernel(self.text(arguments[0]), str(_written(arguments[1])))

    def _split(self, words: pa.Array, mark: str, part: int) -> pa.Array:
        split = pc.split_pattern(words, mark)
        found = [
            None if parts is None or not 0 < part <= len(parts) else parts[part - 1] for parts in split.to_pylist()
        ]
        return pa.array(found, pa.string())

    def _repeat(self, value: Any, kind: pa.DataType) -> pa.Array:
        return pa.nulls(self.chunk.rows, kind) if value is None else pa.repeat(pa.scalar(value, kind), self.chunk.rows)


def _written(node: Node) -> Any:
    """The value of an argument that must be written out."""
    if node.operation == "negate" and node.operands[0].operation == "literal":
        return -node.operands[0].operands[0]
    return node.operands[0]


def written_out(node: Node) -> str | None:
    """What is wrong where a function or LIKE is given a computed argument that must be written out, else None."""
    if node.operation == "call":
        name, arguments = node.operands
        for argument, kind in zip(arguments[1:], _WRITTEN.get(name, ()), strict=False):
            if type(_literal(argument)) is not kind:
                what = "a text such as 'abc'" if kind is str else "a whole number"
                return f"{name}() needs {what}, written out, where it has something else"
        if name == "lpad" and len(_literal(arguments[2])) != 1:
            return "lpad() fills with one character, e.g. '0'"
        if name == "matches":
            try:
                pc.match_substring_regex(pa.array([""]), str(_literal(arguments[1])))
            except pa.ArrowInvalid as error:
                return f"matches(): {error}"
    if node.operation == "like" and not isinstance(_literal(node.operands[1]), str):
        return "LIKE needs a written-out pattern, e.g. 'C%'"
    for part in node.operands:
        for nested in _nested(part):
            if (wrong := written_out(nested)) is not None:
                return wrong
    return None


def _literal(node: Node) -> Any:
    if node.operation == "literal" or node.operation == "negate":
        return _written(node)
    return None


def _nested(part: Any) -> list[Node]:
    if isinstance(part, Node):
        return [part]
    return [node for item in part for node in _nested(item)] if isinstance(part, tuple) else []
