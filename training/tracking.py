"""MLflow: one run a training, with what anyone needs to repeat, judge and serve the model."""

import logging
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from features import clock
from features.manifest import meaning
from features.workspace import Workspace, WorkspaceError
from training import artefact, calibration, pipeline, provenance
from training.dataset import Dataset
from training.evaluate import Interval
from training.monitor.reference import FILE as REFERENCE
from training.monitor.reference import Reference

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER, SHADOW = ALIASES = "champion", "challenger", "shadow"
#: Tag of a version that the rule of promotion refused, and why; the service lets no such challenger play.
REFUSED = "refused"
#: Tag of a registered model: versions in the order in which they became champion, and how many are remembered.
LINE, REMEMBERED = "champions", 100
#: What the calibration picture shows, as figures; the tag of a run that says whether its probabilities are on target.
CALIBRATION, CALIBRATED = "calibration.json", "calibration"
_MISSING = "RESOURCE_DOES_NOT_EXIST"  # as MLflow says it
#: What a process needs to load the logged model; stated, because finding out takes MLflow eight seconds.
REQUIREMENTS = ("scikit-learn", "lightgbm", "feature-engine", "pandas", "numpy", "scipy", "skops")


@dataclass(frozen=True)
class Fitted:
    """All that one training made."""

    dataset: Dataset
    pipeline: Pipeline
    metrics: Mapping[str, Interval]
    probability: np.ndarray

    @property
    def calibration(self) -> str:
        """Whether probabilities on the test window are on target, in a sentence."""
        test = self.dataset.test
        return calibration.told(test.label, self.probability, test.customer, self.metrics)


class Unreadable(WorkspaceError):
    """The files of a registered version are gone or damaged: nothing can be asked of it any more."""

    def __init__(self, kind: str, version: str, error: Exception) -> None:
        self.why = _one_line(error)
        super().__init__(f"version {version} of `{kind}` can no longer be loaded ({self.why}); train it again")


class Registry:
    """The workspace's MLflow: its database is created on first use, with the workspace's place for artefacts."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.uri = workspace.tracking_uri

    @cached_property
    def client(self) -> "MlflowClient":
        import mlflow

        for chatty in ("mlflow", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        # it prints the stack of what it raises all the same: a full disk is told once, in a line
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        if self.uri.startswith("sqlite:///"):
            Path(self.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        # logging a model goes through these two whatever client is at hand
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @property
    def exists(self) -> bool:
        """Whether anything can have been tracked yet; asking MLflow would create the database."""
        return not self.uri.startswith("sqlite:///") or Path(self.uri.removeprefix("sqlite:///")).is_file()

    def experiment(self, behind: str = "") -> str:
        """The id of the workspace's experiment; `behind` its name, of another one beside it."""
        name = self.workspace.settings.mlflow.experiment + behind
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        local = self.uri.startswith("sqlite:///")
        return str(self.client.create_experiment(name, self.workspace.artifact_root if local else None))

    def log(self, fitted: Fitted) -> "ModelVersion":
        """Logs and registers a fitted model without an alias; returns its version."""
        import mlflow

        experiment, kind = self.experiment(), fitted.dataset.kind
        now = clock.isoformat(clock.Clock().now())
        with mlflow.start_run(experiment_id=experiment, run_name=f"{kind} {now[:19]}") as run:
            mlflow.set_tags(_tags(fitted) | provenance.tags(self.workspace))
            mlflow.log_params(_parameters(fitted))
            mlflow.log_metrics(_figures(fitted.metrics))
            mlflow.log_metrics({f"rows_{name}": len(part) for name, part in fitted.dataset.parts.items()})
            mlflow.log_dict(provenance.record(self.workspace, fitted), provenance.FILE)
            mlflow.log_text(provenance.installed(), provenance.INSTALLED)
            self._log_pictures(fitted)
            mlflow.log_text(Reference.of(fitted).text(), REFERENCE)
            with tempfile.TemporaryDirectory() as folder:
                said = meaning(self.workspace.settings)
                scorer = pipeline.scorer(fitted.pipeline, fitted.dataset, run.info.run_id, now, said)
                artefact.write(Path(folder), scorer, fitted.pipeline[-1].booster)
                mlflow.log_artifacts(folder, "scorer")
            logged = _log_model(fitted)
        return self.register(kind, logged.model_uri, run.info.run_id)

    def load(self, kind: str, version: str) -> Pipeline:
        """The logged pipeline of a version.

        Unreadable where it is gone or damaged; WorkspaceError where it cannot be fetched now, as from a server that is
        away.
        """
        import mlflow

        _ = self.client
        with tempfile.TemporaryDirectory() as folder:
            try:
                local = mlflow.artifacts.download_artifacts(f"models:/{kind}/{version}", dst_path=folder)
            except Exception as error:  # of whatever keeps the artefacts
                if isinstance(error, FileNotFoundError) or getattr(error, "error_code", "") == _MISSING:
                    raise Unreadable(kind, version, error) from error
                raise WorkspaceError(f"version {version} of `{kind}` cannot be fetched: {_one_line(error)}") from error
            try:
                return mlflow.sklearn.load_model(local)
            except Exception as error:  # of zip, YAML, pickled types, packages: a damaged file may raise anything
                raise Unreadable(kind, version, error) from error

    def versions(self, kind: str) -> list["ModelVersion"]:
        """All versions, oldest first; none where nothing was trained yet."""
        if not self.exists:
            return []
        found = self.client.search_model_versions(f"name='{kind}'")
        return sorted(found, key=lambda version: int(version.version))

    def holder(self, kind: str, alias: str) -> "ModelVersion | None":
        """The version that an alias names, if any."""
        from mlflow.exceptions import MlflowException

        if not self.exists:
            return None
        try:
            return self.client.get_model_version_by_alias(kind, alias)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def metrics(self, version: "ModelVersion") -> dict[str, float]:
        """The figures logged by the run behind a version."""
        return dict(self.client.get_run(str(version.run_id)).data.metrics)

    def calibration(self, version: "ModelVersion") -> str | None:
        """What the run behind a version said of its probabilities; None where it said nothing."""
        return self.client.get_run(str(version.run_id)).data.tags.get(CALIBRATED)

    def appoint(self, kind: str, version: str, alias: str, reason: str, refused: bool = False) -> None:
        """Gives a version an alias and says why, and since when, in its tags; it has no other alias then.

        An empty alias leaves all as they are. Tags come first: killed in between, what was refused still plays no part.
        """
        if version not in {str(known.version) for known in self.versions(kind)}:
            raise WorkspaceError(f"there is no version {version} of `{kind}`; see `tactful models`")
        self.client.set_model_version_tag(kind, version, "reason", reason)
        self.client.set_model_version_tag(kind, version, "since", clock.isoformat(clock.Clock().now()))
        if refused:
            self.client.set_model_version_tag(kind, version, REFUSED, reason)
        else:
            self.client.delete_model_version_tag(kind, version, REFUSED)
        if not alias:
            return
        if alias == CHAMPION and (line := self.champions(kind))[-1:] != [version]:
            self._line(kind, [*line, version])
        self._name(kind, version, alias)

    def _name(self, kind: str, version: str, alias: str) -> None:
        self.client.set_registered_model_alias(kind, alias, version)
        for other in ALIASES:
            held = self.holder(kind, other)
            if other != alias and held is not None and str(held.version) == version:
                self.client.delete_registered_model_alias(kind, other)

    def champions(self, kind: str) -> list[str]:
        """Versions in the order in which they became champion, the present one last, whatever was cut off before the
        line of them was written or after.

        What was rolled back or deleted is gone; a champion from before there was a line begins it.
        """
        known = {str(one.version) for one in self.versions(kind)}
        line = str(self.client.get_registered_model(kind).tags.get(LINE, "")).split()
        line = [version for version in line if version in known]
        if (champion := self.holder(kind, CHAMPION)) is None:
            return line
        present = str(champion.version)
        if present not in line:
            return [*line, present]
        return line[: len(line) - line[::-1].index(present)]

    def roll_back(self, kind: str, reason: str) -> str:
        """Makes the champion before the present one champion again; there must be one. Returns its version."""
        line = self.champions(kind)[:-1]
        self.appoint(kind, line[-1], "", reason)
        self._name(kind, line[-1], CHAMPION)
        self._line(kind, line)
        return line[-1]

    def _line(self, kind: str, versions: Sequence[str]) -> None:
        self.client.set_registered_model_tag(kind, LINE, " ".join(versions[-REMEMBERED:]))

    def register(self, kind: str, model_uri: str, run_id: str) -> "ModelVersion":
        """A version of a model, whose name is made known first where it is new; without an alias."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(kind)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return self.client.create_model_version(kind, model_uri, run_id)

    def _log_pictures(self, fitted: Fitted) -> None:
        import mlflow

        from training import plots

        label, model = fitted.dataset.test.label, fitted.pipeline[-1]
        gains = importances(model)
        mlflow.log_figure(plots.calibration(label, fitted.probability), "plots/calibration.png")
        mlflow.log_figure(plots.gain(label, fitted.probability), "plots/gain.png")
        mlflow.log_figure(plots.importances(gains), "plots/importances.png")
        mlflow.log_dict(_tenths(plots.tenths(label, fitted.probability)), CALIBRATION)
        mlflow.log_dict(gains, "importances.json")
        mlflow.log_dict(pipeline.dropped(fitted.pipeline), "dropped.json")


def _tenths(found: Sequence[tuple[float, float, float, int]]) -> dict[str, Any]:
    """The calibration picture's figures."""
    return {
        "tenths": [
            {
                "predicted": predicted,
                "observed": {"value": rate, "low": max(0.0, rate - half), "high": min(1.0, rate + half)},
                "rows": rows,
            }
            for predicted, rate, half, rows in found
        ]
    }


def importances(model: Any) -> dict[str, float]:
    """Share of the trees' total gain by feature, largest first."""
    gain = model.booster.feature_importance("gain")
    total = max(float(gain.sum()), 1e-12)
    pairs = zip(model.booster.feature_name(), (gain / total).tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: -pair[1]))


def _log_model(fitted: Fitted) -> Any:
    import mlflow
    import skops.io
    from mlflow.models import infer_signature

    example = fitted.dataset.test.frame.head(3)  # features only: no column identifies a customer
    proba = fitted.pipeline.predict_proba(example)
    signature = infer_signature(_for_signature(fitted.dataset.training.frame), proba)
    unknown = skops.io.get_untrusted_types(data=skops.io.dumps(fitted.pipeline))
    with warnings.catch_warnings():
        # about MLflow's own code over newer pandas: nothing that a user of ours could mend
        warnings.filterwarnings("ignore", "Operation with range is deprecated")
        warnings.filterwarnings("ignore", ".*type hint is inferred as AnyType")
        return mlflow.sklearn.log_model(
            fitted.pipeline,
            name="model",
            signature=signature,
            input_example=example,
            pyfunc_predict_fn="predict_proba",
            skops_trusted_types=unknown,
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in REQUIREMENTS],
        )


def _for_signature(frame: pd.DataFrame) -> pd.DataFrame:
    """A row without nulls: every number a double, every label text."""
    return pd.DataFrame({name: ["a"] if frame[name].dtype == object else [0.5] for name in frame.columns})


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _tags(fitted: Fitted) -> dict[str, str]:
    return {
        "kind": fitted.dataset.kind,
        "data_fingerprint": fitted.dataset.fingerprint,
        "catalogue_version": fitted.dataset.catalogue.version,
        CALIBRATED: fitted.calibration,
    }


def _parameters(fitted: Fitted) -> dict[str, Any]:
    model, windows = fitted.pipeline[-1], fitted.dataset.windows
    return {
        "horizon_days": fitted.dataset.horizon_days,
        "training_cutoffs": _span(windows.training),
        "calibration_cutoffs": _span(windows.calibration),
        "test_cutoff": clock.isoformat(windows.test),
        "trees": model.trees_,
        "link": {name: np.round(value, 4).tolist() for name, value in model.link_.items()},
        "habits": np.round(model.habits_, 4).tolist(),
        **{f"lightgbm_{name}": value for name, value in model.settings().items()},
    }


def _span(cutoffs: Sequence[int]) -> str:
    return f"{len(cutoffs)} from {clock.isoformat(cutoffs[0])} to {clock.isoformat(cutoffs[-1])}"


def _figures(metrics: Mapping[str, Interval]) -> dict[str, float]:
    """`auc`, `auc_low`, `auc_high` and so on."""
    figures = {}
    for name, interval in metrics.items():
        for part, value in asdict(interval).items():
            if np.isfinite(value):
                figures[name if part == "value" else f"{name}_{part}"] = value
    return figures
