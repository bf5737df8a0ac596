"""The command line of training: train, models, promote."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.clock import parse_instant
from features.console import WorkspaceOption, command, out, progress
from features.workspace import Workspace, WorkspaceError, locate
from training.fatigue import commands as fatigue
from training.uplift.logged import commands as uplift

if TYPE_CHECKING:  # scikit-learn, LightGBM and MLflow take seconds to import: only a command that runs pays them
    from mlflow.entities.model_registry import ModelVersion

    from training.tracking import Registry
    from training.train import Trained

MODELS = ("churn", "propensity")
#: All that a service may use; effects are trained by commands of their own.
EFFECTS = ("uplift", "fatigue")
SERVED = (*MODELS, *EFFECTS)

TRAIN_HELP = """Train models on history and register them; the better one becomes champion.

\b
Example: tactful train all
         tactful train churn --test-cutoff 2017-12-04
         tactful train churn --features weekly/
         tactful train churn --repeat 5f3c...
         tactful train uplift --test-cutoff 2025-08-01

--repeat RUN trains once more what an MLflow run learned, from its log alone (data, settings, test cutoff), registers
nothing and says whether the predictions are the same to the last bit: exit code 1 where they are not.

--features reads what `tactful features build` wrote, checked against catalogue, settings and history; where cutoffs
are lacking, it says which command builds them. Propensity needs the instants of its offers and always computes.
`uplift` (what each action causes) and `fatigue` (what one more contact costs) learn from logged decisions and are not
part of `all`. --unit money learns the money that is kept of it, not how many more customers reach the goal."""

MODELS_HELP = """List the models: which one is champion, challenger or shadow, since when, why, and how good.

\b
Example: tactful models
         tactful models --compare

--compare tells from history what came of customers for whom challengers decided, against those of the champions at
the same time (run `tactful sync` before)."""

PROMOTE_HELP = """Make a version the champion by hand; without --version, the challenger.

\b
Example: tactful promote churn --version 3
         tactful promote churn --rollback
         tactful promote churn --version 4 --as shadow
         tactful promote churn --as challenger --retire

--rollback makes the champion before the present one champion again. A running service switches by itself, without
losing a request. --as challenger lets a version decide for the share of customers that contact_policy.yaml states
(`challenger: {share: 0.1}`), --as shadow has its scores logged beside, to decide nothing; --retire takes the alias
away again."""


@command
def train(
    model: Annotated[str, typer.Argument(metavar="churn|propensity|uplift|fatigue|all", help="Which model.")],
    test_cutoff: Annotated[
        str | None,
        typer.Option("--test-cutoff", metavar="DATE", help="Judge as of this date; default: the latest that works."),
    ] = None,
    features: Annotated[
        list[Path] | None,
        typer.Option("--features", metavar="DIR", help="Built features to read, a folder or file; may be repeated."),
    ] = None,
    repeat: Annotated[
        str | None, typer.Option("--repeat", metavar="RUN", help="Repeat an MLflow run; registers nothing.")
    ] = None,
    unit: Annotated[
        str, typer.Option("--unit", metavar="responses|money", help="Of uplift: what it adds.")
    ] = "responses",
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    if repeat is not None and (test_cutoff is not None or features):
        raise WorkspaceError("--repeat takes everything from the run's log: leave the other options out")
    if repeat is not None and model in EFFECTS:
        _repeat(opened, repeat)
        return
    if model == "fatigue":
        if test_cutoff is not None or features:
            raise WorkspaceError(
                "train fatigue takes no other option than --workspace and --repeat: it judges by later decisions"
            )
        fatigue.train(opened)
        _tell(opened)
        return
    if model == "uplift":
        if features:
            raise WorkspaceError("train uplift learns from logged decisions: it reads no --features")
        uplift.train(opened, _instant(test_cutoff), unit)
        _tell(opened)
        return
    kinds = _kinds(model)
    if repeat is not None:
        _repeat(opened, repeat)
        return
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
    _tell(opened)
    if failed:
        raise WorkspaceError("; ".join(failed))
    out.print(f"MLflow: mlflow ui --backend-store-uri {opened.tracking_uri}", markup=False)


@command
def models(
    compare: Annotated[bool, typer.Option("--compare", help="What came of challengers' customers.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    if compare:
        from training import challenge

        for line in challenge.told(opened):
            out.print(line, markup=False)
        return
    from training.tracking import ALIASES, Registry

    registry = Registry(opened)
    holders = {kind: {alias: registry.holder(kind, alias) for alias in ALIASES} for kind in SERVED}
    lines = [
        line
        for kind in SERVED
        for version in reversed(registry.versions(kind))
        for line in _lines(registry, kind, version, holders[kind])
    ]
    for line in [*lines, *_shares(opened, holders)] or ["No models yet: run `tactful train all`."]:
        out.print(line, markup=False)


@command
def promote(
    model: Annotated[str, typer.Argument(metavar="|".join(SERVED), help="Which model.")],
    version: Annotated[int | None, typer.Option("--version", min=1, help="Default: the challenger.")] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Back to the champion before this one.")] = False,
    alias: Annotated[
        str, typer.Option("--as", metavar="champion|challenger|shadow", help="What it becomes.")
    ] = "champion",
    retire: Annotated[bool, typer.Option("--retire", help="Take the alias of --as away.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    if model not in SERVED:
        raise WorkspaceError(f"there is no model `{model}`; choose one of {', '.join(SERVED)}")
    if rollback and version is not None:
        raise WorkspaceError("--rollback goes to the champion before, --version to the one named: give one of them")
    from training import promote as promotion
    from training.tracking import ALIASES, CHAMPION, Registry

    if alias not in ALIASES:
        raise WorkspaceError(f"--as {alias}: choose one of {', '.join(ALIASES)}")
    if alias == CHAMPION and retire:
        raise WorkspaceError(
            "--retire is for a challenger or a shadow: say --as; a champion is followed by another one"
        )
    if (rollback and alias != CHAMPION) or (retire and (rollback or version is not None)):
        raise WorkspaceError(
            "--rollback is about the champion, --retire about whoever holds --as: give one of them alone"
        )
    if retire:
        left = promotion.retire(Registry(opened), model, alias)
        _tell(opened)
        out.print(f"{model} version {left} is no {alias} any more", markup=False)
        return
    if rollback:
        chosen, left = promotion.roll_back(Registry(opened), model)
        _tell(opened)
        out.print(f"{model} version {chosen} is champion again instead of {left}", markup=False)
        return
    made = promotion.promote(Registry(opened), model, None if version is None else str(version), alias)
    if made.already:
        out.print(
            f"{model} version {made.version} is {alias} already, {made.already}; nothing was changed", markup=False
        )
        return
    _tell(opened)
    out.print(f"{model} version {made.version} is {alias}; a running service takes it up by itself", markup=False)


def _tell(workspace: Workspace) -> None:
    """The console's page on models knows what changed."""
    from training.reports.models.after import after

    after(workspace)


def _kinds(model: str) -> tuple[str, ...]:
    if model == "all":
        return MODELS
    if model not in MODELS:
        raise WorkspaceError(f"there is no model `{model}`; choose one of {', '.join(SERVED)}, all")
    return (model,)


def _instant(text: str | None) -> int | None:
    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise WorkspaceError(f"--test-cutoff: {error}") from None


def _show(trained: "Trained") -> None:
    rows = ", ".join(f"{count:,} {name}" for name, count in trained.rows.items())
    out.print(
        f"{trained.kind} version {trained.version}: {trained.verdict.alias or 'refused'}, {trained.verdict.reason}",
        markup=False,
    )
    out.print(f"  rows: {rows}; {trained.rate:.1%} of the test rows are positive", markup=False)
    for name in ("auc", "brier_skill", "calibration_slope", "ece", "ece_by_chance", "lift_top_decile"):
        out.print(f"  {name.replace('_', ' ')}: {trained.metrics[name]}", markup=False)
    out.print(f"  probabilities are {trained.calibration}", markup=False)
    out.print(f"  MLflow run {trained.run_id}", markup=False)


def _lines(
    registry: "Registry", kind: str, version: "ModelVersion", holders: "Mapping[str, ModelVersion | None]"
) -> list[str]:
    from training.evaluate import Interval
    from training.tracking import REFUSED

    held = [alias for alias, holder in holders.items() if holder and holder.version == version.version]
    figures = registry.metrics(version)
    since = f" since {version.tags['since'][:19]}Z" if held and "since" in version.tags else ""
    told = f"{kind} {version.version}  {' '.join(held) or '-'}{since}"
    if "auc" in figures:
        known = defaultdict(lambda: float("nan"), figures)
        auc = Interval(known["auc"], known["auc_low"], known["auc_high"])
        told += (
            f"  AUC {auc}  Brier skill {known['brier_skill']:.3f}  calibration slope {known['calibration_slope']:.2f}"
            f"  ECE {known['ece']:.3f}"
        )
    refused = "refused: " if REFUSED in version.tags else ""
    return [told, f"    {refused}{version.tags.get('reason', '')}"]


def _shares(workspace: Workspace, holders: "Mapping[str, Mapping[str, ModelVersion | None]]") -> list[str]:
    """Who decides for how many customers, where a challenger or a shadow is there."""
    from serving.decisions import policy
    from training.tracking import CHALLENGER, REFUSED, SHADOW

    rivals = {kind: held for kind, of in holders.items() if (held := of[CHALLENGER]) is not None}
    playing = [f"{kind} {held.version}" for kind, held in rivals.items() if REFUSED not in held.tags]
    shadows = [f"{kind} {held.version}" for kind, of in holders.items() if (held := of[SHADOW]) is not None]
    lines = []
    if playing:
        stated = policy.load(workspace).policy.challenger
        share = (
            f"for {stated.share:.0%} of customers in no other arm"
            if stated
            else "for nobody: `challenger` in contact_policy.yaml"
        )
        lines.append(f"challengers decide {share}: {', '.join(playing)}")
    if waiting := [f"{kind} {held.version}" for kind, held in rivals.items() if REFUSED in held.tags]:
        lines.append(f"refused, and so decide nothing until `tactful promote --as challenger`: {', '.join(waiting)}")
    if shadows:
        lines.append(f"shadows, logged beside every decision: {', '.join(shadows)}")
    return lines


def _repeat(workspace: Workspace, run_id: str) -> None:
    from training.repeat import repeat
    from training.train import STAGES

    with progress() as bar:
        task = bar.add_task("reading the run", total=len(STAGES))
        found = repeat(workspace, run_id, lambda stage: bar.update(task, description=stage, advance=1))
    for line in found.differs:
        out.print(f"not as it was: {line}", markup=False)
    said = "the same to the last bit" if found.same else "NOT the same"
    out.print(f"{found.kind}: repeated run {run_id}, predictions are {said}", markup=False)
    if not found.same:
        raise typer.Exit(1)


app = typer.Typer(help="Models: trained, compared, promoted.")
app.command(help=TRAIN_HELP)(train)
app.command(help=MODELS_HELP)(models)
app.command(help=PROMOTE_HELP)(promote)
