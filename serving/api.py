"""The public API: a thin FastAPI app that reads requests, asks the engine, and writes answers. No logic here."""

import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving import answers, pages
from serving.problems import MEDIA_TYPE, FieldError, Problem, field_errors, full_path, invalid, of_status
from serving.schemas import (
    AttributeBatch,
    DecideRequest,
    IdentifierBatch,
    InteractionBatch,
    OutcomeRequest,
    ReportRequest,
    ScoreRequest,
    Word,
)

if TYPE_CHECKING:
    from serving.engine import Engine  # it takes seconds to import; BentoML's parent process needs only the routes

log = logging.getLogger("tactful.api")
EngineOf = Callable[[], "Engine | None"]
ContactId = Annotated[Word, Path(description="the `contact_id` of a decision", examples=["d-01JF3V8QYB.1"])]

DESCRIPTION = """Interactions in, one guarded next best action out; sometimes the best action is silence.

Every call needs an API key (`tactful keys create NAME`) as `Authorization: Bearer KEY` or `X-API-Key: KEY`.
Every error has one shape, `application/problem+json` (RFC 9457), naming the field, what was wrong and what to do.
Instants are ISO 8601; without a zone they are UTC. Acknowledged means on disk, and every call can be repeated:
an `interaction_id`, `request_id` or `outcome_id` counts once.
"""


class StrictJson(Request):
    """Reads bodies with orjson: NaN, infinity, lone surrogates and a thousand nested brackets are not JSON to it."""

    async def json(self) -> Any:
        return orjson.loads(await self.body())


class Route(APIRoute):
    """A route whose request is read by StrictJson."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictJson(request.scope, request.receive))

        return strict


class Api:
    """The app behind a plain callable, so that BentoML's mount leaves unknown paths to it and its problem shape."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def create_api(engine_of: EngineOf) -> FastAPI:
    """The app; `engine_of()` is None until the engine is open, and every call then answers 503."""
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
    _errors(app)
    _calls(app, engine_of)
    _documentation(app)
    return app


def reply(content: Any, status: int = 200) -> Response:
    """JSON by orjson; NaN becomes null."""
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status, media_type="application/json")


def _calls(app: FastAPI, engine_of: EngineOf) -> None:
    def engine() -> "Engine":
        found = engine_of()
        if found is None:
            raise Problem("not-ready", "the store is being opened; `/readyz` says more", headers={"Retry-After": "1"})
        return found

    @app.post("/decide", tags=["Decide"], **answers.documented(answers.Decided, 503))
    async def decide(body: DecideRequest) -> Response:
        """One next best action for a customer on a channel, or silence, with the fate of every candidate.

        An outbound action comes with a reserved contact: claim it just before sending, then report `sent` or `failed`.
        """
        return reply(await engine().decide(body))

    @app.post("/score", tags=["Decide"], **answers.documented(answers.Scored, 503))
    async def score(body: ScoreRequest) -> Response:
        """The champions' probabilities for a customer as of now; changes nothing."""
        return reply(engine().score(body))

    @app.post("/interactions", tags=["Record"], **answers.documented(answers.Recorded))
    async def interactions(body: InteractionBatch) -> Response:
        """Up to 1,000 interactions; `received = accepted + duplicates + quarantined`.

        A row that breaks the contract is kept in quarantine with its reason, and the others are taken.
        """
        return reply(await engine().record(body.interactions))

    @app.post("/attributes", tags=["Record"], **answers.documented(answers.AttributesRecorded))
    async def attributes(body: AttributeBatch) -> Response:
        """Up to 1,000 records of what is true of customers since when; features read them as of the instant asked.

        A record that cannot be taken is kept in quarantine with its reason, and the others are taken.
        """
        return reply(await engine().record_attributes(body.records))

    @app.post("/identifiers", tags=["Record"], **answers.documented(answers.LinksRecorded))
    async def identifiers(body: IdentifierBatch) -> Response:
        """Up to 1,000 links of identifiers to customers: who is who from now on, for decisions and contact caps alike.

        A link that cannot be taken is kept in quarantine with its reason, and the others are taken.
        """
        return reply(await engine().record_links(body.identifiers))

    @app.post("/outcomes", tags=["Record"], **answers.documented(answers.OutcomeRecorded, 404))
    async def outcomes(body: OutcomeRequest) -> Response:
        """What became of a decision. A rejection starts a cool-down, an opt-out binds at once and for good."""
        return reply(await engine().outcome(body))

    @app.post("/contacts/{contact_id}/claim", tags=["Contacts"], **answers.documented(answers.Contact, 404, 409))
    async def claim(contact_id: ContactId) -> Response:
        """May this contact be sent now? 409 where it expired, the customer opted out, or it was claimed before."""
        return reply(await engine().claim(contact_id))

    @app.post("/contacts/{contact_id}/sent", tags=["Contacts"], **answers.documented(answers.Contact, 404, 409))
    async def sent(contact_id: ContactId) -> Response:
        """The contact went out; it counts toward pressure from now on."""
        return reply(await engine().sent(contact_id))

    @app.post("/contacts/{contact_id}/failed", tags=["Contacts"], **answers.documented(answers.Contact, 404, 409))
    async def failed(contact_id: ContactId, body: ReportRequest | None = None) -> Response:
        """The contact did not go out; its slot is given back."""
        return reply(await engine().failed(contact_id, body.detail if body else None))


def _documentation(app: FastAPI) -> None:
    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return reply(pages.openapi(app))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(pages.api_page(pages.openapi(app)))


def _errors(app: FastAPI) -> None:
    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response(full_path(request.scope))

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _invalid(request, error).response(full_path(request.scope))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = str(error.detail)
        if error.status_code == 404:
            detail = f"{full_path(request.scope)} is not an address of this API; /v1/docs lists them"
        return of_status(error.status_code, detail, error.headers).response(full_path(request.scope))

    async def internal(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
        detail = "this is our mistake; the service's log has the details"
        return Problem("internal", detail).response(full_path(request.scope))

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, internal)


def _invalid(request: Request, error: RequestValidationError) -> Problem:
    found = error.errors()
    if found and found[0]["type"] == "json_invalid":
        what = f"{found[0]['ctx']['error']} at character {found[0]['loc'][-1]}"
        return Problem("malformed", what, (FieldError("(the whole body)", what, "send valid JSON in UTF-8"),))
    media = request.headers.get("content-type", "")
    if isinstance(error.body, bytes):
        return Problem(
            "unsupported-media",
            f"found {media[:80]!r}" if media else "the header Content-Type is missing",
            (FieldError("Content-Type", "is not application/json", "send `Content-Type: application/json`"),),
        )
    return invalid(field_errors(found))


__all__ = ["MEDIA_TYPE", "Api", "create_api", "reply"]
