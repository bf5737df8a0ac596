"""What an event loop asks of a thread goes to it together, when the loop's turn is over.

Else the thread would wake for the first of sixteen decisions, and make the loop wait for it while it judges the others.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Gathering(Generic[Item]):
    """`put` from any thread; `take` is called with what was put in a turn of a loop, or at once where there is none."""

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
            loop.call_soon(self.hand_over)

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
