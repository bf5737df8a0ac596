"""Python's syntax trees, asked for again where Python trips over itself.

CPython 3.11 counts how deep it is in one place for all threads (gh-106905): where two make trees at once, one may see
"SystemError: AST constructor recursion depth mismatch" for a tree that is fine.
"""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
TRIES = 20


def steady(make: Callable[[], T]) -> T:
    """What `make` makes of a syntax tree; the last try's error is raised."""
    for _ in range(TRIES - 1):
        try:
            return make()
        except SystemError:
            continue
    return make()
