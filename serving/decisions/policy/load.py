"""Reading both files together: a wrong key, a misspelt rule or an unknown channel is one line with file, key, fix."""

from collections.abc import Collection
from pathlib import Path

from features import yaml_text
from features.workspace import Workspace, WorkspaceError, read_yaml
from serving.decisions import language
from serving.decisions.policy.actions import Actions
from serving.decisions.policy.contact_policy import ContactPolicy
from serving.decisions.policy.playbook import Playbook

TRIES = 5  # how often a file may change while it is read


def load(workspace: Workspace, blank: bool = True) -> Playbook:
    """Raises WorkspaceError where a file is wrong or the two do not fit each other or the workspace's channels.

    Both are read, understood and read again: what changed meanwhile was half of a change. A blank file means all
    defaults, unless `blank` is false: an editor empties a file before it fills it, and no cap would bind meanwhile.
    """
    for _ in range(TRIES):
        written = _written(workspace)
        try:
            return _understood(workspace, blank, *written)
        except WorkspaceError:
            if written == _written(workspace):
                raise
    raise WorkspaceError(f"{workspace.policy_file}: keeps changing, or {workspace.actions_file.name}; let it rest")


def _understood(workspace: Workspace, blank: bool, actions_text: bytes | None, policy_text: bytes | None) -> Playbook:
    for file, text in ((workspace.actions_file, actions_text), (workspace.policy_file, policy_text)):
        if text is not None and not text.strip() and not blank:
            raise WorkspaceError(f"{file}: is empty; write at least `{{}}` where you mean all defaults")
    actions = read_yaml(workspace.actions_file, Actions, actions_text)
    policy = read_yaml(workspace.policy_file, ContactPolicy, policy_text)
    problems = list(misfits(actions, policy, workspace.settings.channels))
    if problems:
        raise WorkspaceError("; ".join(f"{_file(workspace, at)}: `{key}`: {what}" for at, key, what in problems))
    languages = language.load(workspace)
    if (actions_text, policy_text) != _written(workspace):
        raise WorkspaceError(f"{workspace.policy_file}: changed while it was read, or {workspace.actions_file.name}")
    return Playbook(actions, policy, languages)


def content(path: Path) -> bytes | None:
    """What a file holds, as far as it may be read; None where it cannot be."""
    try:
        return yaml_text.content(path)
    except OSError:
        return None


def _written(workspace: Workspace) -> tuple[bytes | None, bytes | None]:
    return content(workspace.actions_file), content(workspace.policy_file)


def misfits(actions: Actions, policy: ContactPolicy, channels: Collection[str]) -> list[tuple[str, str, str]]:
    """(file, key, problem) for each name that exists nowhere: a cap on `emial` would silently never bind."""
    known = {
        "channel": set(channels),
        "issue": {action.issue for action in actions.actions},
        "group": {action.group for action in actions.actions},
        "action": set(actions.by_name),
        "tag": {tag for action in actions.actions for tag in action.tags},
    }
    found = []

    def expect(kind: str, name: str, file: str, key: str) -> None:
        if name not in known[kind]:
            listed = ", ".join(sorted(known[kind])) or "none yet"
            found.append((file, key, f"{name!r} is no known {kind}; known: {listed}"))

    for i, action in enumerate(actions.actions):
        for channel in action.channels:
            expect("channel", channel, "actions", f"actions.{i}.channels")
        if action.exempt is not None and action.exempt not in policy.exempt:
            found.append(("actions", f"actions.{i}.exempt", f"{action.exempt!r} is not under `exempt` in the policy"))
        for n, signal in enumerate(action.reveals):
            if signal.channel is not None:
                expect("channel", signal.channel, "actions", f"actions.{i}.reveals.{n}.channel")
    for i, cap in enumerate(policy.caps):
        if cap.name is not None:
            expect(cap.scope, cap.name, "policy", f"caps.{i}.name")
    for kind, key, names in (
        ("channel", "consent.assumed", policy.consent.assumed),
        ("channel", "harm.channels", policy.harm.channels),
        ("channel", "quiet.channels", (policy.quiet.channels or ()) if policy.quiet is not None else ()),
        ("action", "cool_down.actions", policy.cool_down.actions),
        ("group", "cool_down.groups", policy.cool_down.groups),
        ("group", "increment.groups", policy.increment.groups),
    ):
        for name in names:
            expect(kind, name, "policy", key)
    return found


def _file(workspace: Workspace, which: str) -> Path:
    return workspace.actions_file if which == "actions" else workspace.policy_file
