"""API keys: made once, stored as a hash, asked for before anything else happens.

A key is 256 random bits, so a plain SHA-256 is enough: there is no small space to search, as there is with passwords.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.problems import Problem

PREFIX = "tactful_"
#: What answers without a key: liveness, readiness, and the API page with what it is made of.
OPEN = frozenset({"/", "/livez", "/readyz", "/healthz", "/v1/docs", "/v1/openapi.json"})
OPEN_BELOW = ("/static_content/",)
#: A revoked key stops working after at most this (seconds).
STALE = 5.0


def new_key() -> str:
    """A fresh key to show once, e.g. `tactful_pX3...`."""
    return PREFIX + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    """What the store keeps of a key: 64 hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class Keyring:
    """The stored hashes: read again for a key that is not among them, and every few seconds.

    `load` returns {hash: name}; it is called from the event loop, so it must be quick.
    """

    def __init__(self, load: Callable[[], Mapping[str, str]]) -> None:
        self._load = load
        self._keys: Mapping[str, str] = {}
        self._read = float("-inf")

    def name(self, key: str) -> str | None:
        """Whose key this is, or None."""
        digest = hashed(key)
        if time.monotonic() - self._read > STALE:
            self._refresh()
            return self._find(digest)
        found = self._find(digest)
        if found is None:  # made a moment ago, perhaps; looking costs less than the request did
            self._refresh()
            found = self._find(digest)
        return found

    def _find(self, digest: str) -> str | None:
        found = None
        for stored, name in self._keys.items():  # no early exit: the time says nothing of which key was close
            if hmac.compare_digest(stored, digest):
                found = name
        return found

    def _refresh(self) -> None:
        self._keys = dict(self._load())
        self._read = time.monotonic()


def presented(scope: Scope) -> str | None:
    """The key in `Authorization: Bearer KEY` or `X-API-Key: KEY`, or None."""
    found = None
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return str(value.decode("latin-1")).strip() or None
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            found = str(value[7:].decode("latin-1")).strip() or None
    return found


class RequireKey:
    """Pure ASGI middleware: no key, no answer. It covers mounted apps and unknown paths too."""

    def __init__(self, app: ASGIApp, keyring: Callable[[], Keyring | None]) -> None:
        self.app = app
        self.keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        problem = self._refusal(scope)
        if problem is None:
            await self.app(scope, receive, send)
        else:
            await problem.answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        key = presented(scope)
        if key is None:
            return _unauthorised("no API key in `Authorization: Bearer KEY` or `X-API-Key: KEY`")
        keyring = self.keyring()
        if keyring is None:
            return Problem(
                "not-ready", "the store with the API keys is not open yet; ask again", headers={"Retry-After": "1"}
            )
        name = keyring.name(key)
        if name is None:
            return _unauthorised("this API key is not known here, or was revoked")
        scope.setdefault("state", {})["client"] = name
        return None


def is_open(path: str) -> bool:
    """Whether a path answers without a key."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def _unauthorised(detail: str) -> Problem:
    return Problem(
        "unauthorised",
        f"{detail}; make one with `tactful keys create NAME`",
        headers={"WWW-Authenticate": 'Bearer realm="tactful"'},
    )
