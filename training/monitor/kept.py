"""Where a look is written: beside the store for the service and the report on models, and for Prometheus."""

from collections.abc import Callable
from pathlib import Path

from features.workspace import Workspace, WorkspaceError
from training.monitor import exposition
from training.monitor.report import MonitorReport

#: In the workspace's folder `state`: the figures, and the same for Prometheus (serving/metrics.py passes it on).
FIGURES, METRICS = "monitor.json", "monitor.prom"


def keep(workspace: Workspace, report: MonitorReport) -> None:
    """As the last look. Each file whole or not at all. Raises WorkspaceError naming the one that cannot be written."""
    state = workspace.folder / "state"
    state.mkdir(exist_ok=True)
    _write(report, state / FIGURES, MonitorReport.write)
    write_metrics(report, state / METRICS)


def write_metrics(report: MonitorReport, path: Path) -> None:
    """For Prometheus. Raises WorkspaceError as `keep` does."""
    _write(report, path, exposition.write)


def _write(report: MonitorReport, path: Path, write: Callable[[MonitorReport, Path], None]) -> None:
    try:
        write(report, path)
    except OSError as error:
        raise WorkspaceError(f"{path}: cannot be written: {error.strerror}") from None
