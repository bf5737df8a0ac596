"""The champion models of a workspace: found by their MLflow alias, compiled, exchanged as a whole while serving."""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from features.catalogue import Catalogue
from features.manifest import meaning
from features.workspace import Settings, Workspace, WorkspaceError
from serving.caused import Caused
from serving.decisions.effects.file import MONEY
from serving.scorer import Scorer

#: What a decision needs, and what takes the place of the policy's priors (of U, of harm) where it is there.
KINDS = ("churn", "propensity")
EFFECTS = ("uplift", "fatigue")
ALIAS = "champion"
#: Tag of a version that the rule of promotion refused (training/promote.py); its alias alone lets it play no part.
REFUSED = "refused"
#: A file's times are no finer than this on any file system that a registry lies on.
STEP_NS = 2_000_000_000
#: Time of the last change in nanoseconds and size, of each file of a local registry.
Stamp = tuple[tuple[int, int], ...]
log = logging.getLogger("tactful.champions")


@dataclass(frozen=True)
class Champion:
    """A registered model's version, compiled, and the alias that it was found by."""

    kind: str
    version: str
    model: Scorer | Caused
    alias: str = ALIAS

    @property
    def scorer(self) -> Scorer:
        """Of one of KINDS."""
        assert isinstance(self.model, Scorer)
        return self.model

    @property
    def effects(self) -> Caused:
        """Of one of EFFECTS."""
        assert isinstance(self.model, Caused)
        return self.model

    def describe(self) -> dict[str, object]:
        """What answers and the decision log say of it."""
        return {
            "version": self.version,
            **({} if self.alias == ALIAS else {"alias": self.alias}),
            "run_id": self.model.run_id,
            "horizon_days": self.model.horizon_days,
            **({"unit": MONEY} if isinstance(self.model, Caused) and self.model.over_value else {}),
            "trained_at": self.model.trained_at,
        }


class Untrained(WorkspaceError):
    """The registry has no champion of a kind."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"no champion model `{kind}`: run `tactful train {kind}`")


class Champions:
    """The champions in use. `current` is replaced as a whole, so a reader that took it once sees one set."""

    def __init__(self, workspace: Workspace, catalogue: Catalogue, alias: str = ALIAS) -> None:
        self._workspace, self._alias = workspace, alias
        self._names = catalogue.names
        self._levels = levels(catalogue, workspace.settings)
        self._catalogue_version = catalogue.version
        self._settings = meaning(workspace.settings)
        self.current: Mapping[str, Champion] = {}
        self.problems: Mapping[str, str] = {}
        self.untrained: frozenset[str] = frozenset()
        self._looked: Stamp | None = None  # at what state of the registry everything was well

    def poll(self, log_problems: bool = True) -> bool:
        """Looks at the registry and loads what is new; True where `current` changed.

        A champion that cannot be read leaves the one in use where it is, and says so in `problems`; kinds that have
        none at all are in `untrained`, and no problem where priors stand in for them. A local registry that nobody
        wrote to is not asked: that takes some milliseconds of Python, for which decisions would wait.
        """
        stamp = _stamp(self._workspace.tracking_uri)
        if stamp is not None and stamp == self._looked:
            return False
        found: dict[str, Champion] = {}
        problems: dict[str, str] = {}
        untrained: set[str] = set()
        for kind in (*KINDS, *EFFECTS):
            used = self.current.get(kind)
            champion: Champion | None
            try:
                champion = self._find(kind, used)
            except Untrained as error:
                untrained.add(kind)
                champion = None
                if self._alias == ALIAS and kind in KINDS:  # nobody needs the others, which may be taken away again
                    problems[kind], champion = f"{kind}: {error}", used
            except Exception as error:  # the registry may be a remote server: whatever it throws, keep serving
                problems[kind], champion = f"{kind}: {one_line(error)}", used
            if champion is not None:
                found[kind] = champion
        for kind, text in problems.items():
            if log_problems and self.problems.get(kind) != text:
                log.warning(text)
        self.problems, self.untrained = problems, frozenset(untrained)
        self._looked = stamp if problems.keys() <= untrained else None
        changed = {k: c.version for k, c in found.items()} != {k: c.version for k, c in self.current.items()}
        if changed:
            self.current = found
            log.info("%ss in use: %s", self._alias, {kind: champion.version for kind, champion in found.items()})
        return changed

    def _find(self, kind: str, used: Champion | None) -> Champion:
        import mlflow  # two seconds of imports: only a process that loads models pays them
        from mlflow.exceptions import MlflowException

        uri = self._workspace.tracking_uri
        if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
            raise Untrained(kind)  # asking would create an empty database
        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        try:
            version = client.get_model_version_by_alias(kind, self._alias)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise Untrained(kind) from None
            raise
        if self._alias != ALIAS and REFUSED in version.tags:
            raise Untrained(kind)  # refused for what it does: it waits for somebody who wants it all the same
        if used is not None and used.version == str(version.version):
            return used
        model: Scorer | Caused
        folder = self._artefact(client, str(version.run_id))
        if kind in EFFECTS:
            model = Caused.load(folder, self._names, self._levels)
        else:
            model = Scorer.load(folder, self._names, self._levels)
        if model.kind != kind:
            raise WorkspaceError(f"version {version.version} is a {model.kind} model registered as {kind}")
        if model.catalogue_version != self._catalogue_version:
            raise WorkspaceError(
                f"the {kind} champion was trained on another catalogue of features ({model.catalogue_version}, now "
                f"{self._catalogue_version}): retrain it with `tactful train {kind}`"
            )
        if others := [name for name, said in model.settings.items() if self._settings.get(name) != said]:
            raise WorkspaceError(
                f"the {kind} champion was trained under another `{others[0]}` than the settings say now: "
                f"retrain it with `tactful train {kind}`"
            )
        return Champion(kind, str(version.version), model, self._alias)

    def _artefact(self, client: object, run_id: str) -> Path:
        """The folder `scorer/` of a run: where it lies when it is local, else a downloaded copy."""
        import mlflow

        root = urlparse(str(client.get_run(run_id).info.artifact_uri))  # type: ignore[attr-defined]
        if root.scheme in ("", "file"):
            return Path(root.path) / "scorer"
        local = self._workspace.folder / "state" / "models" / run_id
        local.mkdir(parents=True, exist_ok=True)
        uri = self._workspace.tracking_uri
        return Path(
            mlflow.artifacts.download_artifacts(
                run_id=run_id, artifact_path="scorer", dst_path=str(local), tracking_uri=uri
            )
        )


def _stamp(uri: str) -> Stamp | None:
    """When a local registry was last written to; None where it is elsewhere, or was written to a moment ago: a file's
    time moves in steps, and two writes may share one.
    """
    if not uri.startswith("sqlite:///"):
        return None
    file = Path(uri.removeprefix("sqlite:///"))
    found = tuple((at.st_mtime_ns, at.st_size) for path in (file, Path(f"{file}-wal")) if (at := _stat(path)))
    newest = max((changed for changed, _ in found), default=0)
    return found if newest and time.time_ns() - newest > STEP_NS else None


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def levels(catalogue: Catalogue, settings: Settings) -> dict[str, tuple[str, ...] | None]:
    """The labels of each categorical feature, in code order; None for a number."""
    return {feature.name: feature.labels_in(settings) if feature.categorical else None for feature in catalogue}


def one_line(error: BaseException) -> str:
    """An exception as one line of text."""
    return " ".join(str(error).split())[:300] or type(error).__name__
