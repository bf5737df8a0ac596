"""Who is signed in: a random secret in a cookie; the store keeps its hash beside that of the key it was given for.

Every worker and machine asks the store, so signing out, an expiry and a revoked key hold everywhere at once. Whoever
reads the store finds no secret, and whoever reads the cookie finds no key.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from features import clock
from serving.auth import CONSOLE, Client, Keyring, hashed

if TYPE_CHECKING:
    from serving.engine import Engine

COOKIE = "tactful_session"
#: A working day; then the key is asked for again.
LASTS = 12 * clock.HOUR


@dataclass(frozen=True)
class Signed:
    """Who looks. `secret` is the session's; empty where the request itself brought a key, as a script's does."""

    client: Client
    secret: str = ""


async def begin(engine: "Engine", key: str) -> str:
    """A new session for a key that was found good; returns its secret."""
    secret, now = secrets.token_urlsafe(32), clock.Clock().now()
    await engine.written(engine.store.begin_session(hashed(secret), hashed(key), now + LASTS, now))
    return secret


async def find(engine: "Engine", keyring: Keyring, request: Request) -> Signed | None:
    """Whose session a request belongs to; None where there is none, it is over, or its key was revoked."""
    secret = request.cookies.get(COOKIE, "")
    if not 20 <= len(secret) <= 100:
        return None
    key = await engine.aside(engine.store.session, hashed(secret), clock.Clock().now())
    client = None if key is None else await keyring.holder(key)
    return None if client is None or client.revoked else Signed(client, secret)


async def end(engine: "Engine", secret: str) -> None:
    await engine.written(engine.store.end_session(hashed(secret)))


def keep(response: Response, request: Request, secret: str) -> None:
    """Hands the secret to the browser.

    SameSite is Lax, not Strict: a link in a mail to one of the pages is to open it, and pages change nothing. What does
    change something (signing in and out) is asked by POST, which Lax keeps back from other sites, and needs a token.
    """
    response.set_cookie(COOKIE, secret, max_age=LASTS // clock.SECOND, **settings(request))  # type: ignore[arg-type]


def forget(response: Response, request: Request) -> None:
    response.delete_cookie(COOKIE, **settings(request))  # type: ignore[arg-type]


def settings(request: Request) -> dict[str, str | bool]:
    """What all our cookies have in common; `secure` wherever the browser came by https."""
    return {"path": CONSOLE, "secure": request.url.scheme == "https", "httponly": True, "samesite": "lax"}


def token(secret: str) -> str:
    """What a form must bring back to show that a page of ours held it: each is another one, so that compressing a page
    that somebody else may write into tells nothing of it.
    """
    salt = secrets.token_hex(8)
    return f"{salt}.{_sealed(secret, salt)}"


def genuine(secret: str, brought: str) -> bool:
    """Whether `token` made it for this secret."""
    salt, _, seal = brought.partition(".")
    return bool(secret) and hmac.compare_digest(seal.encode(), _sealed(secret, salt).encode())


def _sealed(secret: str, salt: str) -> str:
    return hmac.new(secret.encode(), salt.encode(), hashlib.sha256).hexdigest()
