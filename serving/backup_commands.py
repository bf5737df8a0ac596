"""The command line of backups: backup and restore. History, policies and models are files: copy them as files."""

from pathlib import Path
from typing import Annotated

import typer

from features.console import WorkspaceOption, command, out
from features.workspace import Workspace, WorkspaceError, locate

app = typer.Typer()

BACKUP_HELP = """Copy the live store, as of one moment, while it is being used.

A file for SQLite, a folder for PostgreSQL. History, policies and models are files of the workspace already.

Example: tactful backup /backups/tactful-monday"""

RESTORE_HELP = """Put a backup of the live store where the workspace's store is to be; there must be none yet.

What happened since the backup and was synced comes back from history with the next `tactful sync`.

Example: tactful restore /backups/tactful-monday"""

Target = Annotated[Path, typer.Argument(help="A new file (SQLite) or folder (PostgreSQL).")]
Source = Annotated[Path, typer.Argument(help="What `tactful backup` wrote.")]


@app.command(help=BACKUP_HELP)
@command
def backup(target: Target, workspace: WorkspaceOption = None) -> None:
    from serving.store import open_store
    from serving.store.protocol import Unavailable

    opened = locate(workspace)
    try:
        with open_store(opened) as store:
            store.backup(target)
    except Unavailable as error:
        raise WorkspaceError(f"{target}: the backup could not be written: {error}") from None
    size = sum(file.stat().st_size for file in ([target] if target.is_file() else target.iterdir()))
    out.print(f"Copied the store to {target}: {size / 1e6:,.1f} MB", markup=False)


@app.command(help=RESTORE_HELP)
@command
def restore(source: Source, workspace: WorkspaceOption = None) -> None:
    opened = locate(workspace)
    restore_into(opened, source)
    out.print(f"Restored {source}; start the service, or run `tactful sync` to take in newer history", markup=False)


def restore_into(workspace: Workspace, source: Path) -> None:
    """Raises WorkspaceError where it is no backup of such a store, or a store is there already."""
    url = workspace.store_url
    if not source.exists():
        raise WorkspaceError(f"{source}: no such file; name what `tactful backup` wrote")
    if url.startswith("sqlite:///"):
        from serving.store import sqlite

        sqlite.restore(source, workspace.store_path)
        return
    from serving.store import postgres

    postgres.restore(source, url)
