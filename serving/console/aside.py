"""Pages are made beside the event loop, so that no decision waits for one, and only so many at a time."""

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from serving.problems import Problem

T = TypeVar("T")
#: Pages made at a time: each takes turns with the event loop at Python's lock, so more of them would slow decisions.
THREADS = 2
#: Pages that are being made or wait for it, in one worker.
MOST = 16
#: Seconds until a reader is told that a page takes too long; under the service's own deadline (serving/service.py).
PATIENCE = 8.0
AGAIN = {"Retry-After": "2"}
#: Seconds that a thread keeps Python's lock while another waits for it. With Python's own 0.005 s, which a decision
#: waits some times, it took 2.6 times as long in the median beside pages made without a pause; with this 1.1 times.
TURN = 0.0002


class Turns:
    """Short turns at Python's lock while any page is being made; as they were before, otherwise. One event loop's."""

    def __init__(self) -> None:
        self._pages = 0
        self._usual = sys.getswitchinterval()

    def __enter__(self) -> None:
        self._pages += 1
        sys.setswitchinterval(TURN)

    def __exit__(self, *_: object) -> None:
        self._pages -= 1
        if not self._pages:
            sys.setswitchinterval(self._usual)


class Aside:
    """A few threads of their own for making pages."""

    def __init__(self, threads: int = THREADS, most: int = MOST, patience: float = PATIENCE) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tactful-console")
        self._free = threading.BoundedSemaphore(most)
        self._patience = patience

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """What `work` returns. Raises the problems `overloaded` and `timeout`, and whatever it raises."""
        if not self._free.acquire(blocking=False):
            raise Problem("overloaded", "more pages are asked for at this moment than can be made soon", headers=AGAIN)
        made = self._pool.submit(work, *arguments)
        made.add_done_callback(lambda _: self._free.release())
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.wrap_future(made)
        except TimeoutError:
            raise Problem("timeout", f"the page was not there within {self._patience:g} s") from None
