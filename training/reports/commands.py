"""`tactful report`: what worked, as a page to hand on."""

from pathlib import Path
from typing import Annotated

import typer

from features.console import WorkspaceOption, command, err, out
from features.workspace import WorkspaceError, locate

app = typer.Typer(help="Reports for the marketer, each one HTML file.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `uplift` a subcommand while it is the only one."""


@app.command(
    epilog="Example: tactful report uplift --data campaign.csv --treatment segment --outcome visit --out uplift.html"
)
@command
def uplift(
    out_file: Annotated[Path, typer.Option("--out", help="The HTML file; the figures go beside it as JSON.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="A randomised campaign's table: CSV (also .gz), Parquet or JSON Lines."),
    ] = None,
    treatment: Annotated[str | None, typer.Option(help="The column that says which group a customer was in.")] = None,
    outcome: Annotated[
        list[str] | None,
        typer.Option(help="The column to compare, 0/1 or an amount; repeat it for more, first decides."),
    ] = None,
    control: Annotated[str | None, typer.Option(help="The control's value; guessed from names such as 'none'.")] = None,
    expected_shares: Annotated[
        str | None, typer.Option(help="Planned sizes of the groups, e.g. 'control=1,mail=9'; default: equal.")
    ] = None,
    smallest_lift: Annotated[
        float, typer.Option(min=0.0001, max=100.0, help="The lift over control worth finding, to plan sample sizes.")
    ] = 0.1,
    days: Annotated[
        int | None, typer.Option(min=1, max=365, help="Days of outcome after the first decision (without --data).")
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Compare contacted customers with held-out ones on the goal, or the groups of any randomised campaign table."""
    from training.reports import campaign, holdout, html

    if out_file.suffix.lower() not in (".html", ".htm"):
        raise WorkspaceError(f"--out {out_file}: name an .html file; the figures are written beside it as .json")
    if not out_file.parent.is_dir():
        raise WorkspaceError(f"--out {out_file}: there is no folder {out_file.parent}; create it first")
    if data is None and (treatment or outcome or control or expected_shares):
        raise WorkspaceError("--treatment, --outcome, --control and --expected-shares belong to --data FILE; add it")
    if data is not None:
        if treatment is None or not outcome:
            raise WorkspaceError(f"--data {data}: say which columns to compare with --treatment COL --outcome COL")
        shares = campaign.parse_shares(expected_shares) if expected_shares else None
        with err.status(f"reading {data.name}"):
            found = campaign.report(data, treatment, outcome, control, shares, smallest_lift)
    else:
        with err.status("comparing contacted and held-out customers"):
            found = holdout.report(locate(workspace), days, smallest_lift)
    figures = out_file.with_suffix(".json")
    try:
        found.write(figures)
        html.write(found, out_file)
    except OSError as error:
        raise WorkspaceError(f"--out {out_file}: cannot be written: {error.strerror}") from None
    out.print(found.headline, markup=False)
    if found.other_contacts is not None:
        out.print(found.other_contacts.sentence, markup=False)
    for note in found.notes:
        out.print(note, markup=False)
    out.print(f"report: {out_file}  figures: {figures}", markup=False)
