"""The console's pages: where each stands, what it is made from, and who makes it.

A page over an artefact is `def page(artefact, ask) -> Page`; a live one is `async def page(look, ask) -> Page`, with
`look` from the service and what its path names in `ask.path`. Both are pure: the same arguments, the same page.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ask:
    """What the reader asks for: the query, what the path names, and in which locale and time zone they read.

    `tables` is the folder with the Parquet files of the page's artefact, None where there is nothing but the artefact.
    `hidden` are customers of whom a list shows nothing, known by now: a list is made again without whom it named amiss.
    """

    query: Mapping[str, str] = field(default_factory=dict)
    locale: str = "en"
    zone: str = "UTC"
    path: Mapping[str, str] = field(default_factory=dict)
    tables: Path | None = None
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True)
class View:
    """One page. `artefact` is the kind of report that it shows, None for a live one; `menu` is its name there.

    `schema` is the `schema_version` of the artefact that it reads. `scope` is what a key needs to see it (or `admin`):
    to look at a single person is more than to read reports.
    """

    path: str
    title: str
    module: str
    artefact: str | None = None
    menu: bool = True
    scope: str = "marketer"
    schema: int = 1

    @property
    def page(self) -> Callable[..., Any]:
        """The function that makes it; imported when it is first asked for."""
        page: Callable[..., Any] = import_module(f"serving.console.views.{self.module}").page
        return page


VIEWS: tuple[View, ...] = (
    View("", "Overview", "overview", artefact="overview"),
    View("uplift", "Uplift", "uplift", artefact="uplift", schema=2),
    View(
        "uplift/customers",
        "Customers of a group",
        "uplift_customers",
        artefact="uplift",
        menu=False,
        scope="customers",
        schema=2,
    ),
    View("journeys", "Journeys", "journeys", artefact="journeys"),
    View(
        "journeys/customers",
        "Customers in a flow",
        "journeys_customers",
        artefact="journeys",
        menu=False,
        scope="customers",
    ),
    View("journeys/written", "Journeys as written", "journeys_declared", artefact="conformance"),
    View("touchpoints", "Touchpoints", "touchpoints", artefact="touchpoints"),
    View("pressure", "Contact pressure", "pressure", artefact="pressure"),
    View(
        "pressure/customers",
        "Whom to leave alone",
        "pressure_customers",
        artefact="pressure",
        menu=False,
        scope="customers",
    ),
    View("customers", "Customers", "customers", scope="customers"),
    View("customers/{customer}", "Customer", "customer", menu=False, scope="customers"),
    View("actions", "Actions", "actions", artefact="actions"),
    View("actions/{action}", "Action", "action", menu=False),
    View("policy", "Policy", "policy"),
    View("models", "Models", "models", artefact="models"),
)


def of_artefact(kind: str) -> View | None:
    """The page of one kind of report."""
    return next((view for view in VIEWS if view.artefact == kind), None)
