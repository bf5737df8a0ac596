"""`tactful features build`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from features import clock
from features.console import WorkspaceOption, command, err, out, progress
from features.workspace import WorkspaceError, locate


@command
def build_features(
    target: Annotated[
        Path, typer.Option("--out", metavar="OUT", help="FILE.parquet, or a folder for a Parquet data set.")
    ],
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="One cutoff.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first of many cutoffs.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last, if a step falls on it.")] = None,
    every: Annotated[str, typer.Option("--every", metavar="STEP", help="From cutoff to cutoff: 7d, 12h, 1w.")] = "7d",
    source: Annotated[
        str | None, typer.Option("--source", metavar="SOURCE", help="Interactions from elsewhere, see below.")
    ] = None,
    memory: Annotated[str, typer.Option("--memory", metavar="SIZE", help="What the build may take of it.")] = "4GB",
    engine: Annotated[
        Literal["local", "spark"], typer.Option("--engine", help="This machine, or Spark; the result is the same.")
    ] = "local",
    workspace: WorkspaceOption = None,
) -> None:
    """Compute every known customer's features, as of one cutoff or many, into Parquet.

    Example: tactful features build --as-of 2017-12-04 --out features.parquet

    A cutoff sees what had occurred before it and was known by then; dates without a zone are UTC. Interactions are
    split by customer on disk where they do not fit into --memory. OUT appears whole or not at all; a build that was
    stopped goes on where it was when the same command runs again, and where OUT is the result of an earlier day, only
    customers of whom something new is known are computed.

    SOURCE is the workspace's history, or interactions in the contract's columns from

    \b
    data.parquet, data/                     a file, or a folder of them (day=2024-05-01/... too)
    log.csv.gz, log.jsonl                   text
    duckdb:///shop.db?table=interactions
    postgresql://user@host/shop?table=interactions
    """
    from features.engine.build import build
    from features.engine.cutoffs import cutoffs_between, parse_memory, parse_step
    from features.engine.result import Staging

    if (as_of is None) == (first is None or last is None) or (as_of and (first or last)):
        raise WorkspaceError("say either --as-of DATE, or --from DATE --to DATE (with --every 7d)")
    if as_of is not None:
        cutoffs = [_date("--as-of", as_of)]
    else:
        cutoffs = cutoffs_between(_date("--from", str(first)), _date("--to", str(last)), parse_step(every))
    size, opened = parse_memory(memory), locate(workspace)
    try:
        with progress() as bar:
            task = bar.add_task("reading", total=None)

            def tick(what: str, done: int, of: int) -> None:
                bar.update(task, description=what, completed=done, total=of)

            built = build(opened, cutoffs, target, source, size, engine, tick)
    except KeyboardInterrupt:
        kept = len(Staging(target).finished())
        more = f"; {kept} finished parts are kept, the same command goes on from there" if kept else ""
        err.print(f"stopped: {target} is as it was{more}", markup=False)
        raise typer.Exit(130) from None
    out.print(f"{built.rows:,} rows ({len(cutoffs)} cutoffs) in {target}", markup=False)
    if built.recomputed is not None:
        news = f"{built.recomputed:,} customers were computed again" if built.recomputed else "nothing new was known"
        out.print(f"It was built before: {news}.", markup=False)


def _date(option: str, text: str) -> int:
    try:
        return clock.parse_instant(text)
    except ValueError as error:
        raise WorkspaceError(f"{option}: {error}") from None
