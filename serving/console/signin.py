"""Signing in with a key and out again: the two things that the console takes a POST for.

The form's token must come back with the cookie that the form was shown with, and the browser must not say that
another site sent it; then the throttle is asked, and only then the key looked at.
"""

import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serving.auth import CONSOLE, Keyring
from serving.console import answers, routes, session
from serving.console.session import Signed
from serving.console.throttle import Throttle
from serving.console.views import VIEWS
from serving.console.writing import Writing

if TYPE_CHECKING:
    from serving.engine import Engine

#: Holds the secret that a form's token is made with, for whoever is not signed in.
COOKIE = "tactful_form"
#: Bytes of a form; one with the longest address to go back to is a tenth of it.
MOST = 16 * 1024
SCOPES = frozenset(view.scope for view in VIEWS)


def ask(request: Request) -> Response:
    """To the form, which leads back to what was asked for."""
    address = routes.back(request.url.path if not request.scope.get("raw_path") else _asked(request))
    return RedirectResponse(f"{CONSOLE}/sign-in?next={quote(address, safe='')}", 303)


async def form(
    request: Request, writing: Writing, address: str, error: str | None = None, status: int = 200
) -> Response:
    """The page with the form, and the cookie that its token goes with."""
    secret = request.cookies.get(COOKIE, "")
    if not 20 <= len(secret) <= 100:
        secret = secrets.token_urlsafe(24)
    response = await writing.shown(answers.sign_in(session.token(secret), routes.back(address), error), status)
    response.set_cookie(COOKIE, secret, **session.settings(request))  # type: ignore[arg-type]
    return response


async def sign_in(
    request: Request, writing: Writing, engine: "Engine", keyring: Keyring, throttle: Throttle, old: Signed | None
) -> Response:
    """Exchanges a key for a session. Raises Problem where the store is away."""
    fields = await _fields(request)
    if fields is None:
        return await writing.shown(answers.failed(413), 413)
    address = routes.back(fields.get("next", ""))
    if from_elsewhere(request) or not session.genuine(request.cookies.get(COOKIE, ""), fields.get("token", "")):
        return await form(
            request, writing, address, "This form was too old, or from elsewhere. Please try once more.", 403
        )
    seconds = await throttle.wait(engine, request.client.host if request.client else "")
    if seconds:
        refused = await writing.shown(
            answers.failed(429, f"Too many tried to sign in. Try again in {seconds} seconds."), 429
        )
        refused.headers["Retry-After"] = str(seconds)
        return refused
    key = fields.get("key", "").strip()
    client = await keyring.client(key) if key else None
    if client is None or client.revoked:
        return await form(request, writing, address, "This key is not known here, or was revoked.", 401)
    request.scope.setdefault("state", {})["client"] = client
    if not client.may(SCOPES):
        error = "This key is not for looking. Ask for one made with --scope marketer."
        return await form(request, writing, address, error, 403)
    if old is not None:
        await session.end(engine, old.secret)
    response = RedirectResponse(address, 303)
    session.keep(response, request, await session.begin(engine, key))
    response.delete_cookie(COOKIE, **session.settings(request))  # type: ignore[arg-type]
    return response


async def sign_out(request: Request, writing: Writing, engine: "Engine", signed: Signed | None) -> Response:
    """Ends the session everywhere. Raises Problem where the store is away."""
    fields = await _fields(request)
    if signed is not None:
        if from_elsewhere(request) or not session.genuine(signed.secret, (fields or {}).get("token", "")):
            return await writing.shown(
                answers.failed(403, "This form was too old, or from elsewhere. Reload the page."), 403
            )
        await session.end(engine, signed.secret)
    response = await writing.shown(answers.signed_out())
    session.forget(response, request)
    return response


def from_elsewhere(request: Request) -> bool:
    """Whether the browser says that another site sent a form; one that says nothing still needs the token."""
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site != "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


async def _fields(request: Request) -> dict[str, str] | None:
    """What a form says; None where it is longer than any of ours."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST:
            return None
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=20))
    except ValueError:
        return {}


def _asked(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return f"{CONSOLE}/{routes.below(request)}" + (f"?{query}" if query else "")
