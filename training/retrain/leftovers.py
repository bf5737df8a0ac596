"""What a killed retraining left in MLflow: a version that was registered is used, a run that never ended is removed."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from training.tracking import Registry

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

#: Tags of a run: the retraining that it belongs to, and the kind of model.
RETRAINING, KIND = "retrain", "retrain_kind"
#: Where MLflow looks for tags that every run of a process has from its first moment.
_CONTEXT = "MLFLOW_RUN_CONTEXT"


@contextmanager
def tagged(retraining: str, kind: str) -> Iterator[None]:
    """Runs that begin meanwhile say to what they belong, so that a kill leaves none that nobody knows."""
    before = os.environ.get(_CONTEXT)
    own = json.loads(before) if before else {}
    os.environ[_CONTEXT] = json.dumps(own | {RETRAINING: retraining, KIND: kind})
    try:
        yield
    finally:
        os.environ.pop(_CONTEXT)
        if before is not None:
            os.environ[_CONTEXT] = before


def version(registry: Registry, retraining: str, kind: str) -> "ModelVersion | None":
    """The newest version that a retraining has registered already; runs of it that never came so far are removed."""
    if not registry.exists:
        return None
    client, experiment = registry.client, registry.experiment()
    runs = client.search_runs([experiment], f"tags.{RETRAINING} = '{retraining}' and tags.{KIND} = '{kind}'")
    registered = {str(each.run_id): each for each in registry.versions(kind)}
    found: ModelVersion | None = None
    for run in runs:
        if run.info.run_id in registered:
            one = registered[run.info.run_id]
            found = one if found is None or int(found.version) < int(one.version) else found
            continue
        for model in client.search_logged_models([experiment], f"source_run_id = '{run.info.run_id}'"):
            _remove(str(model.artifact_location))
            client.delete_logged_model(model.model_id)
        client.set_terminated(run.info.run_id, "KILLED")
        client.delete_run(run.info.run_id)
        _remove(str(run.info.artifact_uri))
    return found


def disown(registry: Registry, kind: str, left: "ModelVersion") -> None:
    """A version that was never judged, and never will be, says where it is from."""
    if "reason" not in left.tags:
        told = "of a retraining that was cut off and not gone on with"
        registry.client.set_model_version_tag(kind, str(left.version), "reason", told)


def _remove(uri: str) -> None:
    """Files of a local registry; elsewhere `mlflow gc` takes them away with the deleted run."""
    place = urlparse(uri)
    if place.scheme in ("", "file") and place.path:
        folder = Path(place.path)  # MLflow gives a run and a model a folder of its own, and names what is in it
        shutil.rmtree(folder.parent if folder.name == "artifacts" else folder, ignore_errors=True)
