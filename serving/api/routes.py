"""What every call has in common: JSON read strictly and written by orjson, and a scope that its key must have.

A call that takes one model as its body, sent as plain JSON that fits, is answered without FastAPI's machinery for
dependencies, forms and the like, which took as long as all the rest of HTTP (50 us); anything else is left to it, and
so are all errors.
"""

import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from serving.answers import SCOPES_OF_CALL
from serving.auth import refuse_scope
from serving.problems import Problem
from serving.schemas import MAX_FIELDS

if TYPE_CHECKING:
    from serving.engine import Engine  # it takes seconds to import; BentoML's parent process needs only the routes

#: The engine; raises the problem `not-ready` until it is open.
EngineOf = Callable[[], "Engine"]


class StrictJson(Request):
    """Reads bodies with orjson: NaN, infinity, lone surrogates and a thousand nested brackets are not JSON to it."""

    async def json(self) -> Any:
        found = orjson.loads(await self.body())
        if isinstance(found, dict) and len(found) > MAX_FIELDS:  # naming each unknown one would take seconds
            raise HTTPException(422, f"the body has {len(found):,} fields; send only those of the contract")
        return found


class Route(APIRoute):
    """A route read by StrictJson, for keys with one of the scopes that it was documented with; without any, for nobody.

    The scope is judged before the body is read.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler, call, model = super().get_route_handler(), self.endpoint, self._model()
        scopes = frozenset((self.openapi_extra or {}).get(SCOPES_OF_CALL, ()))

        async def strict(request: Request) -> Response:
            if self.include_in_schema:  # the API page is for everyone
                refuse_scope(request.scope, scopes)
            asked = StrictJson(request.scope, request.receive)
            if model is not None and asked.headers.get("content-type") == "application/json":
                try:
                    body = model.model_validate(await asked.json())
                except (ValueError, ClientDisconnect):  # not JSON, or not the contract: the body is kept
                    return await handler(asked)
                response: Response = await call(body)
                return response
            return await handler(asked)

        return strict

    def _model(self) -> type[BaseModel] | None:
        """The model of the body, where the call takes nothing else."""
        taken = list(inspect.signature(self.endpoint).parameters.values())
        one = taken[0].annotation if len(taken) == 1 else None
        return one if isinstance(one, type) and issubclass(one, BaseModel) else None


def opened(found: "Callable[[], Engine | None]") -> EngineOf:
    """`found()` or, where it is None, the problem that says so."""

    def engine() -> "Engine":
        engine = found()
        if engine is None:
            raise Problem("not-ready", "the store is being opened; `/readyz` says more", headers={"Retry-After": "1"})
        return engine

    return engine


def reply(content: Any, status: int = 200) -> Response:
    """JSON by orjson; NaN becomes null."""
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status, media_type="application/json")
