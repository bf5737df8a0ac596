"""What every call has in common: JSON read strictly and written by orjson, and a scope that its key must have."""

import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from serving.answers import SCOPES_OF_CALL
from serving.auth import refuse_scope
from serving.problems import Problem
from serving.schemas import MAX_FIELDS

if TYPE_CHECKING:
    from serving.engine import Engine  # it takes seconds to import; BentoML's parent process needs only the routes

#: The engine; raises the problem `not-ready` until it is open.
EngineOf = Callable[[], "Engine"]


def strictly(body: bytes) -> Any:
    """JSON by orjson: NaN, infinity, lone surrogates and a thousand nested brackets are not JSON to it (ValueError)."""
    found = orjson.loads(body)
    if isinstance(found, dict) and len(found) > MAX_FIELDS:  # naming each unknown one would take seconds
        raise HTTPException(422, f"the body has {len(found):,} fields; send only those of the contract")
    return found


class StrictJson(Request):
    """Reads bodies strictly."""

    async def json(self) -> Any:
        return strictly(await self.body())


class Route(APIRoute):
    """A route read by StrictJson, for keys with one of the scopes that it was documented with; without any, for nobody.

    The scope is judged before the body is read.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            if self.include_in_schema:  # the API page is for everyone
                refuse_scope(request.scope, self.scopes)
            return await handler(StrictJson(request.scope, request.receive))

        return strict

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset((self.openapi_extra or {}).get(SCOPES_OF_CALL, ()))

    @property
    def model(self) -> type[BaseModel] | None:
        """The model of the body, where the call takes nothing else."""
        taken = list(inspect.signature(self.endpoint).parameters.values())
        one = taken[0].annotation if len(taken) == 1 else None
        return one if isinstance(one, type) and issubclass(one, BaseModel) else None


class Json(Response):
    """An answer that is JSON already."""

    media_type = "application/json"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:  # noqa: ARG002  none is ever given
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), (b"content-type", b"application/json")]


def opened(found: "Callable[[], Engine | None]") -> EngineOf:
    """`found()` or, where it is None, the problem that says so."""

    def engine() -> "Engine":
        engine = found()
        if engine is None:
            raise Problem("not-ready", "the store is being opened; `/readyz` says more", headers={"Retry-After": "1"})
        return engine

    return engine


def dumped(content: Any) -> bytes:
    """JSON by orjson; NaN becomes null."""
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def reply(content: Any, status: int = 200) -> Response:
    return Json(dumped(content), status)
