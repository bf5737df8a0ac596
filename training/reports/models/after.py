"""The models report is made again when a command changed what it tells: training, promotion, a look."""

from pathlib import Path

from features.console import err
from features.workspace import Workspace, WorkspaceError


def after(workspace: Workspace) -> None:
    """What was done stands, whether or not the report can be written: then it is one line on standard error."""
    from training.reports import jobs

    try:
        jobs.make(workspace, "models")
    except Exception as error:  # a full disk, a registry that is away
        told = " ".join(str(error).split())[:200] or type(error).__name__
        err.print(f"the report on models could not be written: {told}", markup=False)


def page(workspace: Workspace, path: Path) -> None:
    """The same as one HTML file. Raises WorkspaceError where it cannot be drawn or written."""
    from training.reports import commands, jobs, keep

    if commands.render is None:
        raise WorkspaceError("pages are drawn by the console, which is not installed; leave out --out")
    figures = jobs.make(workspace, "models").artefact.model_dump(mode="json")
    try:
        keep.text(path, commands.render(figures, locale="en", currency=workspace.settings.currency))
    except OSError as error:
        raise WorkspaceError(f"{path}: cannot be written: {error.strerror}") from None
