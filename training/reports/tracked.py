"""Reports in MLflow: one run each, with the figures as JSON and the page where there is one."""

from features.workspace import Workspace
from training.reports.keep import Artefact
from training.tracking import Registry

#: Behind the name of the workspace's experiment: reports are not among its trainings.
BEHIND = "-reports"


def track(workspace: Workspace, artefact: Artefact, page: str | None = None) -> str:
    """Logs a report; returns the run's id. Nothing in it names a customer: what is logged is not called back."""
    registry = Registry(workspace)
    client = registry.client
    run = client.create_run(
        registry.experiment(BEHIND),
        run_name=f"{artefact.kind} {artefact.created_at}",
        tags={"kind": artefact.kind, "headline": artefact.headline},
    )
    run_id = str(run.info.run_id)
    client.log_text(run_id, artefact.model_dump_json(indent=2) + "\n", f"{artefact.kind}.json")
    if page is not None:
        client.log_text(run_id, page, f"{artefact.kind}.html")
    client.set_terminated(run_id)
    return run_id
