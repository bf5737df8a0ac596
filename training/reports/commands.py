"""`tactful report`: what the marketer looks at, kept for the console, and as pages to hand on."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features import faults
from features.console import WorkspaceOption, command, err, out
from features.workspace import Workspace, WorkspaceError, locate

if TYPE_CHECKING:  # what reports are made by takes seconds to import
    from training.reports.jobs import Make
    from training.reports.keep import Artefact

app = typer.Typer(
    help="Reports for the marketer: kept for the console, and each as one HTML file.", no_args_is_help=True
)

#: An artefact -> one self-contained page, by `locale` and `currency`. The front door puts the console's renderer here,
#: for training may not import it.
render: Callable[..., str] | None = None

OutOption = Annotated[
    Path | None, typer.Option("--out", help="One HTML file to hand on; the figures go beside it as JSON.")
]
LocaleOption = Annotated[str, typer.Option("--locale", help="How the page writes numbers and dates, e.g. de-CH.")]
TrackOption = Annotated[bool, typer.Option("--track/--no-track", help="Whether the report goes to MLflow as well.")]

WHAT = {
    "journeys": "Journeys that customers take: first steps, ways to a goal or to leaving, where they stall.",
    "conformance": "Journeys as written in journeys.yaml: who goes as written, and who leaves the way where.",
    "touchpoints": "Touchpoints: which ones matter most, how well they do, and what to improve first.",
    "pressure": "Contact pressure: how often whom, what the guard held back, and what that cost and saved.",
    "actions": "Actions: how often each was made and withheld, answered, and minded.",
    "models": "Models in use: champion, challenger, calibration, drift.",
    "overview": "This month against the holdout, and what to change next; reads what the other reports found.",
}


@app.command(
    epilog="Example: tactful report uplift --data campaign.csv --treatment segment --outcome visit --out uplift.html"
)
@command
def uplift(
    out_file: OutOption = None,
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
    targeting: Annotated[
        bool,
        typer.Option(
            "--targeting/--no-targeting",
            help="Also whom to contact and whom to leave alone (with --data: takes longer).",
        ),
    ] = True,
    locale: LocaleOption = "en",
    track: TrackOption = True,
    workspace: WorkspaceOption = None,
) -> None:
    """Compare contacted customers with held-out ones on the goal, or the groups of any randomised campaign table."""
    from training.reports import campaign
    from training.reports.uplift import job

    _page_wanted(out_file, locale)
    if data is None:
        if treatment or outcome or control or expected_shares:
            raise WorkspaceError(
                "--treatment, --outcome, --control and --expected-shares belong to --data FILE; add it"
            )
        stated = days is not None or smallest_lift != 0.1
        make = (lambda of: job.make(of, days, smallest_lift)) if stated else None
        _made(locate(workspace), "uplift", out_file, locale, track, make)
        return
    if out_file is None:
        raise WorkspaceError(f"--data {data}: say where the page is to go with --out FILE.html")
    if treatment is None or not outcome:
        raise WorkspaceError(f"--data {data}: say which columns to compare with --treatment COL --outcome COL")
    shares = campaign.parse_shares(expected_shares) if expected_shares else None
    with err.status(f"reading {data.name}"):
        found = campaign.report(data, treatment, outcome, control, shares, smallest_lift)
    if targeting:
        from training.reports.uplift_targeting import campaign as sorting

        with err.status("learning whom it moved"):
            found = sorting.added(found, data, treatment, outcome, control)
    _hand_on(found, out_file, _rendered(found, locale, None))
    _say(found, f"report: {out_file}  figures: {out_file.with_suffix('.json')}")


def _command(kind: str) -> None:
    def report(
        out_file: OutOption = None,
        locale: LocaleOption = "en",
        track: TrackOption = True,
        workspace: WorkspaceOption = None,
    ) -> None:
        _page_wanted(out_file, locale)
        opened = locate(workspace)
        _made(opened, kind, out_file, locale, track)

    example = f"Example: tactful report {kind} --out {kind}.html"
    app.command(kind, help=WHAT[kind], epilog=example)(command(report))


for _kind in WHAT:
    _command(_kind)


@app.command("all", epilog="Example: tactful report all --out reports/")
@command
def everything(
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", help="A folder, made if need be, for one HTML file of each report; figures beside it."),
    ] = None,
    locale: LocaleOption = "en",
    track: TrackOption = True,
    workspace: WorkspaceOption = None,
) -> None:
    """All reports. One that the data do not allow says why, and the others go on; exit code 2 where the machine did not
    allow one, as on a full disk."""
    from training.reports.jobs import JOBS

    if out_folder is not None:
        _page_wanted(None, locale)
        try:
            out_folder.mkdir(exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"--out {out_folder}: is no folder, and cannot be made one: {error.strerror}"
            ) from None
    opened, refused, stopped = locate(workspace), list[str](), list[str]()
    for kind in JOBS:
        try:
            _made(opened, kind, None if out_folder is None else out_folder / f"{kind}.html", locale, track)
        except WorkspaceError as error:
            err.print(f"{kind}: {error}", markup=False)
            refused.append(kind)
            if faults.told(error) is not None:
                stopped.append(kind)
    if len(refused) == len(JOBS):
        raise WorkspaceError("no report could be made; see above")
    if stopped:
        raise WorkspaceError(
            f"not for want of data, but because of the machine: no report {', '.join(stopped)}; see above"
        )


def _made(
    workspace: Workspace, kind: str, page_file: Path | None, locale: str, track: bool, make: "Make | None" = None
) -> None:
    """Makes a report, keeps it, and writes and logs the page where one is wanted."""
    from training.reports import jobs, keep

    if kind not in jobs.JOBS:
        raise WorkspaceError(f"there is no report `{kind}` yet")
    with err.status(f"making the report: {kind}"):
        artefact = jobs.make(workspace, kind, make).artefact
    kept, page = keep.place(workspace, kind), None
    if page_file is not None:
        page = _rendered(artefact, locale, workspace.settings.currency)
        _hand_on(artefact, page_file, page)
    _say(artefact, f"{kind}: {kept}" if page is None else f"{kind}: {page_file}  figures: {kept}")
    if track:
        _tracked(workspace, artefact, page)


def _hand_on(artefact: "Artefact", page_file: Path, page: str) -> None:
    """The page and its figures, as files."""
    from training.reports import keep

    try:
        keep.text(page_file.with_suffix(".json"), artefact.model_dump_json(indent=2) + "\n")
        keep.text(page_file, page)
    except OSError as error:
        raise WorkspaceError(f"--out {page_file}: cannot be written: {error.strerror}") from error


def _say(artefact: "Artefact", where: str) -> None:
    """What was found, in sentences, and where the rest is."""
    out.print(artefact.headline, markup=False)
    if artefact.kind == "uplift":
        others = getattr(artefact, "other_contacts", None)
        sorting = getattr(artefact, "targeting", None)
        said = [others.sentence] if others is not None else []
        said += [sorting.leave_alone, sorting.persuadable] if sorting is not None and not sorting.missing else []
        for sentence in [*said, *getattr(artefact, "notes", [])]:
            out.print(sentence, markup=False)
    out.print(where, markup=False)


def _tracked(workspace: Workspace, artefact: "Artefact", page: str | None) -> None:
    """A report is none the worse for an MLflow that is away."""
    from training.reports.tracked import track

    try:
        track(workspace, artefact, page)
    except Exception as error:  # of whatever keeps the runs
        told = " ".join(str(error).split())[:200]
        err.print(f"{artefact.kind}: not logged to MLflow: {told}", markup=False)


def _page_wanted(path: Path | None, locale: str) -> None:
    """Raises WorkspaceError for a page that could not be written, before anything is computed."""
    from babel.core import Locale, UnknownLocaleError

    if path is not None:
        _checked(path)
    try:
        Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise WorkspaceError(f"--locale {locale}: no such locale; write it as en, de or de-CH") from None


def _checked(path: Path) -> None:
    if path.suffix.lower() not in (".html", ".htm"):
        raise WorkspaceError(f"--out {path}: name an .html file; the figures are written beside it as .json")
    if path.is_dir():
        raise WorkspaceError(f"--out {path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise WorkspaceError(f"--out {path}: there is no folder {path.parent}; create it first")
    if not os.access(path.parent, os.W_OK):
        raise WorkspaceError(f"--out {path}: the folder {path.parent} cannot be written to")


def _rendered(artefact: "Artefact", locale: str, currency: str | None) -> str:
    if render is None:
        raise WorkspaceError("pages are drawn by the console, which is not installed; leave out --out")
    return render(artefact.model_dump(mode="json"), locale=locale, currency=currency)
