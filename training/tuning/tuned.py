"""`tuned.yaml`, beside tactful.yaml: what `tactful tune` found, for `tactful train` to use.

A section a kind of model. Deleting one goes back to the defaults of `training/model.py`; versioning the file keeps a
training repeatable.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from features.daylog import locked
from features.workspace import Workspace, read_yaml

HEAD = "# Written by `tactful tune`, read by `tactful train`. Delete a section to go back to the defaults.\n"


class Parameters(BaseModel):
    """LightGBM's parameters that a search may change, and where each may lie (LightGBM's own limits)."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    learning_rate: float = Field(gt=0, le=1)
    num_leaves: int = Field(ge=2, le=4096)
    min_child_samples: int = Field(ge=1)
    feature_fraction: float = Field(gt=0, le=1)
    bagging_fraction: float = Field(gt=0, le=1)
    lambda_l2: float = Field(ge=0)


class Found(BaseModel):
    """One search's result, and its log loss on the rows that decided less the defaults' (with a 95 % interval)."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    parameters: Parameters
    run: str = Field(description="the MLflow run of the search")
    trials: int = Field(ge=1)
    against_defaults: list[float] = Field(min_length=3, max_length=3, description="difference in log loss, low, high")


class Tuned(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid")

    churn: Found | None = None
    propensity: Found | None = None


def place(workspace: Workspace) -> Path:
    return workspace.folder / "tuned.yaml"


def read(workspace: Workspace) -> Tuned:
    """Raises WorkspaceError naming file, key and fix; without a file nothing is tuned."""
    return read_yaml(place(workspace), Tuned) if place(workspace).is_file() else Tuned()


def parameters(workspace: Workspace, kind: str) -> Mapping[str, Any] | None:
    """What to train a kind of model with, where it was tuned."""
    found: Found | None = getattr(read(workspace), kind, None)
    return None if found is None else found.parameters.model_dump()


def keep(workspace: Workspace, kind: str, found: Found | None) -> None:
    """Writes one section, or takes it out; the file changes whole or not at all."""
    state = workspace.folder / "state"
    state.mkdir(exist_ok=True)
    with locked(state / "tuned.lock"):  # searches of two kinds may end at the same time
        content = read(workspace).model_copy(update={kind: found}).model_dump(exclude_none=True)
        path = place(workspace)
        if not content:
            path.unlink(missing_ok=True)
            return
        own = path.with_suffix(f".{os.getpid()}")
        own.write_text(HEAD + yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        own.replace(path)
