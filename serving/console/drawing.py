"""What an answer says, as bytes: a page or the CSV of one of its tables, packed where the reader takes it so.

Pure, but for the artefact that is read: the helper's process does it (helper.py), beside decisions.
"""

import gzip
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from serving.console import answers, blocks, csv, render
from serving.console.artefacts import Artefacts, Unusable
from serving.console.blocks import Page
from serving.console.locale import Reader
from serving.console.render import Frame
from serving.console.views import Ask, View

log = logging.getLogger("tactful.console")
#: Bytes from which on an answer is worth packing.
WORTH = 1_000
_artefacts = Artefacts()


@dataclass(frozen=True)
class Manner:
    """For whom: what stands around a page, who reads it, and whether they take it packed."""

    frame: Frame
    reader: Reader
    packs: bool = False


@dataclass(frozen=True)
class Sheet:
    """What is sent. `names` are the customers whom it lists."""

    body: bytes
    media: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    names: Sequence[str] = ()


def page(page: Page, manner: Manner, status: int = 200) -> Sheet:
    text = render.page(page, manner.frame, manner.reader)
    return _sheet(text, "text/html; charset=utf-8", manner, status)


def placed(page_: Page, table: str | None, manner: Manner) -> Sheet:
    """A page, or the CSV of the table of it that is asked for, to be saved under the table's id."""
    if table is None:
        return replace(page(page_, manner), names=page_.names)
    found = blocks.table(page_, table)
    if found is None:
        return page(answers.failed(404, "The page has no such table."), manner, 404)
    name = re.sub(r"[^\w-]+", "-", found.id)[:80] or "table"
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return replace(_sheet(csv.text(found), "text/csv; charset=utf-8", manner, 200, headers), names=page_.names)


def of_artefact(view: View, folder: Path, ask: Ask, table: str | None, manner: Manner) -> Sheet:
    """The page over the artefact in a folder of reports, or what is wrong with that, as a page."""
    assert view.artefact is not None
    try:
        found = _made(view, _artefacts.read(folder, view.artefact, view.schema), ask)
    except Unusable as unusable:
        return page(answers.unusable(view.title, unusable), manner, 404 if table else 200)
    return placed(found, table, manner)


def _made(view: View, artefact: Mapping[str, Any], ask: Ask) -> Page:
    """Raises Unusable where the artefact lacks what the page reads."""
    try:
        made: Page = view.page(artefact, ask)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        log.error("/%s cannot be made from its artefact", view.path, exc_info=error)
        assert view.artefact is not None
        why = "It lacks figures that this page reads; the service's log says which."
        raise Unusable(view.artefact, "The report cannot be shown", why) from None
    return made


def _sheet(text: str, media: str, manner: Manner, status: int, headers: Mapping[str, str] | None = None) -> Sheet:
    body, headers = text.encode(), dict(headers or {})
    if manner.packs and len(body) >= WORTH:
        body = gzip.compress(body, 5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Sheet(body, media, status, headers)
