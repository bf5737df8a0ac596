"""What the server refuses before it reads: bodies that are too large, and requests that take too long."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import Problem

#: Bytes. A batch of 1,000 interactions with every field filled is about 0.6 MB.
MAX_BODY = 4 * 1024 * 1024


class BodyLimit:
    """413 for a body over `limit` bytes, whether its length is announced or it arrives in chunks."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced[:20]) > self.limit:
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
    """504 after `seconds`, with a timer that is cancelled when the answer is there.

    It stands in for BentoML's TimeoutMiddleware, see serving/bento.py.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        timer = asyncio.timeout(self.seconds)
        try:
            async with timer:
                await self.app(scope, receive, noted)
        except TimeoutError:
            if started or not timer.expired():
                raise
            detail = (
                f"no answer within {self.seconds:g} s; what was sent may have been done: "
                "ask again with the same request_id or interaction_id, which counts once"
            )
            await Problem("timeout", detail).answer(scope, receive, send)
