"""MLflow: a model of effects, its report and what repeats it, as one run and a registered version."""

import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from features import clock
from features.workspace import Workspace
from training.provenance import code_version
from training.tracking import Registry
from training.uplift.fit import Fitted
from training.uplift.model import FILE


def register(workspace: Workspace, name: str, fitted: Fitted, seed: int = 0) -> str:
    """Logs and registers as `uplift-NAME`; the version. Its folder `effects/` holds the model's one file."""
    import mlflow

    registry, kind, report = Registry(workspace), f"uplift-{name}", fitted.report
    experiment = registry.experiment()
    now = clock.isoformat(clock.Clock().now())
    with mlflow.start_run(experiment_id=experiment, run_name=f"{kind} {now[:19]}") as run:
        mlflow.set_tags({"kind": kind, "verdict": report.verdict, "code_version": code_version()})
        mlflow.log_params(
            {
                "source": report.source,
                "treatment": report.treatment,
                "outcome": report.outcome,
                "control": report.control,
                "cost": report.cost,
                "seed": seed,
                "taught": report.taught,
                "inputs": ", ".join(report.inputs)[:6000],
                **{f"learner_{k}": f"{one.arm}: {one.learner}" for k, one in enumerate(report.arms, 1)},
            }
        )
        mlflow.log_metrics(_figures(fitted))
        with tempfile.TemporaryDirectory() as folder:
            report.write(Path(folder) / "report.json")
            fitted.model.write(Path(folder) / FILE)
            mlflow.log_artifacts(folder, "effects")
    version = registry.register(kind, f"runs:/{run.info.run_id}/effects", run.info.run_id)
    return str(version.version)


def _figures(fitted: Fitted) -> dict[str, float]:
    """`customers`, and for the arm numbered k as in the report `effect_k`, `effect_k_low`, `qini_k` and so on."""
    figures = {"customers": float(fitted.report.customers)}
    for k, arm in enumerate(fitted.report.arms, 1):
        for name in ("effect", "qini", "auuc", "calibration_slope"):
            interval = getattr(arm, name)
            if interval is not None:
                parts = asdict(interval)
                figures[f"{name}_{k}"] = parts.pop("value")
                figures |= {f"{name}_{k}_{part}": value for part, value in parts.items()}
        figures[f"heterogeneity_p_{k}"] = arm.test_p
    return {name: value for name, value in figures.items() if np.isfinite(value)}
