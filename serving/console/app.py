"""The console as an ASGI app: signed in or not, which page, drawn beside decisions, and what to say otherwise."""

import logging
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from serving.auth import CONSOLE, Keyring
from serving.console import answers, drawing, helper, routes, session, signin
from serving.console.aside import PATIENCE, Aside, Turns
from serving.console.blocks import Page
from serving.console.look import Look
from serving.console.routes import Place
from serving.console.session import Signed
from serving.console.throttle import Throttle
from serving.console.views import Ask
from serving.console.writing import HEADERS, Draw, Writing, busy
from serving.problems import Problem

if TYPE_CHECKING:
    from serving.engine import Engine

log = logging.getLogger("tactful.console")
#: Characters of a query: filters are words and dates.
LONGEST = 4_000


class Console:
    """`found()` is the engine, None until it is open; `keyring()` knows whose key is whose; `draw` does what
    `drawing` says, by default in the helper's process; `patience` is how long a page may take, in seconds."""

    def __init__(
        self,
        found: "Callable[[], Engine | None]",
        keyring: Callable[[], Keyring | None],
        draw: Draw = helper.SHARED.run,
        patience: float = PATIENCE,
    ) -> None:
        self._found, self._keyring, self._draw = found, keyring, draw
        self._aside, self._turns = Aside(patience=patience), Turns()
        self._strangers = Aside(threads=1, patience=patience)  # who is not signed in keeps nobody else from reading
        self._throttle = Throttle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = await self._answer(Request(scope, receive))
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = routes.below(request)
        writing = Writing(request, self._strangers, self._draw)
        try:
            if path.startswith("assets/"):
                _known_as(request, f"{CONSOLE}/assets/{{name}}")
                if request.method not in ("GET", "HEAD"):
                    return await writing.shown(answers.failed(405), 405)
                return await writing.aside.run(writing.asset, path.removeprefix("assets/"))
            if len(request.scope["query_string"]) > LONGEST:
                return await writing.shown(answers.failed(400, "The address is too long."), 400)
            engine, keyring = self._found(), self._keyring()
            if engine is None or keyring is None:
                raise Problem("not-ready", "the service is starting; reload in a moment", headers={"Retry-After": "2"})
            writing = self._for(request, engine, await _signed(request, engine, keyring), path)
            return await self._led(request, writing, engine, keyring, path)
        except Problem as problem:
            response = await _told(writing, answers.refused(problem), problem.status)
            response.headers.update(problem.headers)
            return response
        except Exception as error:
            log.error("%s %s failed", request.method, getattr(request.scope.get("route"), "path", ""), exc_info=error)
            return await _told(writing, answers.failed(500), 500)

    async def _led(self, request: Request, writing: Writing, engine: "Engine", keyring: Keyring, path: str) -> Response:
        """To signing in and out, or to a page."""
        signed = writing.signed
        if path == "sign-out" and request.method == "POST":
            return await signin.sign_out(request, writing, engine, signed)
        if path == "sign-in" and request.method == "POST":
            return await signin.sign_in(request, writing, engine, keyring, self._throttle, signed)
        if request.method not in ("GET", "HEAD") or path == "sign-out":
            refused = await writing.shown(answers.failed(405), 405)
            refused.headers["Allow"] = "POST" if path == "sign-out" else "GET, HEAD"
            return refused
        if path == "sign-in":
            address = writing.asked.get("next", "")
            return (
                RedirectResponse(routes.back(address), 303) if signed else await signin.form(request, writing, address)
            )
        if signed is None:
            return signin.ask(request)
        if request.url.path == CONSOLE or (path.endswith("/") and path != "/"):
            return RedirectResponse(f"{CONSOLE}/{path.rstrip('/')}", 308)
        if "%00" in path or b"%00" in request.scope["query_string"]:  # which PostgreSQL cannot even be asked for
            return await writing.shown(answers.failed(400), 400)
        place = routes.find(path)
        if place is None:
            return await writing.shown(answers.failed(404), 404)
        if any("\0" in name for name in place.names.values()):
            return await writing.shown(answers.failed(400), 400)
        _known_as(request, place.template)
        if not signed.client.may({place.view.scope}):
            return await writing.shown(answers.not_allowed(place.view.scope, signed.client.scopes), 403)
        return await self._shown(writing, engine, signed, place)

    async def _shown(self, writing: Writing, engine: "Engine", signed: Signed, place: Place) -> Response:
        """A page, or the CSV of one of its tables."""
        reader, kind, manner = writing.reader, place.view.artefact, writing.manner
        folder = engine.workspace.reports
        ask = Ask(writing.asked, reader.locale, reader.zone, place.names, None if kind is None else folder / kind)
        look = Look(engine, signed.client.name, signed.client.scopes, self._aside.run, self._draw)
        if kind is not None:
            sheet = await writing.drawn(drawing.of_artefact, place.view, folder, ask, place.table, manner)
            while sheet.names and (hidden := await look.hidden(sheet.names)):
                assert not hidden & ask.hidden, "a list names whom it was told not to"
                ask = replace(ask, hidden=ask.hidden | hidden)
                sheet = await writing.drawn(drawing.of_artefact, place.view, folder, ask, place.table, manner)
        else:
            with self._turns:
                page = await place.view.page(look, ask)
            sheet = await writing.drawn(drawing.placed, page, place.table, manner)
        if sheet.names:
            await look.listed(sheet.names, place.view.path)
        return writing.answer(sheet)

    def _for(self, request: Request, engine: "Engine", signed: Signed | None, path: str) -> Writing:
        aside = self._strangers if signed is None else self._aside
        currency, zone = engine.workspace.settings.currency, engine.playbook.policy.zone or "UTC"
        return Writing(request, aside, self._draw, currency, zone, signed, path, dict(request.query_params))


async def _told(writing: Writing, page: Page, status: int) -> Response:
    """What went wrong, as a page; where that would have to wait too, the one that says so."""
    try:
        return await writing.shown(page, status)
    except Problem:
        return busy()


async def _signed(request: Request, engine: "Engine", keyring: Keyring) -> Signed | None:
    """Who looks, by session or by the key of the request itself; the log of refusals knows them from here on."""
    state = request.scope.setdefault("state", {})
    if (client := state.get("client")) is not None:
        return Signed(client)
    signed = await session.find(engine, keyring, request)
    if signed is not None:
        state["client"] = signed.client
    return signed


def _known_as(request: Request, template: str) -> None:
    """By which address metrics and the log know the request, in place of one with a customer's id in it."""
    route: Any = SimpleNamespace(path=template.removeprefix(request.scope.get("root_path", "")))
    request.scope["route"] = route
