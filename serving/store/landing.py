"""Futures of another thread, awaited on an event loop: those that resolve together wake it once.

`asyncio.wrap_future` wakes the loop for each of them, and chains two futures to do so: with a group of sixteen
decisions, that was as much work as writing them.
"""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
_here = threading.local()


class Landing:
    """Whoever waits on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._ready: deque[asyncio.Future[None]] = deque()
        self._told = False  # the loop is to look

    def arrive(self, waiter: "asyncio.Future[None]", _: "Future[Any]") -> None:
        """Called by the thread that resolved the future."""
        self._ready.append(waiter)
        if not self._told:  # before it looks it says that it has not been told: nobody is overlooked
            self._told = True
            try:
                self.loop.call_soon_threadsafe(self._look)
            except RuntimeError:  # the loop is closed: nobody waits any more
                self._ready.clear()

    def _look(self) -> None:
        self._told = False
        while self._ready:
            waiter = self._ready.popleft()
            if not waiter.done():  # or it was cancelled
                waiter.set_result(None)


async def landed(future: "Future[T]") -> T:
    """What the future resolves to. Whoever stops waiting (a client that hangs up) does not take the work back."""
    if not future.done():
        loop = asyncio.get_running_loop()
        landing: Landing | None = getattr(_here, "landing", None)
        if landing is None or landing.loop is not loop:
            landing = _here.landing = Landing(loop)
        waiter: asyncio.Future[None] = loop.create_future()
        future.add_done_callback(partial(landing.arrive, waiter))
        await waiter
    return future.result()
