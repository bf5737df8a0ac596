"""Whatever goes wrong below the API, in the one shape of serving/problems.py."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from serving.problems import FieldError, Problem, field_errors, full_path, invalid, of_status

log = logging.getLogger("tactful.api")


def answer_errors(app: FastAPI) -> None:
    """Every exception of the app becomes a problem; one that nobody foresaw is logged."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response(full_path(request.scope))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _invalid(request, error).response(full_path(request.scope))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"{full_path(request.scope)} is not an address of this API; /v1/docs lists them"
    return of_status(error.status_code, detail, error.headers).response(full_path(request.scope))


async def _internal(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "")  # the path itself may hold a customer's id
    return unforeseen(f"{request.method} {route}", error).response(full_path(request.scope))


def unforeseen(call: str, error: Exception) -> Problem:
    """What a client is told of an exception that nobody foresaw; the log gets the rest. `call` names no customer."""
    log.error("%s failed", call, exc_info=error)
    return Problem("internal", "this is our mistake; the service's log has the details")


def _invalid(request: Request, error: RequestValidationError) -> Problem:
    found = error.errors()
    coding = request.headers.get("content-encoding", "identity")
    if found and coding.casefold() != "identity":
        fix = "send the body as it is, not compressed"
        return Problem(
            "unsupported-media",
            f"found Content-Encoding {coding[:80]!r}",
            (FieldError("Content-Encoding", "is not read", fix),),
        )
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
