"""What a retraining rests on beside its data, by name, and what of it changed since the last one, in words.

What says where data are kept or who is told changes no model and is left out; so are comments in files.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from features import catalogue as catalogues
from features.workspace import Workspace
from serving.decisions.policy import Actions, ContactPolicy
from training.provenance import ELSEWHERE, code_version, written
from training.tuning import tuned

SETTING = "setting "
#: So many settings are named.
NAMED = 5
OTHERS = "other kinds of models are asked for"
_WORDS = {
    "kinds": OTHERS,
    "data": "history holds other data",
    "catalogue": "the catalogue of features changed",
    "actions": "the file of actions changed",
    "policy": "the contact policy changed",
    "tuned": "tuned parameters changed",
}


def basis(workspace: Workspace) -> dict[str, str]:
    """Of every setting and file a fingerprint (a setting may be secret); the versions of code and catalogue.

    WorkspaceError where a file does not state what it should.
    """
    # a registry elsewhere holds none of the models yet
    stated = workspace.settings.model_dump(mode="json", exclude=ELSEWHERE - {"mlflow"})
    found = {f"{SETTING}{name}": digest(value) for name, value in _flat(stated)}
    found |= {"catalogue": catalogues.of(workspace).version, "code": code_version()}
    files: Sequence[tuple[str, Path, type[BaseModel]]] = (
        ("tuned", tuned.place(workspace), tuned.Tuned),
        ("actions", workspace.actions_file, Actions),
        ("policy", workspace.policy_file, ContactPolicy),
    )
    return found | {name: digest(written(file, model)) for name, file, model in files}


def digest(value: object) -> str:
    """Sixteen digits for what JSON can tell."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What differs, in words; empty where nothing does."""
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    found = [words for name, words in _WORDS.items() if name in names]
    if settings := [name.removeprefix(SETTING) for name in names if name.startswith(SETTING)]:
        more = f" and {len(settings) - NAMED} more" if len(settings) > NAMED else ""
        found.append(f"settings changed: {', '.join(settings[:NAMED])}{more}")
    if "code" in names:
        found.append(f"the code changed: {before.get('code', 'unknown')} then, {now.get('code', 'unknown')} now")
    return "; ".join(found)


def _flat(value: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Settings as they are written in tactful.yaml, `churn.horizon_days`; a list is one."""
    found = []
    for name, own in value.items():
        path = f"{above}{name}"
        found += _flat(own, f"{path}.") if isinstance(own, Mapping) and own else [(path, own)]
    return found
