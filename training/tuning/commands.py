"""`tactful tune`."""

from typing import Annotated

import typer

from features.console import WorkspaceOption, command, err, out, progress
from features.workspace import WorkspaceError, locate

HELP = """Search better parameters for a model's trees for some minutes; kept where surely better than the defaults.

\b
Example: tactful tune churn --minutes 10
         tactful train churn

Trials are judged on later rows of other customers within the training window; the winner then meets the defaults once
more, on rows later still. What is kept goes into tuned.yaml, which `tactful train` reads. The same command again goes
on with the search, also after Ctrl-C or a kill, as long as history, catalogue and windows are the same."""


@command
def tune(
    model: Annotated[str, typer.Argument(metavar="churn|propensity", help="Which model.")],
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="How long to search.")] = 10.0,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="End after so many new ones.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the search.")] = 0,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    from training.train import KINDS

    if model not in KINDS:
        raise WorkspaceError(f"there is no model `{model}`; choose one of {', '.join(KINDS)}")
    from training.train import prepared
    from training.tuning import tuned
    from training.tuning.study import tune as run

    earlier = tuned.parameters(opened, model)
    with progress() as bar:
        task = bar.add_task(f"{model}: features and labels", total=None)
        dataset, habit = prepared(opened, model)

        def tell(done: int, best: float, defaults: float) -> None:
            text = f"{model}: {done} trials, log loss {best:.5f} (defaults {defaults:.5f})"
            bar.update(task, description=text, completed=done)

        try:
            result = run(opened, dataset, habit, minutes, trials, seed, tell)
        except KeyboardInterrupt:
            err.print("interrupted: nothing was decided; the same command goes on with the search", markup=False)
            raise
    shown = ", ".join(f"{name} {value:.4g}" for name, value in result.parameters.items())
    cut = f", {result.cut_short} more cut short" if result.cut_short else ""
    out.print(f"{model}: {result.trials} trials ({result.new_trials} now{cut}); best: {shown}", markup=False)
    out.print(f"  log loss on later rows, less the defaults': {result.difference:+.5f}", markup=False)
    if result.kept:
        told = "kept in tuned.yaml; now `tactful train` uses it"
    elif earlier is None:
        told = "not surely better: the defaults stay"
    elif tuned.parameters(opened, model) is None:
        told = "not surely better: what tuned.yaml held of it is taken out, the defaults are back"
    else:
        told = "nothing but the defaults was tried: what tuned.yaml holds stays"
    out.print(f"  {told}", markup=False)
    out.print(f"  MLflow run {result.run_id}", markup=False)
