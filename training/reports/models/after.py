"""The models report is made again when a command changed what it tells: training, promotion, a look."""

from pathlib import Path
from typing import TYPE_CHECKING

from features.console import err
from features.workspace import Workspace, WorkspaceError

if TYPE_CHECKING:
    from training.monitor.report import MonitorReport


def after(workspace: Workspace) -> None:
    """What was done stands, whether or not the report can be written: then it is one line on standard error."""
    from training.reports import jobs

    try:
        jobs.make(workspace, "models")
    except Exception as error:  # a full disk, a registry that is away
        told = " ".join(str(error).split())[:200] or type(error).__name__
        err.print(f"the report on models could not be written: {told}", markup=False)


def page(workspace: Workspace, path: Path, look: "MonitorReport | None" = None) -> None:
    """The same as one HTML file; with a `look` that is not the last one, that file is all that tells of it.

    Raises WorkspaceError where it cannot be drawn or written.
    """
    from training.reports import commands, jobs, keep
    from training.reports.models.job import report

    if commands.render is None:
        raise WorkspaceError("pages are drawn by the console, which is not installed; leave out --out")
    made = jobs.make(workspace, "models") if look is None else report(workspace, look)
    figures = made.artefact.model_dump(mode="json")
    try:
        keep.text(path, commands.render(figures, locale="en", currency=workspace.settings.currency))
    except OSError as error:
        raise WorkspaceError(f"{path}: cannot be written: {error.strerror}") from None
