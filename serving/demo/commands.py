"""`tactful demo`: the whole circle on real data."""

from pathlib import Path
from typing import Annotated

import typer

from features.console import command

app = typer.Typer()


@app.command()
@command
def demo(
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="The workspace to play in; created where it is not there.")
    ] = Path("demo-workspace"),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the service while the demo runs; 0 takes a free one.")
    ] = 0,
) -> None:
    """Play the whole circle on real data: ingest, train, serve, decide, contact, sync, report.

    Example: tactful demo --workspace demo-workspace
    """
    from serving.demo.story import play

    play(workspace, port)
