"""`tactful monitor`."""

from pathlib import Path
from typing import Annotated

import typer

from features.clock import parse_instant
from features.console import WorkspaceOption, command, new_file, out, progress
from features.workspace import WorkspaceError, locate

HELP = """Look whether the champions and the data are well: drift, calibration, answers, missing data.

\b
Example: tactful monitor --out monitor.html --metrics /var/lib/node_exporter/tactful.prom
         tactful monitor --as-of 2017-12-31

Exit code 0: all is well; 1: something rings; 2: it could not look. Thresholds: `monitor` in tactful.yaml. What was
found also goes to state/monitor.json and state/monitor.prom, which a running service passes on at /v1/metrics; with
--as-of, only to what --out and --metrics name."""


@command
def monitor(
    out_file: Annotated[Path | None, typer.Option("--out", help="A page for people: an .html file.")] = None,
    metrics: Annotated[
        Path | None,
        typer.Option("--metrics", help="A file for Prometheus' textfile collector."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="A date or instant; default: the workspace's now."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    if out_file is not None and out_file.suffix.lower() not in (".html", ".htm"):
        raise WorkspaceError(f"--out {out_file}: name an .html file")
    for option, path in (("--out", out_file), ("--metrics", metrics)):
        if path is not None:
            new_file(option, path)
    try:
        instant = None if as_of is None else parse_instant(as_of)
    except ValueError as error:
        raise WorkspaceError(f"--as-of: {error}") from None
    from training.monitor.kept import keep, write_metrics
    from training.monitor.look import monitor as look
    from training.reports.models.after import after, page

    try:
        with progress() as bar:
            task = bar.add_task("looking", total=None)
            report = look(opened, instant, lambda what: bar.update(task, description=f"looking: {what}"))
    except WorkspaceError:
        raise
    except Exception as error:  # for a scheduler 1 means that something rings, which a traceback would say, too
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise WorkspaceError(f"could not look: {told}") from error
    if instant is None:
        keep(opened, report)
    if metrics is not None:
        write_metrics(report, metrics)
    if out_file is not None:
        page(opened, out_file, report if instant is not None else None)
    elif instant is None:
        after(opened)
    for check in report.checks:
        mark = {"well": "well   ", "alarm": "ALARM  ", "unknown": "unknown"}[check.status]
        out.print(f"{mark}  {check.check:<17}  {check.sentence}", markup=False)
    out.print(report.headline, markup=False)
    if report.alarm:
        raise typer.Exit(1)
