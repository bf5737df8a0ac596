"""Reading for an event loop where each reading is a journey to a server: those of one turn go together.

The loop goes on meanwhile. A thread of its own makes one statement of what waits.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from serving.store.gathering import Gathering
from serving.store.protocol import Unavailable

Key = TypeVar("Key")
Found = TypeVar("Found")


class Fetcher(Generic[Key, Found]):
    """`fetch` from any thread; `ask` finds what several keys stand for, in their order."""

    def __init__(self, ask: Callable[[Sequence[Key]], Sequence[Found]]) -> None:
        self._ask = ask
        self._waiting: queue.SimpleQueue[list[tuple[Key, Future[Found]]] | None] = queue.SimpleQueue()
        self._gathering: Gathering[tuple[Key, Future[Found]]] = Gathering(self._waiting.put)
        self._thread = threading.Thread(target=self._run, name="store-fetcher", daemon=True)
        self._closed = False
        self._thread.start()

    def fetch(self, key: Key) -> "Future[Found]":
        """Raises Unavailable, like the future itself, where the store is closed or away."""
        if self._closed:
            raise Unavailable("the store is closed")
        future = self._gathering.answer()
        self._gathering.put((key, future))
        return future

    def close(self) -> None:
        """Answers what was asked, then stops."""
        self._closed = True
        self._gathering.hand_over()
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (asked := self._waiting.get()) is not None:
            wanted = [(key, future) for key, future in asked if future.set_running_or_notify_cancel()]
            if wanted:
                self._answer(wanted)
            asked = wanted = []  # an idle thread keeps nobody's rows

    def _answer(self, wanted: list[tuple[Key, Future[Found]]]) -> None:
        """Together; where one of them cannot be read, each alone, so that the others are."""
        try:
            found = self._ask([key for key, _ in wanted])
        except BaseException as error:
            if len(wanted) > 1 and not isinstance(error, Unavailable):
                for each in wanted:
                    self._answer([each])
                return
            for _, future in wanted:
                future.set_exception(error)
        else:
            for (_, future), answer in zip(wanted, found, strict=True):
                future.set_result(answer)
