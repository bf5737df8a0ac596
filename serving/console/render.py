"""A page of blocks to HTML: in the console (menu, links, CSV by address) or as a file (no server, CSV inside).

Everything from data is escaped; links that are not plain addresses become text; figures travel as JSON.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from features.nobody import OF_NOBODY
from serving.console import assets, csv
from serving.console.blocks import (
    VERDICTS,
    Block,
    Cell,
    Chart,
    Details,
    Estimate,
    Event,
    Form,
    Grid,
    Page,
    Section,
    Table,
    Verdict,
)
from serving.console.locale import FIGURES, Reader
from serving.console.views import VIEWS, View


@dataclass(frozen=True)
class Frame:
    """What stands around a page. `base` is where the console is mounted, None in a file.

    `path` is the page's below it and `query` what it was asked with, so that CSV links ask the same. `who` is signed in
    and `token` goes with the form that signs out; `menu` are the pages that they may see.
    """

    base: str | None = None
    path: str = ""
    query: str = ""
    who: str | None = None
    token: str = ""
    menu: Sequence[View] = tuple(view for view in VIEWS if view.menu)

    def href(self, address: str | None) -> str | None:
        """Where a link leads here; None where it leads nowhere, or where nobody should go."""
        if not address or any(ord(letter) < 32 for letter in address):
            return None
        if address.startswith("#"):
            return address
        if address.startswith("?") or (address.startswith("/") and not address.startswith(("//", "/\\"))):
            return None if self.base is None else address if address.startswith("?") else self.base + address
        return address if urlsplit(address).scheme in ("https", "http") and urlsplit(address).netloc else None

    def here(self, path: str) -> bool:
        """Whether a menu entry is this page, or what it belongs to: the longest path that this one begins with."""
        mine = [view.path for view in self.menu if f"{self.path}/".startswith(f"{view.path}/")]
        return path == max(mine, key=len, default="")


def page(page: Page, frame: Frame, reader: Reader) -> str:
    """The whole document."""
    reader = Reader(reader.locale, reader.zone, page.currency or reader.currency)
    drawn = list(_charts(page.blocks))
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page,
            frame=frame,
            write=_Writer(frame, reader),
            charts=bool(drawn),
            form=Form(page.filters, label="What to show"),
            file=frame.base is None,
            of_nobody=Markup(OF_NOBODY),
            asset=assets.asset,
            inline=_inline,
            style_ids=assets.style_ids,
        )
    )


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["name"] = lambda block: type(block).__name__
    found.filters["groupby_day"] = _by_day
    return found


def _template(name: str) -> str:
    return (resources.files("serving.console") / "templates" / name).read_text(encoding="utf-8")


def _inline(name: str) -> Markup:
    """An asset's text for a file; our own files and Plotly's hold nothing that would end their element."""
    return Markup(assets.asset(name).body.decode().replace("</script", "<\\/script").replace("</style", "<\\/style"))


def _charts(blocks: Sequence[Block]) -> Iterator[Chart]:
    for block in blocks:
        match block:
            case Chart():
                yield block
            case Section() | Grid() | Details():
                yield from _charts(block.blocks)


@dataclass(frozen=True)
class _Writer:
    """Cells, sentences, links and figures for one reader, as templates ask for them."""

    frame: Frame
    reader: Reader

    def said(self, text: str) -> Markup:
        """A sentence in the reader's figures, with what stands in backticks as code."""
        parts = self.reader.sentence(text).split("`")
        if len(parts) % 2 == 0:  # an odd backtick is only a backtick
            return escape("`".join(parts))
        return Markup("").join(
            Markup("<code>{}</code>").format(part) if k % 2 else escape(part) for k, part in enumerate(parts)
        )

    def link(self, text: str, address: str | None) -> Markup:
        """A link, or only its text where it leads nowhere."""
        found = self.frame.href(address)
        return escape(text) if found is None else Markup('<a href="{}">{}</a>').format(found, text)

    def cell(self, value: Cell, kind: Any, unit: str | None = None, precision: float | None = None) -> str:
        return self.reader.cell(value, kind, unit, precision)

    def middle(self, value: Estimate, kind: Any, unit: str | None = None) -> str:
        """The estimate itself, with the digits that its interval leaves meaning to."""
        return self.reader.middle(value, kind, unit)

    def ends(self, value: Estimate, kind: Any, unit: str | None = None) -> str:
        """Its interval; only where both ends are known."""
        return self.reader.span(value.low or 0.0, value.high or 0.0, kind, unit)

    def chip(self, value: Cell) -> Verdict | None:
        """The chip that a cell of kind verdict is shown as."""
        return value if isinstance(value, Verdict) else VERDICTS.get(value) if isinstance(value, str) else None

    def precisions(self, table: Table) -> list[float | None]:
        return [
            self.reader.precision([row[k] for row in table.rows], column.kind) for k, column in enumerate(table.columns)
        ]

    def right(self, kind: str) -> bool:
        return kind in FIGURES

    def instant(self, text: str | datetime) -> str:
        return self.reader.cell(text, "instant")

    def day(self, at: str | datetime) -> str:
        """The heading of an event: its day where the reader lives."""
        when = datetime.fromisoformat(at) if isinstance(at, str) else at
        return self.reader.instant(when).removesuffix(", " + self.reader.clock(when))

    def clock(self, at: str | datetime) -> str:
        return self.reader.clock(datetime.fromisoformat(at) if isinstance(at, str) else at)

    def csv(self, table: Table) -> str:
        """Where the table's CSV is: an address of the console, or the CSV itself."""
        if self.frame.base is None:
            return "data:text/csv;charset=utf-8," + quote(csv.text(table))
        path = "/".join(part for part in (self.frame.path, quote(table.id, safe="") + ".csv") if part)
        return f"{self.frame.base}/{path}" + (f"?{self.frame.query}" if self.frame.query else "")

    def json(self, value: Any) -> Markup:
        """JSON for a script element that never runs: nothing in it can end the element."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))

    def figure(self, figure: Mapping[str, Any]) -> Markup:
        """A figure with the reader's formats, its names escaped and its links checked."""
        return self.json(self._settled(figure))

    def formats(self) -> Markup:
        return self.json(self.reader.formats())

    def _settled(self, part: Any, key: str = "") -> Any:
        if isinstance(part, Mapping):
            settled = {name: self._settled(value, name) for name, value in part.items() if name != "kind"}
            if "kind" in part:
                settled |= self._formatted(str(part["kind"]), part)
            return settled
        if isinstance(part, list | tuple):
            return [self._settled(one, key) for one in part]
        if isinstance(part, str):
            if key == "customdata":
                return self.frame.href(part)
            return part if key == "hovertemplate" else _plain(part)
        if isinstance(part, float) and not (abs(part) < float("inf")):
            return None
        return part

    def _formatted(self, kind: str, part: Mapping[str, Any]) -> dict[str, Any]:
        axis = self.reader.axis(kind)
        if part.get("type") == "sankey":
            return {"valueformat": axis.get("hoverformat", "")}
        return axis


def _by_day(events: Sequence[Event], write: _Writer) -> list[tuple[str, list[Event]]]:
    """Events under the day that they happened on where the reader lives."""
    return [(day, list(group)) for day, group in groupby(events, key=lambda one: write.day(one.at))]


def _plain(text: str) -> str:
    """Plotly reads some tags in its texts: names have none."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
