"""The command line of serving: serve, keys create, decide, sync, score."""

import errno
import os
import socket
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from features import clock
from features.console import WorkspaceOption, command, err, new_file, out, progress
from features.workspace import Workspace, WorkspaceError, locate
from serving import decide_commands

SERVE_HELP = """Serve decisions over HTTP until Ctrl-C.

Example: tactful serve --port 3000"""

KEYS_HELP = "API keys of the channel systems."

CREATE_HELP = """Make an API key and print it, once: only its hash is kept.

Example: tactful keys create mailer --scope decide --scope record"""

LIST_HELP = """Who has a key, and what it may do.

Example: tactful keys list"""

REVOKE_HELP = """Make a key stop working, within five seconds on a running service.

Example: tactful keys revoke mailer"""

SYNC_HELP = """Copy live interactions, decisions and contacts into history, and take in what was ingested.

Example: tactful sync"""

SCORE_HELP = """Score every customer of history in batch, with the same numbers as the service gives.

Run `tactful sync` first where live interactions should count.

Example: tactful score --out scores.parquet --as-of 2017-12-04"""


@command
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 3000,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for every interface.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer, about one a core.")] = 1,
    workspace: WorkspaceOption = None,
) -> None:
    from serving.client import write_address

    opened = locate(workspace)
    _free(host, port)
    url = write_address(opened, host, port)
    out.print(f"Serving {opened.folder}", markup=False)
    out.print(f"  console    {url}/console/\n  API page   {url}/v1/docs", markup=False)
    out.print(f"  readiness  {url}/readyz\n  stop       Ctrl-C", markup=False)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *server_arguments(host, port)], environment(opened, port, workers))


def server_arguments(host: str, port: int) -> list[str]:
    """BentoML's own command line; a stopping server gives requests ten seconds (BentoML's default is a day)."""
    return [
        "-m",
        "bentoml",
        "serve",
        "serving.service:TactfulService",
        "--host",
        host,
        "--port",
        str(port),
        "--timeout-graceful-shutdown",
        "10",
        "--working-dir",
        str(Path(__file__).parents[1]),
    ]


def environment(workspace: Workspace, port: int = 3000, workers: int = 1) -> dict[str, str]:
    """What the server and its workers are told: the workspace, where BentoML may write, and not to call home.

    BentoML wipes the metrics below its home when it starts: each port has a home of its own.
    """
    return {
        **os.environ,
        "TACTFUL_WORKSPACE": str(workspace.folder),
        "BENTOML_HOME": str(workspace.folder / "state" / "bentoml" / str(port)),
        "TACTFUL_WORKERS": str(workers),
        "BENTOML_DO_NOT_TRACK": "True",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


@command
def create_key(
    name: Annotated[str, typer.Argument(help="Who will use it, e.g. mailer.")],
    scope: Annotated[
        list[str],
        typer.Option(help="What it may do: decide, record, marketer, customers, metrics, admin; may be repeated."),
    ] = ["decide", "record"],  # noqa: B006  typer reads it and never changes it
    workspace: WorkspaceOption = None,
) -> None:
    from serving.client import create_key as create

    if not name.strip():
        raise WorkspaceError("NAME: say who will use the key, e.g. mailer")
    key = create(locate(workspace), name, scope)
    err.print(f"The key of {name}, to {' and '.join(scope)}. It is shown this once, so keep it now:", markup=False)
    out.print(key, markup=False)


@command
def list_keys(workspace: WorkspaceOption = None) -> None:
    from serving.auth import client_of
    from serving.store import open_store

    store = open_store(locate(workspace))
    try:
        stored = store.keys()
    finally:
        store.close()
    if not stored:
        err.print("There are no keys yet; make one with `tactful keys create NAME`.", markup=False)
    for key in stored:
        scopes = ", ".join(sorted(client_of(key).scopes))
        until = f"; revoked {clock.isoformat(key.revoked_at)}" if key.revoked_at is not None else ""
        out.print(f"{key.name}: {scopes}; made {clock.isoformat(key.created_at)}{until}", markup=False)


@command
def revoke_key(name: Annotated[str, typer.Argument(help="Whose key.")], workspace: WorkspaceOption = None) -> None:
    from serving.store import open_store

    opened = locate(workspace)
    store = open_store(opened)
    try:
        if not store.revoke_key(name, opened.clock().now()).result():
            raise WorkspaceError(f"{name!r} has no key that works")
    finally:
        store.close()
    out.print(f"The key of {name} no longer works.", markup=False)


@command
def sync(workspace: WorkspaceOption = None) -> None:
    for kind, receipt in bring_home(locate(workspace)).items():
        out.print(f"{kind}: {receipt}", markup=False)


def bring_home(workspace: Workspace) -> dict[str, str]:
    """The store and history made even; what was copied, by log, in words. Hooked before `tactful retrain`."""
    from serving import sync as syncing
    from serving.privacy.commands import tidy
    from serving.store import open_store

    store = open_store(workspace)
    try:
        with progress() as bar:
            task = bar.add_task("copying to history", total=None)
            done = syncing.sync(workspace, store, lambda rows: bar.advance(task, rows))
        absorb_new(workspace, store)
        tidy(workspace, store)
    finally:
        store.close()
    return {kind: str(receipt) for kind, receipt in done.items()}


def absorb_new(workspace: Workspace, store: Any = None) -> None:
    """Takes ingested batches into the live store, with a progress bar; hooked behind `tactful ingest`."""
    from features.history import History
    from serving import absorb
    from serving.store import open_store

    own = store is None
    used = open_store(workspace) if own else store
    try:
        history = History(workspace)
        absorb.absorb_people(history, used)
        batches = absorb.pending(history, used)
        if not batches:
            return
        with progress() as bar:
            task = bar.add_task("teaching the live store", total=sum(batch.rows for batch in batches))
            receipt = absorb.absorb(workspace, used, lambda _, rows: bar.advance(task, rows))
        out.print(f"live store: {receipt.accepted:,} interactions taken in", markup=False)
    finally:
        if own:
            used.close()


@command
def score(
    to: Annotated[Path, typer.Option("--out", help="The file to write: Parquet, or CSV where it ends in .csv.")],
    as_of: Annotated[str | None, typer.Option(help="An ISO date or instant; default: the workspace's now.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    from serving import batch_score

    opened = locate(workspace)
    instant = opened.clock().now() if as_of is None else _instant(as_of)
    new_file("--out", to)
    with progress() as bar:
        task = bar.add_task("scoring customers", total=None)
        table = batch_score.score(opened, instant, lambda done, total: bar.update(task, completed=done, total=total))
        batch_score.write(table, to)
    out.print(f"{table.num_rows:,} customers as of {clock.isoformat(instant)} in {to}", markup=False)
    if b"tactful.propensity" not in table.schema.metadata:
        out.print("churn only: there is no propensity model; it needs offers in history", markup=False)


def _instant(text: str) -> int:
    try:
        return clock.parse_instant(text)
    except ValueError as error:
        raise WorkspaceError(f"--as-of: {error}") from None


def _free(host: str, port: int, patience: float = 2.0) -> None:
    """WorkspaceError where the port stays taken; a server that is just stopping gets a moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + patience
    while True:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
                return
        except (OSError, OverflowError) as error:
            if time.monotonic() > deadline or getattr(error, "errno", None) != errno.EADDRINUSE:
                raise WorkspaceError(f"cannot listen on {host}:{port} ({error}); choose another with --port") from None
        time.sleep(0.2)


app = typer.Typer(help="The service, its keys and its decisions.")
app.command(help=SERVE_HELP)(serve)
keys = typer.Typer(help=KEYS_HELP, no_args_is_help=True)
keys.command("create", help=CREATE_HELP)(create_key)
keys.command("list", help=LIST_HELP)(list_keys)
keys.command("revoke", help=REVOKE_HELP)(revoke_key)
app.add_typer(keys, name="keys")
app.command(help=decide_commands.HELP)(decide_commands.decide)
app.command(help=SYNC_HELP)(sync)
app.command(help=SCORE_HELP)(score)
