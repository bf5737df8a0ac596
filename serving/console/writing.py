"""Answers of the console: pages in the reader's locale, tables as CSV, files that pages load."""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response

from serving.auth import CONSOLE
from serving.console import answers, assets, csv, render, session
from serving.console.aside import AGAIN, Aside
from serving.console.blocks import Page, Table
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
#: Bytes from which on an answer is worth packing.
WORTH = 1_000


@dataclass(frozen=True)
class Writing:
    """How one request is answered, and beside which others. `currency` and `zone` are the workspace's."""

    request: Request
    aside: Aside
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
        """A page, made beside the event loop. Raises the problems of `Aside.run`."""
        return await self.aside.run(self.page, page, status)

    def page(self, page: Page, status: int = 200) -> Response:
        """Slow, next to a decision: call it from a thread."""
        signed = self.signed
        frame = Frame(
            CONSOLE,
            self.path,
            self.request.scope["query_string"].decode("latin-1"),
            None if signed is None else signed.client.name,
            "" if signed is None or not signed.secret else session.token(signed.secret),
            [] if signed is None else [view for view in VIEWS if view.menu and signed.client.may({view.scope})],
        )
        reader = self.reader
        response = self._packed(render.page(page, frame, reader).encode(), "text/html; charset=utf-8", status)
        if self.asked.get("locale"):
            response.set_cookie(LOCALE, reader.locale, max_age=31_536_000, **session.settings(self.request))  # type: ignore[arg-type]
        return response

    def table(self, table: Table) -> Response:
        """As CSV, to be saved under the table's id."""
        name = re.sub(r"[^\w-]+", "-", table.id)[:80] or "table"
        response = self._packed(csv.text(table).encode(), "text/csv; charset=utf-8", 200)
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        return response

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

    def _packed(self, body: bytes, media: str, status: int) -> Response:
        headers: dict[str, Any] = dict(HEADERS)
        if self._takes_gzip and len(body) >= WORTH:
            body = gzip.compress(body, 5, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return Response(body, status, headers, media)


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
