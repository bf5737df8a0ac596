"""`tactful train fatigue` (called by training/commands.py), and `tactful fatigue`: who is contacted too often."""

from pathlib import Path
from typing import Annotated

import typer

from features.clock import parse_instant
from features.console import WorkspaceOption, command, new_file, out, progress
from features.whole import whole
from features.workspace import Workspace, WorkspaceError, locate

FATIGUE_HELP = """Tell who is contacted too often: a row for every customer and channel, with the number that pays.

\b
Example: tactful fatigue --out bands.parquet
         tactful fatigue --out bands.csv --since 2026-01-01

Status is under (below half the recommended number a week), on target, nearly saturated (from nine tenths of it) or
saturated (a tenth above it and more); on channels where the log tells no number it cannot be told, and none is
recommended. harm_of_one_more is what one more contact now costs, in money. It is learned
from decisions that chance had a part in (withholding, exploration), as `tactful train fatigue` learns it, and says
what is missing where they cannot tell."""


@command
def fatigue(
    target: Annotated[Path, typer.Option("--out", help="A file to write: .parquet or .csv.")],
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Look at decisions from then on; default: all.")
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    if target.suffix not in (".parquet", ".csv"):
        raise WorkspaceError(f"--out {target}: name a file that ends in .parquet or .csv")
    new_file("--out", target)
    opened, start = locate(workspace), instant(since)
    from training.fatigue.standing import standing

    with progress() as bar:
        task = bar.add_task("reading the log", total=None)
        table, counts = standing(opened, start, lambda doing: bar.update(task, description=doing))
    _write(table, target)
    for channel, found in counts.items():
        out.print(f"{channel}: " + ", ".join(f"{n:,} {name}" for name, n in found.items()), markup=False)
    out.print(f"{table.num_rows:,} rows: {target}", markup=False)


def train(opened: Workspace, since: int | None = None) -> None:
    """Trains, registers and tells."""
    from training.fatigue import wording
    from training.fatigue.train import STAGES
    from training.fatigue.train import train as run

    with progress() as bar:
        task = bar.add_task("fatigue", total=len(STAGES))
        trained = run(opened, since, tell=lambda stage: bar.update(task, description=f"fatigue: {stage}", advance=1))
    out.print(f"fatigue version {trained.version}: {trained.verdict.alias}, {trained.verdict.reason}", markup=False)
    for line in wording.lines(trained.told, trained.fitted, trained.judged):
        out.print(f"  {line}", markup=False)
    out.print(f"  MLflow run {trained.run_id}", markup=False)


def instant(text: str | None) -> int | None:
    """Microseconds, of an option --since."""
    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise WorkspaceError(f"--since: {error}") from None


def _write(table: object, target: Path) -> None:
    """Whole or not at all."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    assert isinstance(table, pa.Table)
    try:
        with whole(target) as own:
            if target.suffix == ".csv":
                pa.csv.write_csv(table, own)
            else:
                pa.parquet.write_table(table, own, compression="zstd")
    except OSError as error:
        raise WorkspaceError(f"--out {target}: cannot be written: {error.strerror or error}") from None
