"""One shape for every error: RFC 9457 problem details, saying which field, what was wrong and what to do.

{"type": "/v1/docs#invalid-request", "title": "The request breaks the contract", "status": 422,
 "detail": "customer_id is missing", "instance": "/v1/decide",
 "errors": [{"field": "customer_id", "what": "is missing", "fix": "add it"}]}
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "application/problem+json"

#: slug -> (status, title). The API page explains each slug under this anchor.
KINDS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The body is not JSON"),
    "unauthorised": (401, "No valid API key"),
    "forbidden": (403, "This API key may not do that"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "This address does not take that method"),
    "conflict": (409, "The contact is not in a state that allows this"),
    "too-large": (413, "The body is too large"),
    "unsupported-media": (415, "The body must be application/json"),
    "invalid-request": (422, "The request breaks the contract"),
    "overloaded": (429, "The service has more to do than it can"),
    "internal": (500, "The service failed"),
    "not-ready": (503, "The service is not ready"),
    "timeout": (504, "The service took too long"),
}
_SLUGS = {status: slug for slug, (status, _) in KINDS.items()}


@dataclass(frozen=True)
class FieldError:
    """`field` in dots and numbers (`interactions.3.value`), what is wrong with it, what to do."""

    field: str
    what: str
    fix: str

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "what": self.what, "fix": self.fix}


@dataclass(eq=False)
class Problem(Exception):
    """Raise it anywhere below the API; `extra` members are added to the body as they are."""

    slug: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return KINDS[self.slug][0]

    def body(self, instance: str) -> bytes:
        """The JSON document for a request to the path `instance`."""
        content: dict[str, Any] = {
            "type": f"/v1/docs#{self.slug}",
            "title": KINDS[self.slug][1],
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "errors": [error.as_dict() for error in self.errors],
        }
        return orjson.dumps(content | dict(self.extra), option=orjson.OPT_SERIALIZE_NUMPY)

    def response(self, instance: str) -> Response:
        return Response(self.body(instance), self.status, dict(self.headers), MEDIA_TYPE)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the problem from bare ASGI code, where no exception handler stands above."""
        await self.response(full_path(scope))(scope, receive, send)


def full_path(scope: Scope) -> str:
    """The path as the client wrote it: Starlette keeps the mount's prefix in it."""
    return str(scope.get("path", "")) or "/"


def of_status(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem that stands for a bare HTTP status; an unlisted 4xx is a bad request, an unlisted 5xx internal."""
    slug = _SLUGS.get(status, "malformed" if status < 500 else "internal")
    return Problem(slug, detail, headers=headers or {})


async def outside(request: Request, error: Exception) -> Response:
    """Starlette's exception handler for paths that no app of ours answers."""
    assert isinstance(error, HTTPException)
    path = full_path(request.scope)
    return of_status(error.status_code, f"{path}: {error.detail}", error.headers).response(path)


_WHATS = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "model_type": "should be a JSON object",
    "model_attributes_type": "should be a JSON object",
    "dict_type": "should be a JSON object",
    "list_type": "should be a JSON list",
    "float_type": "should be a number",
    "string_pattern_mismatch": "should hold no control characters",
    "string_too_short": "is empty",
}
_FIXES = {
    "missing": "add it",
    "extra_forbidden": "remove it, or correct its spelling",
    "string_type": "send text in quotes",
    "bool_type": "send true or false",
    "float_type": "send a number without quotes, or leave it out where it is unknown",
    "finite_number": "send a finite number, or leave it out where it is unknown",
    "model_type": "send a JSON object in { }",
    "model_attributes_type": "send a JSON object in { }",
    "dict_type": "send a JSON object in { }",
    "list_type": "send a list in [ ]",
    "too_long": "send less, in several requests",
    "too_short": "send at least one",
    "string_too_short": "send at least one character, or leave the field out where it may be",
    "string_pattern_mismatch": "leave out control characters such as line breaks and null bytes",
}


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Pydantic's errors in our words; `loc` loses FastAPI's leading `body`, `path` or `query`."""
    return [_field_error(error) for error in errors]


def _field_error(error: Mapping[str, Any]) -> FieldError:
    loc = [str(part) for part in error.get("loc", ())]
    if loc[:1] in (["body"], ["path"], ["query"], ["header"]):
        loc = loc[1:]
    name = ".".join(loc)[:200] or "(the whole body)"
    kind = str(error.get("type", ""))
    message = str(error.get("msg", "is not valid")).removeprefix("Value error, ").removeprefix("Input ")
    what = _WHATS.get(kind, message)
    fix = _FIXES.get(kind) or what.partition("; ")[2] or _sent(what)
    # a validator of ours says what is wrong inside: nobody needs to be told that it is a list or an object
    inner = (not loc or kind == "value_error") and isinstance(error.get("input"), dict | list)
    if "input" in error and not inner and kind not in ("missing", "extra_forbidden", "string_too_short"):
        what = f"{what} (found {shown(error['input'])})"
    return FieldError(name, what, fix)


def _sent(what: str) -> str:
    """What to send, of pydantic's `should be a valid integer` and of `should be at least ...`."""
    before, told, wanted = what.partition("should be ")
    if before or not told:
        return f"correct it: {what}"
    return f"send {'' if wanted.startswith(('a ', 'an ', chr(39))) else 'a value '}{wanted}"


def shown(value: Any) -> str:
    """A short rendering of what was found, safe for any JSON value."""
    if isinstance(value, dict | list):
        return f"a JSON {'object' if isinstance(value, dict) else 'list'}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def invalid(errors: Sequence[FieldError]) -> Problem:
    """422: one sentence for people, one entry a field for programs."""
    first = f"{errors[0].field}: {errors[0].what}" if errors else "the request breaks the contract"
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return Problem("invalid-request", first + more, tuple(errors[:50]))
