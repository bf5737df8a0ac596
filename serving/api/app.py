"""The FastAPI app of /v1, put together from its nouns."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving import pages
from serving.api import contacts, decide, operations, outbox, preferences, privacy, record
from serving.api.errors import answer_errors
from serving.api.routes import Route, opened, reply

if TYPE_CHECKING:
    from serving.engine import Engine

#: One file a noun, in the order of the API page.
NOUNS = (decide, record, contacts, outbox, preferences, privacy, operations)

DESCRIPTION = """Interactions in, one guarded next best action out; sometimes the best action is silence.

Every call needs an API key (`tactful keys create NAME`) as `Authorization: Bearer KEY` or `X-API-Key: KEY`.
A key has scopes, and a call says which of them it needs: `decide`, `record`, `marketer`, `metrics`; `admin` may all.
Every error has one shape, `application/problem+json` (RFC 9457), naming the field, what was wrong and what to do.
Instants are ISO 8601; without a zone they are UTC. Acknowledged means on disk, and every call can be repeated:
an `interaction_id`, `request_id` or `outcome_id` counts once.
"""


class Api:
    """The app behind a plain callable, so that BentoML's mount leaves unknown paths to it and its problem shape."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def create_api(found: "Callable[[], Engine | None]") -> FastAPI:
    """The app; `found()` is None until the engine is open, and every call then answers 503."""
    app = FastAPI(
        title="Tactful",
        version="1",
        summary="Next best action, with tact",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        servers=[{"url": "/v1"}],
        redirect_slashes=False,
    )
    app.router.route_class = Route
    answer_errors(app)
    engine = opened(found)
    for noun in NOUNS:
        noun.calls(app, engine)  # on the app itself: a router of routers costs 12 us a request
    _documentation(app)
    return app


def _documentation(app: FastAPI) -> None:
    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return reply(pages.openapi(app))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(pages.api_page(pages.openapi(app)))
