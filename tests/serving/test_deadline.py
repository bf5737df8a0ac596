"""No request is answered later than its deadline, and nobody else's cancellation is taken for one."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from serving.limits import Deadline

SCOPE = {"type": "http", "method": "POST", "path": "/v1/decide", "headers": []}
SHORT = 0.02  # seconds


class Waiting:
    """Answers when it is let go; `begins` sends the first part of an answer before."""

    def __init__(self, begins: bool = False) -> None:
        self.begins = begins
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  as ASGI has it
        if self.begins:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def asked(app: Deadline) -> int:
    """The status of the answer."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nobody reads")

    async def send(message: Message) -> None:
        sent.append(message)

    await app(dict(SCOPE), receive, send)
    return int(sent[0]["status"])


def test_each_that_hangs_is_ended_and_later_ones_too() -> None:
    async def check() -> None:
        inner = Waiting()
        app = Deadline(inner, SHORT)
        assert await asyncio.gather(*(asked(app) for _ in range(5))) == [504] * 5
        assert await asked(app) == 504  # the timer is set again
        inner.go.set()
        assert await asked(app) == 200
        inner.go.clear()
        assert await asked(app) == 504

    asyncio.run(check())


def test_one_app_on_two_loops() -> None:
    async def check(app: Deadline) -> int:
        return await asked(app)

    async def left(app: Deadline) -> None:
        app.app.go.set()  # type: ignore[attr-defined]
        assert await asked(app) == 200

    inner = Waiting()
    app = Deadline(inner, SHORT)
    asyncio.run(left(app))  # its timer is still set when the loop ends
    inner.go = asyncio.Event()
    assert asyncio.run(check(app)) == 504


def test_the_older_of_two_is_ended_alone() -> None:
    async def check() -> None:
        inner = Waiting()
        app = Deadline(inner, SHORT)
        first = asyncio.create_task(asked(app))
        await asyncio.sleep(0)
        app.seconds = 60.0
        second = asyncio.create_task(asked(app))
        assert await first == 504
        assert not second.done()
        inner.go.set()
        assert await second == 200

    asyncio.run(check())


def test_an_answer_that_has_begun_is_broken_off() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(asked(Deadline(Waiting(begins=True), SHORT)))


def test_a_cancellation_from_outside_stays_one() -> None:
    async def check() -> None:
        app = Deadline(Waiting(), 60.0)
        task = asyncio.create_task(asked(app))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not app._running

    asyncio.run(check())


def test_whoever_is_cancelled_twice_goes() -> None:
    async def check() -> None:
        app = Deadline(Waiting(), SHORT)
        task: asyncio.Task[Any] = asyncio.create_task(asked(app))
        await asyncio.sleep(0)
        (own,) = app._running
        own.expired = True  # the deadline and the server at the same moment
        task.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(check())
