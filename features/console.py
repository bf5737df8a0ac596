"""What every command shares: one terminal, one way to fail."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from features import faults
from features.workspace import WorkspaceError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        help="The workspace folder; default: $TACTFUL_WORKSPACE, or the nearest one upwards.",
    ),
]

Command = TypeVar("Command", bound=Callable[..., Any])


def command(function: Command) -> Command:
    """Turns a WorkspaceError into one clear line and exit code 2: users never see a traceback for their own input.

    Nor for what is the machine's fault (faults.py): a full disk, a store that is away.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except WorkspaceError as error:
            err.print(f"error: {error}", markup=False)
            raise typer.Exit(2) from None
        except Exception as error:
            said = faults.told(error)
            if said is None:
                raise
            err.print(f"error: {said}", markup=False)
            raise typer.Exit(2) from None

    return wrapped  # type: ignore[return-value]


def new_file(option: str, path: Path) -> Path:
    """The path of a file to write, asked before anything is computed.

    Raises WorkspaceError for a folder, for a place in no folder, and for what is there and no file: /dev/null and
    /dev/stdout would be put away for a file of that name.
    """
    try:
        if not path.name or path.is_dir():
            raise WorkspaceError(f"{option} {path}: is a folder; name a file in it")
        if not path.parent.is_dir():
            raise WorkspaceError(f"{option} {path}: there is no folder {path.parent}; create it first")
        if path.exists() and not path.is_file():
            raise WorkspaceError(f"{option} {path}: is no file but a device or pipe; name a file")
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise WorkspaceError(f"{option} {path}: cannot be written: {error.strerror}") from None
    return path


def progress() -> Progress:
    """A progress bar for anything longer than two seconds; it goes to standard error and vanishes in pipes."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=not sys.stderr.isatty(),
        disable=False,
    )
