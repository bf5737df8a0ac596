"""Where a look is written: beside the store for the service and the report on models, and for Prometheus."""

from pathlib import Path

from features.workspace import Workspace, WorkspaceError
from training.monitor import exposition
from training.monitor.report import MonitorReport

#: In the workspace's folder `state`: the figures, and the same for Prometheus (serving/metrics.py passes it on).
FIGURES, METRICS = "monitor.json", "monitor.prom"


def keep(workspace: Workspace, report: MonitorReport, metrics: Path | None = None) -> None:
    """Each file whole or not at all. Raises WorkspaceError naming the one that cannot be written."""
    state = workspace.folder / "state"
    state.mkdir(exist_ok=True)
    for path, write in (
        (state / FIGURES, MonitorReport.write),
        (state / METRICS, exposition.write),
        (metrics, exposition.write),
    ):
        try:
            if path is not None:
                write(report, path)
        except OSError as error:
            raise WorkspaceError(f"{path}: cannot be written: {error.strerror}") from None
