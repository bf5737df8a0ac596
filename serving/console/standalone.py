"""One artefact as one file that needs nobody: stylesheet, scripts and charts inside, no network, CSV as data."""

from collections.abc import Mapping
from typing import Any

from serving.console import render
from serving.console.blocks import Page
from serving.console.locale import Reader, negotiate
from serving.console.views import Ask, of_artefact


def html(artefact: Mapping[str, Any], locale: str = "en", zone: str = "UTC", currency: str | None = None) -> str:
    """The page of the artefact's kind. Raises KeyError for a kind that no page shows."""
    view = of_artefact(artefact["kind"])
    if view is None:
        raise KeyError(f"no page of the console shows a report of kind {artefact['kind']}")
    name = negotiate(locale)
    return file(view.page(artefact, Ask(locale=name, zone=zone)), name, zone, currency)


def file(page: Page, locale: str = "en", zone: str = "UTC", currency: str | None = None) -> str:
    """Any page as a file."""
    return render.page(page, render.Frame(), Reader(negotiate(locale), zone, currency))
