"""What an event loop asks of a thread goes to it together, when a turn of the loop brings nothing more.

Else the thread would wake for the first of sixteen decisions, and make the loop wait for it while it judges the others:
Python runs one of them at a time, and each change costs both what they had in the processor's caches.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
#: So many are handed over at once, whatever else the loop has to do: the first of them has waited for the others.
MOST = 16


class Gathering(Generic[Item]):
    """`put` from any thread; `take` is called with what was put in turns of a loop that follow each other, or at once
    where there is none."""

    def __init__(self, take: Callable[[list[Item]], None]) -> None:
        self._take = take
        self._items: list[Item] = []
        self._lock = threading.Lock()

    def put(self, item: Item) -> None:
        with self._lock:
            self._items.append(item)
            first = len(self._items) == 1
        loop = asyncio._get_running_loop()
        if loop is None:
            self.hand_over()
        elif first:
            loop.call_soon(self._turned, loop, 0)

    def _turned(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """A turn of the loop is over, at whose beginning `before` items waited."""
        now = len(self._items)
        if before < now < MOST:
            loop.call_soon(self._turned, loop, now)
        else:
            self.hand_over()

    def hand_over(self) -> None:
        with self._lock:
            if self._items:
                self._take(self._items)
                self._items = []

    def answer(self) -> "Future[Any]":
        """For an item: whoever waits for it in plain code does not wait for the end of the turn."""
        return _Answer(self.hand_over)


class _Answer(Future[Any]):
    def __init__(self, hand_over: Callable[[], None]) -> None:
        super().__init__()
        self._hand_over = hand_over

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self._hand_over()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        if not self.done():
            self._hand_over()
        return super().exception(timeout)
