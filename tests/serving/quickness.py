"""That something ends soon: bounds are many times what it takes, so that only what hangs or explodes exceeds them."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def quick(call: Callable[[], T], seconds: float, tries: int = 4) -> T:
    """What `call` returns; in one of a few tries it took less CPU than that. The process's other threads count, too."""
    took = []
    while len(took) < tries:
        start = time.process_time()
        answer = call()
        took.append(time.process_time() - start)
        if took[-1] < seconds:
            return answer
    raise AssertionError(f"took {min(took):.3f} s of CPU at least, not less than {seconds}")
