"""`tactful train uplift` (called by training/commands.py)."""

from typing import cast

from features.console import out, progress
from features.workspace import Workspace, WorkspaceError

UNITS = ("responses", "money")


def train(opened: Workspace, start: int | None = None, unit: str = UNITS[0]) -> None:
    """Trains, registers and tells."""
    if unit not in UNITS:
        raise WorkspaceError(f"--unit {unit}: choose {' or '.join(UNITS)}")
    from training.uplift.logged import words
    from training.uplift.logged.report import Unit
    from training.uplift.logged.train import STAGES
    from training.uplift.logged.train import train as run

    with progress() as bar:
        task = bar.add_task("uplift", total=len(STAGES))

        def tell(stage: str) -> None:
            bar.update(task, description=f"uplift: {stage}", advance=float(stage in STAGES))

        trained = run(opened, start, cast("Unit", unit), tell=tell)
    verdict = trained.verdict
    out.print(f"uplift version {trained.version}: {verdict.alias or 'refused'}, {verdict.reason}", markup=False)
    for line in words.lines(trained.learned.report):
        out.print(f"  {line}", markup=False)
    out.print(f"  MLflow run {trained.run_id}", markup=False)
