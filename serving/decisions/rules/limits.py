"""What a rule may cost: bounded by what it may say, because nothing can stop it once it runs.

Measured on this machine with a context of 16 KB: `context.list.map(x, context.text)` took 11 s, as the library copies
the list built so far at every step; a regular expression such as `(a?){1000}a{1000}` took 24 ms to compile. Within
these limits the worst that was found takes a few milliseconds.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from serving.decisions.rules.grammar import Node, walk

LONGEST = 2_000  # characters of a rule; rules are read by people
PATTERN = 64  # characters of a regular expression
ELEMENTS = 100  # of a list or map that a macro may walk over
TEXT = 1_000  # characters of a text that a rule with a macro sees


def excesses(tree: Node) -> Iterator[str]:
    """What a rule says that it may not, each a half sentence with the way out."""
    macros = [node for node in walk(tree) if node.macro]
    for macro in macros:
        if macro.value == "map":
            yield "uses .map(), which copies; say it with .exists(), .all() or .filter()"
        if any(inner.macro for part in macro.parts for inner in walk(part)):
            yield f"has a macro inside .{macro.value}(); one list at a time"
    for node in walk(tree):
        if node.kind in ("list", "map") and len(node.parts) > (ELEMENTS if macros else LONGEST):
            yield f"has a list of {len(node.parts)} elements beside a macro; at most {ELEMENTS}"
        if node.value == "matches" and node.kind in ("method", "call"):
            pattern = node.parts[-1].value if node.parts and node.parts[-1].kind == "literal" else None
            if not isinstance(pattern, str):
                yield "matches() takes a pattern written out in the rule"
            elif len(pattern) > PATTERN or "{" in pattern or "\\" in pattern:
                yield f"matches() takes at most {PATTERN} characters without {{ }} and \\; write [0-9] for \\d"


def oversized(values: Iterable[Any]) -> str | None:
    """Why a rule with a macro cannot be asked about these values, None where it can."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and len(value) > TEXT:
            return f"a text of {len(value)} characters is too long for a rule with a macro; at most {TEXT}"
        if isinstance(value, list | tuple | dict):
            if len(value) > ELEMENTS:
                return f"a list of {len(value)} is too long for a rule with a macro; at most {ELEMENTS}"
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return None
