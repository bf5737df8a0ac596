"""What happens in another process or thread is waited for: how long it takes is the machine's affair."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
#: Seconds after which it does not come any more, and for which a test waits for an answer.
NEVER = 120


def until(condition: Callable[[], T], seconds: float = NEVER) -> T:
    """The first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)
    return found
