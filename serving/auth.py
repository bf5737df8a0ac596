"""API keys: made once, stored as a hash, asked for before anything else happens; and what each of them opens.

A key is 256 random bits, so a plain SHA-256 is enough: there is no small space to search, as there is with passwords.
"""

import asyncio
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.problems import Problem

PREFIX = "tactful_"
#: What answers without a key: liveness, readiness, and the API page with what it is made of.
OPEN = frozenset({"/", "/livez", "/readyz", "/healthz", "/v1/docs", "/v1/openapi.json"})
OPEN_BELOW = ("/static_content/",)
#: Where people look: it asks for a key in a form of its own, and remembers who signed in (serving/console/session.py).
CONSOLE = "/console"
#: What a key may be made for. A call names those that open it; `admin` opens every call.
SCOPES = {
    "decide": "ask for decisions, claim contacts and report them sent",
    "record": "report interactions, outcomes, attributes, identifiers and preferences",
    "marketer": "look: explain decisions, read policies and reports",
    "customers": "look up single customers in the console, with all that is known of them",
    "metrics": "read the service's metrics",
    "admin": "everything, privacy requests included",
}
DEFAULT_SCOPES = ("decide", "record")
#: A revoked key stops working after at most this (seconds), unless the store is away.
STALE = 5.0
#: How often the stored keys are read for a key that is not among them (seconds), whoever guesses at what rate.
GUESSES = 0.05
#: How long a request with such a key waits for that (seconds) before it is told that nobody can tell.
PATIENCE = 5.0
#: How many do at a time; and how long one with a known key, where the keys are STALE.
WAITING, SHORTLY = 8, 0.5


def new_key() -> str:
    """A fresh key to show once, e.g. `tactful_pX3...`."""
    return PREFIX + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    """What the store keeps of a key: 64 hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class StoredKey(Protocol):
    """What is kept of a key: `serving.store.protocol.Key`."""

    @property
    def name(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def revoked_at(self) -> int | None: ...


@dataclass(frozen=True)
class Client:
    """Whose key a request came with, and what it may do."""

    name: str
    scopes: frozenset[str] = field(default_factory=frozenset)
    revoked: bool = False

    def may(self, scopes: Collection[str]) -> bool:
        """Whether the key has one of the scopes; no scope at all is nobody's."""
        return bool(scopes) and ("admin" in self.scopes or not self.scopes.isdisjoint(scopes))


def client_of(key: StoredKey) -> Client:
    """Keys are stored with their scopes in one word, `decide,record`; `all` is how the first ones were."""
    scopes = frozenset("admin" if scope == "all" else scope for scope in key.scope.split(","))
    return Client(key.name, scopes, key.revoked_at is not None)


class Keyring:
    """The stored hashes: read again for a key that is not among them, and every few seconds.

    Whoever serves calls `refresh` every second, from a thread of its own, so that no request waits for `load` but one
    with a key that nobody knows: that one waits for a read begun after it came, so that a key works from the moment it
    was made. Only WAITING wait at a time, or whoever guesses would take the places of all others: the rest are told to
    ask again. Where `load` raises a Problem (the store is away), or does not answer, the keys known so far go on
    working, and of any other key nothing can be told.
    """

    def __init__(self, load: Callable[[], Iterable[StoredKey]]) -> None:
        self._load = load
        self._keys: dict[str, Client] = {}
        self._as_of = self._read = float("-inf")  # when the last read began, and when it ended
        self._away: Problem | None = None  # why it failed
        self._reading = threading.Lock()
        self._waiting = 0
        self._seeker = ThreadPoolExecutor(1, "keys")  # however many guess, one thread reads

    async def client(self, key: str) -> Client | None:
        """Whose key this is, even where it was revoked, or None. Raises Problem where nobody can tell now."""
        return await self.holder(hashed(key))

    async def holder(self, digest: str) -> Client | None:
        """The same of a key by its hash."""
        asked, found = time.monotonic(), self._find(digest)
        if found is not None and asked - self._read > STALE:  # nobody calls `refresh`, or its thread stands still
            with suppress(TimeoutError):
                await self._since(asked, SHORTLY)
            found = self._find(digest)
        elif found is None:  # made a moment ago, perhaps
            if self._waiting >= WAITING and self._keys:
                raise Problem(
                    "overloaded", "many keys that are not known here are tried; ask again", headers={"Retry-After": "1"}
                )
            self._waiting += 1
            try:
                await self._since(asked, PATIENCE)
            except TimeoutError:
                raise _untold("the store with the API keys does not answer; ask again") from None
            finally:
                self._waiting -= 1
            found = self._find(digest)
        if found is None:
            self._say_why()
        return found

    async def _since(self, asked: float, seconds: float) -> None:
        """Waits so long at most for a read that began after `asked`: in another thread, as the store may hang."""
        await asyncio.wait_for(asyncio.wrap_future(self._seeker.submit(self._again, asked)), seconds)

    def _find(self, digest: str) -> Client | None:
        found = None
        for stored, client in self._keys.items():  # no early exit: the time says nothing of which key was close
            if hmac.compare_digest(stored, digest):
                found = client
        return found

    def refresh(self) -> None:
        """Reads the keys, unless another thread does. Raises Problem where that cannot be done and none are known."""
        if not self._reading.acquire(blocking=not self._keys):
            return
        try:
            self._take()
        finally:
            self._reading.release()
        if not self._keys:
            self._say_why()

    def _again(self, asked: float) -> None:
        """Waits for a read that began after `asked` (monotonic seconds)."""
        time.sleep(max(0.0, min(GUESSES, self._as_of + GUESSES - time.monotonic())))
        with self._reading:
            if self._as_of < asked:
                self._take()

    def _say_why(self) -> None:
        if self._away is not None:
            raise self._away.with_traceback(None)

    def _take(self) -> None:
        began = time.monotonic()
        try:
            self._keys = {key.hash: client_of(key) for key in self._load()}
            self._away = None
        except Problem as problem:
            self._away = problem
        self._as_of, self._read = began, time.monotonic()


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
    """Pure ASGI middleware: no key, no answer. It covers mounted apps and unknown paths too.

    Who asks is left in `scope["state"]["client"]`, for the route to judge (refuse_scope) and for the log of refusals.
    """

    def __init__(self, app: ASGIApp, keyring: Callable[[], Keyring | None]) -> None:
        self.app = app
        self.keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]) or (in_console(scope["path"]) and not presented(scope)):
            await self.app(scope, receive, send)
            return
        problem = await self._refusal(scope)
        if problem is None:
            await self.app(scope, receive, send)
        else:
            await problem.answer(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Problem | None:
        key = presented(scope)
        if key is None:
            return _unauthorised("no API key in `Authorization: Bearer KEY` or `X-API-Key: KEY`")
        keyring = self.keyring()
        if keyring is None:
            return _untold("the store with the API keys is not open yet; ask again")
        try:
            client = await keyring.client(key)
        except Problem as problem:
            return problem
        if client is not None:
            scope.setdefault("state", {})["client"] = client
        if client is None or client.revoked:
            return _unauthorised("this API key is not known here, or was revoked")
        return None


def refuse_scope(scope: Scope, needed: Collection[str]) -> None:
    """Raises the problem `forbidden` unless the request's key has one of the scopes."""
    client = scope.get("state", {}).get("client")
    if client is None or not client.may(needed):
        wanted = " or ".join(f"`{each}`" for each in sorted(needed)) or "a scope that no key has"
        has = ", ".join(f"`{each}`" for each in sorted(client.scopes)) if client is not None else "none"
        first = min(needed, default="admin")
        raise Problem(
            "forbidden",
            f"this call needs the scope {wanted}, and this key has {has}; "
            f"make one that has it with `tactful keys create NAME --scope {first}`",
            extra={"scopes": sorted(needed)},
        )


def is_open(path: str) -> bool:
    """Whether a path answers without a key."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def in_console(path: str) -> bool:
    """Whether the console answers a path; without a key it looks for a session."""
    return path == CONSOLE or path.startswith(CONSOLE + "/")


def _untold(detail: str) -> Problem:
    return Problem("not-ready", detail, headers={"Retry-After": "1"})


def _unauthorised(detail: str) -> Problem:
    return Problem(
        "unauthorised",
        f"{detail}; make one with `tactful keys create NAME`",
        headers={"WWW-Authenticate": 'Bearer realm="tactful"'},
    )
