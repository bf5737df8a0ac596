"""Outermost of all: every answer is counted and timed, every refusal is logged, and no log line names a customer.

An address is known by its template (`/v1/contacts/{contact_id}/claim`), never as it was written: what stands in its
place may be a customer's id. The same refusal of the same client is logged once in ten seconds, with how many there
were since, so that nobody can fill a disk by asking.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from re import Pattern

from fastapi import FastAPI
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import metrics
from serving.auth import OPEN

log = logging.getLogger("tactful.access")
#: Answers that mean somebody was refused; 404 and 409 are answers like any other.
REFUSALS = {
    400: logging.INFO,
    401: logging.WARNING,
    403: logging.WARNING,
    405: logging.INFO,
    413: logging.WARNING,
    415: logging.INFO,
    422: logging.INFO,
    429: logging.WARNING,
}
METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})
#: Seconds between two lines about the same refusal.
QUIET = 10.0
#: How many kinds of refusal are told apart at a time.
MOST = 500
ELSEWHERE = "(elsewhere)"


class Addresses:
    """The templates of our addresses, and which of them a path is."""

    def __init__(self, templates: Iterable[str] = ()) -> None:
        templates = list(templates)
        self._known: list[tuple[Pattern[str], str]] = [(compile_path(each)[0], each) for each in templates]
        self._plain = OPEN | {each for each in templates if "{" not in each}

    @classmethod
    def of(cls, app: FastAPI, below: str = "/v1", besides: Iterable[str] = ()) -> "Addresses":
        """Those of an app that is mounted at `below`, and others."""
        return cls([*(below + path for route in app.routes if (path := getattr(route, "path", None))), *besides])

    def template(self, scope: Scope) -> str:
        """Which address a request was for: what routing found, else (refused before) by its path."""
        asked = scope["path"]
        if asked in self._plain:
            return str(asked)
        route = scope.get("route")
        path = getattr(route, "path", None)
        if path is not None and not hasattr(route, "routes"):  # a mount is no address
            return str(scope.get("root_path", "")) + str(path)
        return next((template for pattern, template in self._known if pattern.match(asked)), ELSEWHERE)


class Watch:
    """Pure ASGI middleware around everything of ours."""

    def __init__(self, app: ASGIApp, addresses: Addresses) -> None:
        self.app = app
        self.addresses = addresses
        self.refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        start = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except asyncio.CancelledError:
            status = 504  # the deadline stands further out, and answers
            raise
        finally:
            route = self.addresses.template(scope)
            method = scope["method"] if scope["method"] in METHODS else "OTHER"
            metrics.answered(method, route, status, time.perf_counter() - start)
            if status in REFUSALS:
                self.refusals.note(status, f"{method} {route}", who(scope))


def who(scope: Scope) -> str:
    """Whose key a request came with, and from where."""
    asked = scope.get("state", {}).get("client")
    key = "no known key" if asked is None else f"key {asked.name!r}" + (" (revoked)" if asked.revoked else "")
    host = scope.get("client")
    return f"{key}, from {host[0] if host else 'here'}"


class Refusals:
    """The log of what was refused, at most a line in QUIET seconds for each kind."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._since: dict[tuple[int, str, str], tuple[float, int]] = {}

    def note(self, status: int, call: str, client: str) -> None:
        now = self._now()
        kind = (status, call, client)
        last, more = self._since.get(kind, (float("-inf"), 0))
        if now - last < QUIET:
            self._since[kind] = (last, more + 1)
            return
        counted = f" ({more} more since the last line)" if more else ""
        log.log(REFUSALS[status], "refused with %d: %s, %s%s", status, call, client, counted)
        if len(self._since) >= MOST:
            self._since.clear()
        self._since[kind] = (now, 0)
