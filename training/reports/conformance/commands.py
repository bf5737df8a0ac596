"""`tactful journeys check`: are journeys.yaml and what customers do what somebody meant?"""

import typer

from features.console import WorkspaceOption, command, err, out
from features.history import History
from features.journeys_declared import file
from features.workspace import WorkspaceError, locate

HELP = """Check journeys.yaml, and say how far customers do what is written there.

Each journey is followed through history: how many passages reach its goal, how many of them as written, where others
leave the way and where they stop. `tactful report conformance` keeps the figures for the console.

Exit code: 0 well formed, 2 the file is broken (the line says where).

Example: tactful journeys check"""

app = typer.Typer(help="Journeys as they are written down in journeys.yaml.", no_args_is_help=True)
app.callback()(lambda: None)  # `check` stays a command of its own


@app.command("check", help=HELP)
@command
def check(workspace: WorkspaceOption = None) -> None:
    from training.reports.conformance.job import conformance
    from training.reports.conformance.wording import deviation

    opened = locate(workspace)
    written = file.read(opened.folder, opened.settings)
    if not written.journeys:
        raise WorkspaceError(f"{opened.folder / file.FILE}: no journey is written down; see `tactful init` for one")
    for journey in written.journeys:
        marked = ", gives the customers' stages" if journey.customer_stage else ""
        out.print(f"{journey.name}, version {journey.version}: {' > '.join(journey.way)}{marked}", markup=False)
    if not History(opened).batches():
        out.print("There is no history yet to compare with.", markup=False)
        return
    with err.status("following customers"):
        found = conformance(opened)
    for checked in found.journeys:
        out.print(checked.sentence, markup=False)
        for each in checked.deviations:
            out.print(f"  {each.passages:,} {deviation(each)}", markup=False)
