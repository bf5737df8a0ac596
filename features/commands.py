"""The command line of features: init, ingest, features list, features build."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from features.console import WorkspaceOption, command, out, progress
from features.ingest import Ingested, ingest_dataset
from features.scaffold import init_workspace, templates
from features.sources import DATASETS, dataset
from features.workspace import Workspace, WorkspaceError, locate

#: Called with the workspace after every ingest that added something; the front door adds the service's store here.
after_ingest: list[Callable[[Workspace], None]] = []

INIT_HELP = """Create a workspace: a folder with commented settings.

Example: tactful init shop"""

INGEST_HELP = """Read interactions into the workspace's history: Parquet, CSV (any delimiter), JSON Lines, gzipped or not.

\b
Example: tactful ingest sales-2024.csv.gz --map invoices.yaml
         tactful ingest --dataset complete_journey
"""


@command
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to create, or an empty one.")],
) -> None:
    workspace = init_workspace(folder, templates("features", "serving"))
    out.print(f"Created the workspace {workspace.folder}", markup=False)
    for path in sorted(workspace.folder.glob("*.yaml")):
        out.print(f"  {path.name}", markup=False)
    out.print(f"Next: tactful ingest FILE --map MAP.yaml --workspace {folder}", markup=False)


@command
def ingest(
    name: Annotated[str | None, typer.Option("--dataset", help=f"A named data set: {', '.join(DATASETS)}.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    if name is None:
        raise WorkspaceError("nothing to ingest: name a FILE or a --dataset; see `tactful ingest --help`")
    found = dataset(name)
    with progress() as bar:
        task = bar.add_task(f"reading {name}", total=found.size())
        done = ingest_dataset(opened, name, lambda _source, rows: bar.advance(task, rows))
    _show(done)
    if done.total.accepted:
        for hook in after_ingest:
            hook(opened)


def _show(done: Ingested) -> None:
    for source in done.sources:
        out.print(f"{source.source}: {source.receipt}", markup=False)
