"""The command line of privacy: export, erase, restrict, retain."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from features.console import WorkspaceOption, command, err, out
from features.workspace import Workspace, WorkspaceError, locate

if TYPE_CHECKING:
    from serving.store.protocol import Store

EXPORT_HELP = """Write all that is kept of a customer, under every id they go by, as JSON.

Example: tactful privacy export C1042 --out C1042.json"""

ERASE_HELP = """Delete all that is kept of customers, for good: store, history, quarantine, tables and reports.

A salted hash of each id stays, so that a file that is read again does not bring them back. Safe to repeat.

Example: tactful privacy erase C1042 --yes"""

RESTRICT_HELP = """Leave a customer alone: nothing is sent or sold while processing is restricted.

Example: tactful privacy restrict C1042"""

RETAIN_HELP = """Delete what is older than `retention` in tactful.yaml, finish erasures; so does `tactful sync`.

Example: tactful privacy retain"""

Customer = Annotated[str, typer.Argument(help="Any id of the customer.")]

app = typer.Typer(help="What is kept of customers, and what is not.", no_args_is_help=True)


@contextmanager
def _opened(workspace: Path | None) -> "Iterator[tuple[Workspace, Store]]":
    """The workspace and its store, with what history tells of who is who."""
    from features.history import History
    from serving import absorb
    from serving.store import open_store

    found = locate(workspace)
    store = open_store(found)
    try:
        absorb.absorb_links(History(found), store)
        yield found, store
    finally:
        store.close()


def _named(*customers: str) -> None:
    """An id that a script left empty is nobody's."""
    if not all(customers):
        raise WorkspaceError("CUSTOMER is empty; give the customer's id")


def export(
    customer: Customer,
    to: Annotated[Path | None, typer.Option("--out", help="The file to write; default: standard output.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    from serving.privacy.exporting import export as exported

    _named(customer)
    with _opened(workspace) as (found, store):
        content = orjson.dumps(exported(found, store, customer), option=orjson.OPT_INDENT_2)
    if to is None:
        typer.echo(content.decode())
        return
    try:
        to.write_bytes(content + b"\n")
    except OSError as error:
        raise WorkspaceError(f"--out {to}: cannot be written: {error.strerror or error}") from None
    out.print(f"written to {to}", markup=False)


def erase(
    customers: Annotated[list[str], typer.Argument(help="Any id of each customer.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    from serving.privacy.erasing import erase as erased

    _named(*customers)
    with _opened(workspace) as (found, store):
        ids = store.ids_of(customers)
        err.print(f"{len(ids)} ids: {', '.join(ids[:10])}{' ...' if len(ids) > 10 else ''}", markup=False)
        if not yes and not typer.confirm("Delete all that is kept of them, for good?", err=True):
            raise WorkspaceError("nothing was deleted")
        done = erased(found, store, customers, found.clock().now())
        store.scrub()
    for kind, rows in sorted(done.rows.items()):
        out.print(f"{kind}: {rows:,} deleted", markup=False)
    nothing = "" if done.rows else ", of whom nothing was kept"
    out.print(f"{'1 id is' if done.ids == 1 else f'{done.ids} ids are'} gone{nothing}", markup=False)
    for path in done.left:
        # a number that is somebody's id may stand there for something else: whoever wrote the file knows
        err.print(f"{path}: one of the ids still stands there; where it names the customer, take it out", markup=False)


def restrict(
    customer: Customer,
    off: Annotated[bool, typer.Option("--off", help="Take it back.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    from serving.privacy import restricting

    _named(customer)
    with _opened(workspace) as (found, store):
        restricting.restrict(found, store, customer, not off, found.clock().now())
    out.print("restricted: nothing is sent or sold" if not off else "no longer restricted", markup=False)


def retain(workspace: WorkspaceOption = None) -> None:
    with _opened(workspace) as (found, store):
        tidy(found, store)


def tidy(workspace: Workspace, store: "Store") -> None:
    """Finishes erasures and deletes what is too old; says what went. Behind every sync."""
    from serving.privacy import erasing, retention

    now = workspace.clock().now()
    erasing.returned(workspace, store)
    done = erasing.finish(workspace, store, now)
    if done.ids:
        store.scrub()
    for kind, rows in sorted(done.rows.items()):
        out.print(f"erased: {kind}: {rows:,}", markup=False)
    for kind, number in retention.retain(workspace, store, now).items():
        out.print(f"too old: {kind}: {number:,} deleted", markup=False)


for _name, _function, _help in (
    ("export", export, EXPORT_HELP),
    ("erase", erase, ERASE_HELP),
    ("restrict", restrict, RESTRICT_HELP),
    ("retain", retain, RETAIN_HELP),
):
    app.command(_name, help=_help)(command(_function))
