"""Answers of the console as HTTP has them: what was drawn, in the reader's locale, and files that pages load."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response

from serving.auth import CONSOLE
from serving.console import answers, assets, drawing, render, session
from serving.console.aside import AGAIN, Aside
from serving.console.blocks import Page
from serving.console.drawing import Manner, Sheet
from serving.console.locale import Reader, negotiate
from serving.console.render import Frame
from serving.console.session import Signed
from serving.console.views import VIEWS

#: Nothing but our own stylesheet and scripts; forms go to us, and nobody frames a page. The hash is that of no text:
#: Plotly empties the style attribute of a heat map's scale.
POLICY = (
    "default-src 'none'; script-src 'self'; "
    "style-src 'self' 'unsafe-hashes' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser would not say whose form it sends
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Cookie, Accept-Language, Accept-Encoding",
}
FOR_EVER = "public, max-age=31536000, immutable"
#: Where a reader's `?locale=` is remembered.
LOCALE = "tactful_locale"


#: Calls a function of `drawing` with its arguments, wherever that is done.
Draw = Callable[..., Sheet]


@dataclass(frozen=True)
class Writing:
    """How one request is answered, by `draw` and beside which others. `currency` and `zone` are the workspace's."""

    request: Request
    aside: Aside
    draw: Draw
    currency: str | None = None
    zone: str = "UTC"
    signed: Signed | None = None
    path: str = ""
    asked: Mapping[str, str] = field(default_factory=dict)

    @property
    def reader(self) -> Reader:
        asked = self.asked.get("locale") or self.request.cookies.get(LOCALE)
        zone = self.asked.get("zone", "")
        return Reader(
            negotiate(asked, self.request.headers.get("accept-language")),
            zone if zone in _zones() else self.zone,
            self.currency,
        )

    async def shown(self, page: Page, status: int = 200) -> Response:
        """A page as it stands. Raises the problems of `Aside.run`."""
        return self.answer(await self.drawn(drawing.page, page, self.manner, status))

    async def drawn(self, work: Callable[..., Sheet], *arguments: Any) -> Sheet:
        """What a function of `drawing` makes of its arguments. Raises the problems of `Aside.run`."""
        return await self.aside.run(self.draw, work, *arguments)

    def answer(self, sheet: Sheet) -> Response:
        response = Response(sheet.body, sheet.status, HEADERS | dict(sheet.headers), sheet.media)
        if self.asked.get("locale") and sheet.media.startswith("text/html"):
            settings = session.settings(self.request)
            response.set_cookie(LOCALE, self.reader.locale, max_age=31_536_000, **settings)  # type: ignore[arg-type]
        return response

    @property
    def manner(self) -> Manner:
        signed = self.signed
        frame = Frame(
            CONSOLE,
            self.path,
            self.request.scope["query_string"].decode("latin-1"),
            None if signed is None else signed.client.name,
            "" if signed is None or not signed.secret else session.token(signed.secret),
            [] if signed is None else [view for view in VIEWS if view.menu and signed.client.may({view.scope})],
        )
        return Manner(frame, self.reader, self._takes_gzip)

    def asset(self, name: str) -> Response:
        """A file that pages load, which browsers keep: its name changes with its content."""
        found = assets.find(name)
        if found is None:
            return Response(b"there is no such file", 404, HEADERS, "text/plain")
        headers = HEADERS | {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
        if self._takes_gzip:
            return Response(found.zipped, 200, headers | {"Content-Encoding": "gzip"}, found.media)
        return Response(found.body, 200, headers, found.media)

    @property
    def _takes_gzip(self) -> bool:
        return "gzip" in self.request.headers.get("accept-encoding", "")


def busy() -> Response:
    """More is asked for than can be made soon. Made once, so that a flood of refusals costs decisions nothing."""
    return Response(_busy(), 429, HEADERS | AGAIN, "text/html; charset=utf-8")


@cache
def _busy() -> bytes:
    return render.page(answers.failed(429), Frame(CONSOLE, menu=()), Reader()).encode()


@cache
def _zones() -> frozenset[str]:
    """Seven milliseconds of looking through files, each time it is asked."""
    return frozenset(available_timezones())
