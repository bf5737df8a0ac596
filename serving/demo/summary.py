"""What the demo did, in one table, and what to run next. Every figure is read back from where it was recorded."""

from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from rich.table import Table

from features.console import out
from features.workspace import Workspace

MODELS = ("churn", "propensity")
ADDRESS = "http://127.0.0.1:3000"


def summarise(workspace: Workspace, folder: Path, ingested: list[str], facts: dict[str, str], pages: Path) -> None:
    """Prints the summary; `ingested` are the lines of the ingest, `facts` what happened live."""
    table = Table(title="What was done", show_header=False, title_justify="left", pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("history", next(line for line in ingested if "received" in line))
    client = MlflowClient(workspace.tracking_uri, workspace.tracking_uri)  # a registry of the environment is not ours
    for name in MODELS:
        table.add_row(f"{name} model", _model(client, name))
    for label in ("live", "suppressed", "chosen", "contact", "speed"):
        if label in facts:
            table.add_row(label, facts[label])
    table.add_row("reports", str(pages.resolve()))
    out.print()
    out.print(table)
    _next(workspace, folder, pages)


def _model(client: MlflowClient, name: str) -> str:
    """Version, AUC with its interval and the run, as MLflow has them."""
    version = client.get_model_version_by_alias(name, "champion")
    metrics: dict[str, Any] = client.get_run(str(version.run_id)).data.metrics
    auc, low, high = (metrics[key] for key in ("auc", "auc_low", "auc_high"))
    judged = f"AUC {auc:.3f} (95 % {low:.3f} to {high:.3f})"
    return f"champion is version {version.version}, {judged}, MLflow run {version.run_id}"


def _next(workspace: Workspace, folder: Path, pages: Path) -> None:
    out.print("\n[bold]What to run next[/bold]")
    for command, why in (
        (_serve(folder), f"the service, and its API page at {ADDRESS}/v1/docs"),
        (_key(folder), f"a key for the marketer, to sign in with at {ADDRESS}/console"),
        (f".venv/bin/mlflow ui --backend-store-uri {workspace.tracking_uri}", "runs, metrics, plots and models"),
        (".venv/bin/jupyter lab notebooks/1-retrain.ipynb", "the data scientist's tour"),
        (f"a browser on {(pages / 'overview.html').resolve().as_uri()}", "a report as a file to hand on"),
    ):
        out.print(f"  {command}\n      {why}", markup=False)


def _serve(folder: Path) -> str:
    return "make serve PORT=3000" + ("" if str(folder) == "demo-workspace" else f" WORKSPACE={folder}")


def _key(folder: Path) -> str:
    return f".venv/bin/tactful keys create marketer --scope marketer --scope customers --workspace {folder}"
