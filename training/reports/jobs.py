"""Which report is made by which job. A job reads history and what was kept before, and returns a `keep.Report`."""

from collections.abc import Callable
from importlib import import_module

from features.workspace import Workspace, WorkspaceError
from training.reports import keep

Make = Callable[[Workspace], keep.Report]

#: Kind -> the module and function that make it, imported only when asked for; in the order in which `all` makes them:
#: the overview comes last, for it reads what the others found.
JOBS: dict[str, str] = {
    "models": "training.reports.models.job:report",
    "actions": "training.reports.actions.job:report",
    "uplift": "training.reports.uplift.job:make",
    "journeys": "training.reports.journeys:report",
    "conformance": "training.reports.conformance.job:report",
    "touchpoints": "training.reports.touchpoints.job:report",
    "pressure": "training.reports.pressure.job:report",
    "overview": "training.reports.overview.job:make",
}


def make(workspace: Workspace, kind: str, otherwise: Make | None = None) -> keep.Report:
    """Makes a report and keeps it, by another job where one is given.

    Raises WorkspaceError where the data or the disk do not allow it.
    """
    try:
        report = (otherwise or job(kind))(workspace)
    except OSError as error:  # a folder that cannot be written to, a full disk
        where, why = error.filename or workspace.reports, error.strerror or error
        raise WorkspaceError(f"{where}: {why}; see to it, and run the same command again") from error
    keep.write(workspace, report)
    return report


def job(kind: str) -> Make:
    module, _, function = JOBS[kind].partition(":")
    found: Make = getattr(import_module(module), function)
    return found
