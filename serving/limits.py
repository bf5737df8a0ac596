"""What the server refuses before it reads: more requests than it can answer soon, bodies that are too large, and
requests that take too long.
"""

import asyncio
import time
from collections.abc import Container
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.auth import in_console
from serving.problems import Problem

#: Bytes. A batch of 1,000 interactions with every field filled is about 0.6 MB.
MAX_BODY = 4 * 1024 * 1024
#: Requests that a worker answers at a time. Each decision takes under a thousandth of a second of it, so that whoever
#: is let in waits some hundredths at most, while one group commit serves many of them.
IN_FLIGHT = 40
#: Bytes of a body that weigh as one request more: a batch of a thousand rows is as much work as many decisions.
WEIGHT = 16 * 1024
#: Seconds after which whoever was refused may ask again.
AGAIN = 1
#: How many refusals a second are answered without delay.
PROMPT = 100


class Shed:
    """429 for what would have to wait too long, before anything of it is read or looked up.

    The console's pages are made beside the event loop and bounded there (serving/console/aside.py): somebody who reads
    takes no decision's place, and no flood of decisions keeps people from looking.

    Requests in flight weigh by their announced length. What is alone is let in however much it weighs. The first PROMPT
    refusals of a second are answered at once. Further ones come from clients that do not wait as they are told, and
    get their answer when they should have asked again: to refuse somebody ten thousand times a second is work too, and
    those who were let in would wait for it.
    """

    def __init__(self, app: ASGIApp, most: int = IN_FLIGHT, exempt: Container[str] = ()) -> None:
        self.app = app
        self.most = most
        self.exempt = exempt
        self.weight = 0
        self._second = 0
        self._refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.exempt or in_console(scope["path"]):
            await self.app(scope, receive, send)
            return
        weight = 1 + announced(scope) // WEIGHT
        if self.weight and self.weight + weight > self.most:
            await self._refuse(scope, receive, send)
            return
        self.weight += weight
        try:
            await self.app(scope, receive, send)
        finally:
            self.weight -= weight

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._refused = second, 0
        self._refused += 1
        if self._refused > PROMPT:
            await asyncio.sleep(AGAIN)
        detail = "more is asked at this moment than can be answered soon; ask again in a second or later"
        await Problem("overloaded", detail, headers={"Retry-After": str(AGAIN)}).answer(scope, receive, send)


def announced(scope: Scope) -> int:
    """The Content-Length of a request; 0 where it says none."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value[:20]) if value.isdigit() else 0
    return 0


class BodyLimit:
    """413 for a body over `limit` bytes, whether its length is announced or it arrives in chunks."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if announced(scope) > self.limit:
            await Problem("too-large", self._detail()).answer(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit:  # raised inside the application, which answers in the problem shape
                raise HTTPException(413, self._detail())
            return message

        await self.app(scope, counted, send)

    def _detail(self) -> str:
        return f"at most {self.limit:,} bytes are read; send the rows in several requests"


class Deadline:
    """504 after `seconds`; it stands in for BentoML's TimeoutMiddleware, see serving/bento.py.

    All requests have equally long, so they come to their ends in the order in which they began: one timer, set for the
    oldest, serves all of them. A timer for each (`asyncio.timeout`) costs three times as much.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds
        self._running: dict[_Running, None] = {}  # the oldest first
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # a server answers each request in a task
        own = self._began(task, loop)
        over = False
        try:
            try:
                await self.app(scope, receive, noted)
            finally:
                self._running.pop(own, None)
                # as `asyncio.timeout` does: where somebody else cancels, too (the server stops), theirs goes on
                over = own.expired and task.uncancel() <= own.cancelling
        except asyncio.CancelledError as error:
            if not over:
                raise
            if started:
                raise TimeoutError from error
            detail = (
                f"no answer within {self.seconds:g} s; what was sent may have been done: "
                "ask again with the same request_id or interaction_id, which counts once"
            )
            await Problem("timeout", detail).answer(scope, receive, send)

    def _began(self, task: "asyncio.Task[Any]", loop: asyncio.AbstractEventLoop) -> "_Running":
        own = _Running(task, loop.time() + self.seconds)
        if loop is not self._loop:  # the one before is closed, and its timer never rings
            self._loop, self._timer = loop, None
            self._running.clear()
        self._running[own] = None
        if self._timer is None:
            self._timer = loop.call_at(own.until, self._look, loop)
        return own

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends what is over its time, and waits for the next."""
        self._timer, now = None, loop.time()
        for each in list(self._running):
            if each.until > now:
                self._timer = loop.call_at(each.until, self._look, loop)
                return
            del self._running[each]
            each.expired = True
            each.task.cancel()


class _Running:
    """A request that is being answered; `cancelling`: how often its task had been cancelled before."""

    __slots__ = ("cancelling", "expired", "task", "until")

    def __init__(self, task: "asyncio.Task[Any]", until: float) -> None:
        self.task, self.until, self.expired = task, until, False
        self.cancelling = task.cancelling()
