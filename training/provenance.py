"""What a training run keeps so that it can be repeated: data, settings, lock, seed, code, command.

`repeat.json` of a run holds it whole (see `record`), `installed.txt` the packages it ran on, pinned; the run's tags
hold the short forms. `training/repeat.py` reads it.
"""

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from features import catalogue as catalogues
from features.clock import isoformat
from features.history import History
from features.manifest import meaning
from features.workspace import Settings, Workspace, read_yaml
from serving.decisions.policy import Actions, ContactPolicy

if TYPE_CHECKING:
    from training.tracking import Fitted

FORMAT = 1
FILE, INSTALLED = "repeat.json", "installed.txt"
#: Of tactful.yaml, what says where things are kept or who is told: it changes no model, and may hold secrets.
ELSEWHERE = {"store", "mlflow", "webhooks", "log_level"}


def record(workspace: Workspace, fitted: "Fitted") -> dict[str, Any]:
    """Everything that a repetition reads, as JSON."""
    dataset, model = fitted.dataset, fitted.pipeline[-1]
    return _around(workspace, dataset.kind, dataset.catalogue.version) | {
        **dataset.made_from,
        "parameters": None if model.parameters is None else dict(model.parameters),
        "seed": model.settings()["seed"],
        "test_cutoff": isoformat(dataset.windows.test),
        "fingerprint": dataset.fingerprint,
        "predictions": digest(fitted.probability),
    }


def record_of_effects(
    workspace: Workspace, kind: str, asked: Mapping[str, Any], learned_from: np.ndarray, said: np.ndarray
) -> dict[str, Any]:
    """The same of a model of effects: `asked` are the options of its training, `learned_from` float64[k] what stands
    for its decisions, `said` what it says of them on each of its arms."""
    catalogue, now = catalogues.of(workspace).version, stated(workspace)
    return _around(workspace, kind, catalogue) | {
        **now,
        "asked": dict(asked),
        "fingerprint": digest(learned_from),
        "predictions": digest(said),
    }


def stated(workspace: Workspace) -> dict[str, Any]:
    """What a workspace says and holds now: settings, files, and `data`, the batches of every log of history."""
    history = History(workspace)
    return {
        "settings": workspace.settings.model_dump(mode="json", exclude=ELSEWHERE),
        "actions": written(workspace.actions_file, Actions),
        "policy": written(workspace.policy_file, ContactPolicy),
        "data": history.held(history.logs),
    }


def _around(workspace: Workspace, kind: str, catalogue: str) -> dict[str, Any]:
    """What any record holds."""
    return {
        "format": FORMAT,
        "kind": kind,
        "command": command(),
        "code": code_version(),
        "lock": lock(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "catalogue": catalogue,
        "settings": workspace.settings.model_dump(mode="json", exclude=ELSEWHERE),
    }


def written(file: Path, model: type[BaseModel]) -> dict[str, Any] | None:
    """What a file of the workspace states, None where there is none."""
    if not file.is_file():
        return None
    return read_yaml(file, model).model_dump(mode="json", by_alias=True, exclude_unset=True)


def tags(workspace: Workspace) -> dict[str, str]:
    """The same in short, for any kind of model."""
    return {
        "mlflow.source.name": Path(sys.argv[0]).name,  # MLflow's own is the whole path
        "code_version": code_version(),
        "lock": lock(),
        "command": command(),
        "settings_version": settings_version(workspace.settings),
    }


def digest(probability: np.ndarray) -> str:
    """Sixteen digits for float64[n]: the same only where every bit is."""
    return hashlib.sha256(np.ascontiguousarray(probability, "<f8").tobytes()).hexdigest()[:16]


def settings_version(settings: Settings) -> str:
    """Changes with what tactful.yaml says of the meaning of features."""
    return hashlib.sha256(json.dumps(meaning(settings), sort_keys=True).encode()).hexdigest()[:12]


def command() -> str:
    """How this process was started; of a folder or file that is named from the root only the last part: what lies
    above it is the machine's, and often somebody's name."""
    return " ".join([Path(sys.argv[0]).name, *map(_told, sys.argv[1:])])


def _told(word: str) -> str:
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if word.startswith("-") and word[2:3] == "/":  # -w/home/...
        option, value = word[:2], word[2:]
    return option + equals + (Path(value).name or value if Path(value).is_absolute() else value)


@cache
def installed() -> str:
    """What is installed, pinned, a package a line."""
    found = {f"{each.metadata['Name'].lower()}=={each.version}" for each in metadata.distributions()}
    return "\n".join(sorted(found)) + "\n"


def lock() -> str:
    """Sixteen digits for the packages."""
    return hashlib.sha256(installed().encode()).hexdigest()[:16]


@cache
def code_version() -> str:
    """The installed version, and the commit where the code runs from a checkout."""
    version, own = metadata.version("tactful"), Path(__file__)
    # installed below somebody's own repository, the code is none of its files
    for asked in (["ls-files", "--error-unmatch", own.name], ["rev-parse", "--short=12", "HEAD"]):
        try:
            said = subprocess.run(
                ["git", *asked], cwd=own.parent, capture_output=True, text=True, check=True, timeout=60
            ).stdout
        except (OSError, subprocess.SubprocessError):
            return version
    return f"{version}+{said.strip()}"
