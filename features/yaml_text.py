"""YAML as people write it: bounded, so that a file of a few lines cannot stand for more than memory holds.

An alias costs nothing to read, yet what looks at the result walks it again wherever it is named: nine levels of nine
aliases each are 400 million values. Counted is therefore what a text says with its aliases written out.
"""

import re
from pathlib import Path
from typing import Any

import yaml

#: Of a file, in bytes: 5,000 actions take half of it, and reading it takes two seconds.
LONGEST = 1_000_000
#: Of values, keys and containers, with aliases written out; a long text counts once for every 64 characters.
MOST = 200_000
#: Characters of a number or an instant: 1:00:00:... is one, too, and each part of it multiplies.
DIGITS = 100
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
#: Octal by a mere 0 in front, and sixtieths.
_OLD = re.compile(r"[-+]?0[0-7_]+|[-+0-9_.]+:[-+0-9_.:]+")


class Excessive(yaml.YAMLError):
    """More than a file may say; the text says what and where."""


def content(path: Path) -> bytes:
    """What a file holds, or the beginning of it where that is too much already. Raises OSError."""
    with path.open("rb") as file:
        return file.read(LONGEST + 1)


def load(written: bytes) -> Any:
    """What a text says. Raises yaml.YAMLError, UnicodeDecodeError, RecursionError."""
    if len(written) > LONGEST:
        raise Excessive(f"is longer than {LONGEST:,} bytes; write less, or split it")
    loader = _Loader(written.decode())
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """Says where a value is that no Python value can be made of: 2026-13-45, a number of 5,000 digits.

    010 and 21:00 are numbers to YAML (8 and 1260), which nobody means who writes them: refused.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            found = super().construct_object(node, deep)
        except (ValueError, ArithmeticError, LookupError, AttributeError) as error:  # PyYAML lets them through
            what = f"{getattr(node, 'value', '')!r} is none: {error}"[:120]
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from None
        if node.tag in _NUMBERS and _OLD.fullmatch(node.value):
            fix = "put it in quotes" if ":" in node.value else "write decimals with a point (0.05), all else in quotes"
            what = f"{node.value!r} is the number {found:g} to YAML; {fix}"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)
        return found


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Nodes below and including this one, each counted wherever it is named."""
    size = known.get(id(node))
    if size is not None:
        if not size:
            raise _excess(node, "an alias inside of what it stands for; write it out")
        return size
    known[id(node)] = 0  # on the way down
    size = 1
    if isinstance(node, yaml.ScalarNode):
        size += len(node.value) // 64
        if node.tag != "tag:yaml.org,2002:str" and len(node.value) > DIGITS:
            raise _excess(node, f"a value of {len(node.value):,} characters that is no text; quote it if it is one")
    else:
        if isinstance(node, yaml.MappingNode):
            _distinct(node)
        below = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        for part in below:
            size += _size(part, known)
            if size > MOST:
                raise _excess(node, f"more than {MOST:,} values once aliases are written out; write less")
    known[id(node)] = size
    return size


def _distinct(node: yaml.MappingNode) -> None:
    """PyYAML keeps the last of two keys alike and drops the first: a cap that somebody wrote would not hold."""
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if (key.tag, key.value) in seen:
            what = f"the key {key.value[:60]!r} is there twice; put what belongs to it together"
            raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
        seen.add((key.tag, key.value))


def _excess(node: yaml.Node, what: str) -> Excessive:
    error = Excessive(what)
    error.problem, error.problem_mark = what, node.start_mark  # type: ignore[attr-defined]  # as PyYAML's own have
    return error
