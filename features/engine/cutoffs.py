"""What the command line's dates and sizes mean."""

import re

from features import clock
from features.workspace import WorkspaceError

_UNITS = {"h": clock.HOUR, "d": clock.DAY, "w": 7 * clock.DAY}
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
#: Python, the kernel and Arrow's buffers take about so much before the first row is read.
LEAST_MEMORY = 1 << 30


def cutoffs_between(first: int, last: int, step: int) -> list[int]:
    """first, first + step, ... up to and including last."""
    if last < first:
        raise WorkspaceError(f"--to {clock.isoformat(last)} lies before --from {clock.isoformat(first)}")
    return list(range(first, last + 1, step))


def parse_step(text: str) -> int:
    """Microseconds of `7d`, `12h` or `1w`."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdigit() or not int(number):
        raise WorkspaceError(f"--every {text!r}: write a whole number and h, d or w, e.g. 7d")
    return int(number) * _UNITS[unit]


def parse_memory(text: str) -> int:
    """Bytes of `4GB`, `1.5g` or `2048MB`."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text.lower())
    if found is None:
        raise WorkspaceError(f"--memory {text!r}: write a number and a unit, e.g. 4GB or 1500MB")
    size = int(float(found[1]) * _SIZES[found[2]])
    if size < LEAST_MEMORY:
        raise WorkspaceError(f"--memory {text}: the engine needs at least {LEAST_MEMORY >> 30}GB to work in")
    return size
