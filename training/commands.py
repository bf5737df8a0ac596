"""The command line of training: train, models, promote."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.clock import parse_instant
from features.console import WorkspaceOption, command, out, progress
from features.workspace import WorkspaceError, locate

if TYPE_CHECKING:  # scikit-learn, LightGBM and MLflow take seconds to import: only a command that runs pays them
    from mlflow.entities.model_registry import ModelVersion

    from training.tracking import Registry
    from training.train import Trained

MODELS = ("churn", "propensity")

TRAIN_HELP = """Train models on history and register them; the better one becomes champion.

\b
Example: tactful train all
         tactful train churn --test-cutoff 2017-12-04
         tactful train churn --features weekly/

--features reads what `tactful features build` wrote, checked against catalogue, settings and history; where cutoffs
are lacking, it says which command builds them. Propensity needs the instants of its offers and always computes."""

MODELS_HELP = """List the models: which one is champion, since when, why, and how good.

Example: tactful models"""

PROMOTE_HELP = """Make a version the champion by hand; without --version, the challenger.

\b
Example: tactful promote churn --version 3
         tactful promote churn --rollback

--rollback makes the champion before the present one champion again. A running service switches by itself, without
losing a request."""


@command
def train(
    model: Annotated[str, typer.Argument(metavar="churn|propensity|all", help="Which model.")],
    test_cutoff: Annotated[
        str | None,
        typer.Option("--test-cutoff", metavar="DATE", help="Judge as of this date; default: the latest that works."),
    ] = None,
    features: Annotated[
        list[Path] | None,
        typer.Option("--features", metavar="DIR", help="Built features to read, a folder or file; may be repeated."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    kinds = _kinds(model)
    test = _instant(test_cutoff)
    from training.dataset import read
    from training.train import STAGES
    from training.train import train as run

    failed = []
    with progress() as bar:
        task = bar.add_task("reading history", total=1 + len(kinds) * len(STAGES))
        past = read(opened)
        bar.advance(task)
        for kind in kinds:

            def tell(stage: str, kind: str = kind) -> None:
                bar.update(task, description=f"{kind}: {stage}", advance=1)

            try:
                read_from = (features or ()) if kind == "churn" or len(kinds) == 1 else ()
                trained = run(opened, kind, test, past, tell=tell, features=read_from)
            except WorkspaceError as error:
                if len(kinds) == 1:
                    raise
                failed.append(f"{kind}: {error}")
            else:
                _show(trained)
    if failed:
        raise WorkspaceError("; ".join(failed))
    out.print(f"MLflow: mlflow ui --backend-store-uri {opened.tracking_uri}", markup=False)


@command
def models(workspace: WorkspaceOption = None) -> None:
    opened = locate(workspace)
    from training.tracking import CHALLENGER, CHAMPION, Registry

    registry = Registry(opened)
    lines = [
        line
        for kind in MODELS
        for version in reversed(registry.versions(kind))
        for line in _lines(registry, kind, version, (CHAMPION, CHALLENGER))
    ]
    for line in lines or ["No models yet: run `tactful train all`."]:
        out.print(line, markup=False)


@command
def promote(
    model: Annotated[str, typer.Argument(metavar="churn|propensity", help="Which model.")],
    version: Annotated[int | None, typer.Option("--version", min=1, help="Default: the challenger.")] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Back to the champion before this one.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    if model not in MODELS:
        raise WorkspaceError(f"there is no model `{model}`; choose one of {', '.join(MODELS)}")
    if rollback and version is not None:
        raise WorkspaceError("--rollback goes to the champion before, --version to the one named: give one of them")
    from training import promote as promotion
    from training.tracking import Registry

    if rollback:
        chosen, left = promotion.roll_back(Registry(opened), model)
        out.print(f"{model} version {chosen} is champion again instead of {left}", markup=False)
        return
    chosen = promotion.promote(Registry(opened), model, None if version is None else str(version))
    out.print(f"{model} version {chosen} is champion; a running service takes it up by itself", markup=False)


def _kinds(model: str) -> tuple[str, ...]:
    if model == "all":
        return MODELS
    if model not in MODELS:
        raise WorkspaceError(f"there is no model `{model}`; choose one of {', '.join(MODELS)}, all")
    return (model,)


def _instant(text: str | None) -> int | None:
    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise WorkspaceError(f"--test-cutoff: {error}") from None


def _show(trained: "Trained") -> None:
    rows = ", ".join(f"{count:,} {name}" for name, count in trained.rows.items())
    out.print(
        f"{trained.kind} version {trained.version}: {trained.verdict.alias}, {trained.verdict.reason}", markup=False
    )
    out.print(f"  rows: {rows}; {trained.rate:.1%} of the test rows are positive", markup=False)
    for name in ("auc", "brier_skill", "calibration_slope", "ece", "lift_top_decile"):
        out.print(f"  {name.replace('_', ' ')}: {trained.metrics[name]}", markup=False)
    out.print(f"  MLflow run {trained.run_id}", markup=False)


def _lines(registry: "Registry", kind: str, version: "ModelVersion", aliases: tuple[str, ...]) -> list[str]:
    from training.evaluate import Interval

    held = [
        alias for alias in aliases if (holder := registry.holder(kind, alias)) and holder.version == version.version
    ]
    figures = defaultdict(lambda: float("nan"), registry.metrics(version))
    since = f" since {version.tags['since'][:19]}Z" if held and "since" in version.tags else ""
    auc = Interval(figures["auc"], figures["auc_low"], figures["auc_high"])
    return [
        f"{kind} {version.version}  {' '.join(held) or '-'}{since}  AUC {auc}  Brier skill {figures['brier_skill']:.3f}"
        f"  calibration slope {figures['calibration_slope']:.2f}",
        f"    {version.tags.get('reason', '')}",
    ]


app = typer.Typer(help="Models: trained, compared, promoted.")
app.command(help=TRAIN_HELP)(train)
app.command(help=MODELS_HELP)(models)
app.command(help=PROMOTE_HELP)(promote)
