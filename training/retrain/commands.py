"""`tactful retrain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import WorkspaceOption, command, err, new_file, out
from features.workspace import WorkspaceError, locate
from training.retrain.journal import write

if TYPE_CHECKING:  # what trains takes seconds to import
    from training.retrain.run import Sync

KINDS = ("churn", "propensity", "uplift", "fatigue")

HELP = """Bring history up to date, train every model, promote what is no worse, look and report: for a scheduler.

\b
Example: tactful retrain --out retrained.json
         tactful retrain --only churn

Churn, propensity and, where the log of decisions can tell them, uplift and fatigue. Where nothing came in since the
last time, nothing is trained, and looked all the same. All reports of the console are made at its end. After a kill
the same command goes on with what is left; one runs at a time. Exit code 0: done, whether or not a model was promoted;
1: done, but somebody should look (something rings, a report broke, or a model that has a champion can no longer be
trained); 2: it could not go on."""

#: What runs before: the front door puts the live store's sync here, for training may not import it.
before: "list[Sync]" = []


@command
def retrain(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="|".join(KINDS), help="A kind of model; may be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Train even where nothing is new.")] = False,
    out_file: Annotated[Path | None, typer.Option("--out", help="A summary as JSON.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    for kind in only or ():
        if kind not in KINDS:
            raise WorkspaceError(f"there is no model `{kind}`; choose of {', '.join(KINDS)}")
    if out_file is not None:
        new_file("--out", out_file)
    kinds = [kind for kind in KINDS if not only or kind in only]
    from training.reports.jobs import JOBS
    from training.retrain.run import retrain as run

    def tell(step: str, at: int, of: int) -> None:
        err.print(f"[{at}/{of}] {step}", markup=False)

    try:
        summary = run(opened, kinds, before, force, tell, tuple(JOBS))
    except WorkspaceError:
        raise
    except Exception as error:  # for a scheduler 1 means that it is done, which a traceback would say, too
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise WorkspaceError(f"could not go on: {told}") from error
    if out_file is not None:
        try:
            write(out_file, summary.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise WorkspaceError(f"--out {out_file}: cannot be written: {error.strerror}") from None
    for line in summary.lines():
        out.print(line, markup=False)
    if summary.alarm:
        raise typer.Exit(1)
