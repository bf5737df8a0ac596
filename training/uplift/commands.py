"""`tactful uplift`: who responds because of a contact, from any campaign table."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from features.console import WorkspaceOption, command, new_file, out, progress
from features.whole import whole
from features.workspace import WorkspaceError, locate

if TYPE_CHECKING:  # scikit-learn, LightGBM and econml take seconds to import: only a command that runs pays them
    from training.uplift.prepare import Propensity

app = typer.Typer(help="Effects by customer: who responds because of a contact.", no_args_is_help=True)

FIT_HELP = """Learn effects by customer from a campaign table, and say whether targeting is worth it.

\b
Example: tactful uplift fit --data campaign.csv --treatment segment --outcome visit --out effects/
         tactful uplift fit --data campaign.csv --treatment arm --outcome spend --cost 0.5 --register spring

The learner is chosen by a cross-validated doubly robust score. Columns recorded after the assignment (other outcomes)
are left out where they give themselves away; name them with --ignore, or the inputs with --input, to be sure."""

SCORE_HELP = """Write the predicted effects of every row of a table.

Example: tactful uplift score --model effects/ --data customers.csv --out scores.csv"""


@app.command("fit", help=FIT_HELP)
@command
def fit(
    data: Annotated[Path, typer.Option("--data", help="CSV (.gz), Parquet, JSON Lines, or a folder of parts.")],
    treatment: Annotated[str, typer.Option(help="The column that says which group a customer was in.")],
    outcome: Annotated[str, typer.Option(help="What came of it: 0/1, true/false, or an amount.")],
    control: Annotated[str | None, typer.Option(help="The control's value; guessed from names such as 'none'.")] = None,
    inputs: Annotated[list[str] | None, typer.Option("--input", help="Use only this column; may be repeated.")] = None,
    ignore: Annotated[list[str] | None, typer.Option("--ignore", help="Do not use this column; repeatable.")] = None,
    cost: Annotated[float, typer.Option(help="The cost of treating one customer, in units of the outcome.")] = 0.0,
    propensity: Annotated[
        str, typer.Option(help="auto, shares (assigned at random), estimate (somebody chose).")
    ] = "auto",
    rows: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Learn from at most N rows, drawn by chance; 0: all. By default 300,000,"
            " and up to 500,000 or more where responders are few.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds, and of the rows drawn.")] = 0,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="A folder for effects.json (the model) and report.json.")
    ] = None,
    register: Annotated[
        str | None,
        typer.Option("--register", metavar="NAME", help="Register in MLflow as uplift-NAME."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    if propensity not in ("auto", "shares", "estimate"):
        raise WorkspaceError(f"--propensity {propensity}: choose auto, shares or estimate")
    if not math.isfinite(cost):
        raise WorkspaceError(f"--cost {cost}: give a finite amount, in units of the outcome")
    if register is not None and not re.fullmatch(r"[\w.-]+", register):
        raise WorkspaceError(f"--register {register!r}: use letters, digits, dots, dashes and underscores")
    opened = locate(workspace) if register is not None else None
    if out_folder is not None and out_folder.exists() and not out_folder.is_dir():
        raise WorkspaceError(f"--out {out_folder}: is a file; name a folder")
    from training.uplift import wording
    from training.uplift.fit import fit as run
    from training.uplift.fit import steps
    from training.uplift.model import FILE
    from training.uplift.prepare import prepare

    with progress() as bar:
        task = bar.add_task(f"reading {data.name}", total=None)
        prepared = prepare(
            data, treatment, outcome, control, inputs or (), ignore or (), cast("Propensity", propensity), seed, rows
        )
        bar.update(task, total=steps(prepared))
        fitted = run(prepared, cost, lambda doing: bar.update(task, description=doing, advance=1))
    for line in wording.lines(fitted.report):
        out.print(line, markup=False)
    if out_folder is not None:
        try:
            out_folder.mkdir(parents=True, exist_ok=True)
            fitted.report.write(out_folder / "report.json")
            fitted.model.write(out_folder / FILE)
        except OSError as error:
            raise WorkspaceError(f"--out {out_folder}: cannot be written: {error.strerror}") from None
        out.print(f"model: {out_folder / FILE}  report: {out_folder / 'report.json'}", markup=False)
    if opened is not None and register is not None:
        if not fitted.model.effects:
            raise WorkspaceError(f"--register {register}: no effect can be told, so there is no model to register")
        from training.uplift.register import register as log

        version = log(opened, register, fitted, seed)
        out.print(f"registered as uplift-{register} version {version} in {opened.tracking_uri}", markup=False)


@app.command("score", help=SCORE_HELP)
@command
def score(
    model: Annotated[Path, typer.Option("--model", help="The folder that `uplift fit --out` wrote.")],
    data: Annotated[Path, typer.Option("--data", help="The table to score, with the columns the model was fitted on.")],
    out_file: Annotated[
        Path, typer.Option("--out", help="A .csv, .csv.gz or .parquet: row (0-based), and the effect of every group.")
    ],
) -> None:
    import pandas as pd

    from training.reports import table
    from training.uplift.model import Model

    if not out_file.name.endswith((".csv", ".csv.gz", ".parquet")):
        raise WorkspaceError(f"--out {out_file}: name a file that ends in .csv, .csv.gz or .parquet")
    if new_file("--out", out_file).resolve() == data.resolve():
        raise WorkspaceError(f"--out {out_file}: is the table itself; name another file")
    fitted, frame = Model.read(model), table.frame(data)
    effects = fitted.effect(frame)
    if not effects:
        raise WorkspaceError(f"--model {model}: tells no effect: customers were too few when it was fitted")
    for name, count in fitted.encoder.unread(frame).items():
        out.print(
            f"Beware: {count:,} of {len(frame):,} values of {name} cannot be read as the model learned to, and count"
            " as missing.",
            markup=False,
        )
    scored = pd.DataFrame(effects).rename_axis("row")
    try:
        with whole(out_file) as own:
            if out_file.suffix == ".parquet":
                scored.reset_index().to_parquet(own, index=False)
            else:
                packed = {"method": "gzip"} if out_file.suffix == ".gz" else None
                scored.to_csv(own, float_format="%.10g", compression=packed)
    except OSError as error:
        raise WorkspaceError(f"--out {out_file}: cannot be written: {error.strerror}") from None
    out.print(f"{len(scored):,} rows: {out_file}", markup=False)
