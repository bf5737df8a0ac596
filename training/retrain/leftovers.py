"""What a killed retraining left in MLflow: a version that was registered is used, a run that never ended is removed."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from training.tracking import Registry

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

#: Tag of a run: the retraining that it belongs to.
TAG = "retrain"


def version(registry: Registry, retraining: str, kind: str) -> "ModelVersion | None":
    """The version that a retraining has registered already; runs of it that never came so far are removed."""
    if not registry.exists:
        return None
    client, experiment = registry.client, registry.experiment()
    runs = client.search_runs([experiment], f"tags.{TAG} = '{retraining}' and tags.kind = '{kind}'")
    registered = {str(each.run_id): each for each in registry.versions(kind)}
    found = None
    for run in runs:
        if run.info.run_id in registered:
            found = registered[run.info.run_id]
            continue
        for model in client.search_logged_models([experiment], f"source_run_id = '{run.info.run_id}'"):
            _remove(str(model.artifact_location))
            client.delete_logged_model(model.model_id)
        client.set_terminated(run.info.run_id, "KILLED")
        client.delete_run(run.info.run_id)
        _remove(str(run.info.artifact_uri))
    return found


def _remove(uri: str) -> None:
    """Files of a local registry; elsewhere `mlflow gc` takes them away with the deleted run."""
    place = urlparse(uri)
    if place.scheme in ("", "file") and place.path:
        shutil.rmtree(Path(place.path), ignore_errors=True)
