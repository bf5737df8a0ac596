"""The models report is made again when a command changed what it tells: training, promotion, a look."""

from features.console import err
from features.workspace import Workspace


def after(workspace: Workspace) -> None:
    """What was done stands, whether or not the report can be written: then it is one line on standard error."""
    from training.reports import jobs

    try:
        jobs.make(workspace, "models")
    except Exception as error:  # a full disk, a registry that is away
        told = " ".join(str(error).split())[:200] or type(error).__name__
        err.print(f"the report on models could not be written: {told}", markup=False)
