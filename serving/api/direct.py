"""Plain calls, answered before anything is routed: one model as the body, sent as JSON that fits.

BentoML's app and FastAPI's look for the address one after the other, and stand a dozen wrappers around a call for
dependencies, forms and telemetry that ours have not: more than half of what HTTP cost. Whatever is not plain goes that
way all the same, and gets the same answer there.
"""

from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.errors import unforeseen
from serving.api.routes import Route, strictly
from serving.auth import refuse_scope
from serving.problems import Problem, of_status


class Call(NamedTuple):
    """A route of the API that takes one model as its body and nothing else."""

    model: type[BaseModel]
    scopes: frozenset[str]
    answer: Callable[[Any], Coroutine[Any, Any, Response]]


def plain_calls(app: FastAPI, below: str = "/v1") -> dict[str, Call]:
    """Those of an app that is mounted at `below`, by address."""
    return {
        below + route.path: Call(model, route.scopes, route.endpoint)
        for route in app.routes
        if isinstance(route, Route) and route.methods == {"POST"} and (model := route.model) is not None
    }


class Direct:
    """Pure ASGI, the innermost layer: who asks is known, and no more is read than may be."""

    def __init__(self, app: ASGIApp, calls: Mapping[str, Call]) -> None:
        self.app = app
        self.calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self.calls.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if call is None or not _is_json(scope):
            await self.app(scope, receive, send)
            return
        read = deque[Message]()
        try:
            refuse_scope(scope, call.scopes)
            asked = call.model.model_validate(strictly(await _whole(receive, read)))
        except Problem as problem:
            await problem.answer(scope, receive, send)
            return
        except HTTPException as error:  # too large, or with too many fields
            await of_status(error.status_code, str(error.detail)).answer(scope, receive, send)
            return
        except (ValueError, _HungUp):  # not JSON, not the contract, not to its end

            async def again() -> Message:
                return read.popleft() if read else await receive()

            await self.app(scope, again, send)
            return
        try:
            response = await call.answer(asked)
        except Problem as problem:
            await problem.answer(scope, receive, send)
        except Exception as error:
            await unforeseen(f"POST {scope['path']}", error).answer(scope, receive, send)
            raise
        else:
            await response(scope, receive, send)


class _HungUp(Exception):
    """The client is gone before the body was there."""


def _is_json(scope: Scope) -> bool:
    """By the first header that says so."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            return bool(value == b"application/json")
    return False


async def _whole(receive: Receive, read: deque[Message]) -> bytes:
    """The body; its messages are kept in `read`."""
    more = True
    while more:
        message = await receive()
        read.append(message)
        if message["type"] != "http.request":
            raise _HungUp
        more = message.get("more_body", False)
    return b"".join(message.get("body", b"") for message in read)
