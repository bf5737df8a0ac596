"""A run is repeated from its log alone: in another process, with other threads, another hash seed, a later history."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest
import simulated

from features.history import History
from training import provenance
from training.tracking import CHAMPION, Registry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def tactful(workspace, *words, threads, seed):
    """The command line in a process of its own."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads)) | {"PYTHONHASHSEED": str(seed), "COLUMNS": "200"}
    script = "from training.commands import app; app()"
    return subprocess.run(
        [sys.executable, "-c", script, *words, "-w", str(workspace.folder)],
        env=environment,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )


@pytest.mark.parametrize("kind", ["churn", "propensity"])
def test_the_same_predictions_to_the_last_bit(untrained, kind):
    first = tactful(untrained, "train", kind, threads=1, seed=0)
    assert first.returncode == 0, first.stderr
    registry = Registry(untrained)
    version = registry.holder(kind, CHAMPION)
    run = registry.client.get_run(version.run_id)
    record = json.loads((Path(urlparse(run.info.artifact_uri).path) / provenance.FILE).read_text())
    assert {"code_version", "lock", "command", "data_fingerprint", "settings_version"} <= set(run.data.tags)
    assert record["command"].endswith(f"train {kind} -w {untrained.folder.name}")
    assert record["seed"] == 1

    # history, settings and actions go on; the log says what they were
    later = simulated.table(np.arange(40) % 9, np.linspace(0, 300, 40)).to_pydict()
    later["interaction_id"] = [f"later-{i}" for i in range(40)]
    History(untrained).append(simulated.conform(simulated.pa.table(later)), "later")
    text = (untrained.folder / "tactful.yaml").read_text()
    (untrained.folder / "tactful.yaml").write_text(text.replace("horizon_days: 30", "horizon_days: 14"))
    (untrained.folder / "actions.yaml").write_text("actions: []\n")

    again = tactful(untrained, "train", kind, "--repeat", version.run_id, threads=4, seed=77)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"{kind}: repeated run {version.run_id}, predictions are the same to the last bit" in again.stdout
    assert len(registry.versions(kind)) == 1  # nothing was registered

    if kind == "churn":  # once is enough: where a bit differs, it says so
        return
    path = Path(urlparse(run.info.artifact_uri).path) / provenance.FILE
    path.write_text(json.dumps(record | {"seed": 2, "predictions": provenance.digest(np.zeros(3))}))
    other = tactful(untrained, "train", kind, "--repeat", version.run_id, threads=1, seed=0)
    assert other.returncode == 1
    assert "NOT the same" in other.stdout


def test_a_run_that_cannot_be_repeated_is_one_line(untrained):
    registry = Registry(untrained)
    run = registry.client.create_run(registry.experiment())
    shown = tactful(untrained, "train", "churn", "--repeat", run.info.run_id, threads=1, seed=0)
    assert shown.returncode == 2
    assert "cannot be repeated, for it has no repeat.json" in shown.stderr
