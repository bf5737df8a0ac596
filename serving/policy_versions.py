"""Which policy decided when: a copy of the marketer's files for each version that was ever in use.

    state/policies/4be1c7a90d55/actions.yaml, contact_policy.yaml   as written when this version was taken up
    state/policies/used.jsonl                                        one line each time another version came into use

Decisions carry the version; here is what it meant. A version is a hash of meaning, so comments may differ between two
copies of one version: the first one stays. Whoever decides keeps: the service, and a batch.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from features import clock
from features.daylog import append_line, locked
from features.workspace import Workspace, WorkspaceError, read_yaml
from serving.decisions import policy
from serving.decisions.policy import Actions, ContactPolicy, Playbook

USED = "used.jsonl"
log = logging.getLogger("tactful.policy")


@dataclass(frozen=True)
class Used:
    """A version that came into use: `at` by the machine's clock, `now` by the workspace's (microseconds)."""

    version: str
    at: int
    now: int


def folder(workspace: Workspace) -> Path:
    """Where the copies are."""
    return workspace.folder / "state" / "policies"


def keep(workspace: Workspace, playbook: Playbook, now: int) -> None:
    """Copies the files of a version that is in use, and says since when, unless it was the last to come into use.

    Never raises for a full or read-only disk: deciding goes on, and the log says that this version was not kept.
    """
    try:
        home = folder(workspace)
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / ".lock"):
            _copy(workspace, playbook, home)
            before = used(workspace)
            if not before or before[-1].version != playbook.version:
                said = {"version": playbook.version, "at": clock.Clock().now(), "now": now}
                append_line(home / USED, json.dumps(said))
    except OSError as error:
        log.error("policy %s is in use, but cannot be kept: %s", playbook.version, error.strerror or error)


def used(workspace: Workspace) -> list[Used]:
    """Each time that another version came into use, oldest first; a torn last line never counted, and no damaged one
    keeps a service from deciding."""
    try:
        lines = (folder(workspace) / USED).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError, TypeError):
            found.append(Used(**json.loads(line)))
    return found


def texts(workspace: Workspace, version: str) -> Mapping[str, str]:
    """The files of a version as they were written, by name; empty where none were kept."""
    found = {}
    if version in {each.version for each in used(workspace)}:  # never a path that somebody made up
        for file in (workspace.actions_file, workspace.policy_file):
            with suppress(OSError):
                found[file.name] = (folder(workspace) / version / file.name).read_text(encoding="utf-8")
    return found


def playbook(workspace: Workspace, version: str) -> Playbook | None:
    """A version that was kept, as understood today; None where it was not, or is no longer understood."""
    said = texts(workspace, version)
    try:
        return _understood(workspace, {name: text.encode() for name, text in said.items()})
    except (WorkspaceError, KeyError):
        return None


def _copy(workspace: Workspace, playbook: Playbook, home: Path) -> None:
    if (home / playbook.version).is_dir():
        return
    written = {file.name: policy.content(file) for file in (workspace.actions_file, workspace.policy_file)}
    kept = {name: content for name, content in written.items() if content is not None}
    try:
        if len(kept) < len(written) or _understood(workspace, kept).version != playbook.version:
            return  # changed since it was loaded: the next version is on its way
    except WorkspaceError:
        return
    own = home / f".{playbook.version}.{os.getpid()}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    for name, content in kept.items():
        (own / name).write_bytes(content)
    own.rename(home / playbook.version)


def _understood(workspace: Workspace, written: Mapping[str, bytes]) -> Playbook:
    actions, stated = workspace.actions_file, workspace.policy_file
    return Playbook(
        read_yaml(actions, Actions, written[actions.name]), read_yaml(stated, ContactPolicy, written[stated.name])
    )
