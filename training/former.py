"""A workspace as it was when a run learned from it: what the run's record states, and of history the batches it names.

Training then runs on it as on any other, and nothing of it has to know that it is a repetition. Files of history are
linked, not copied: what was erased since is gone here, too.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from features.daylog import DayLog
from features.history import History
from features.workspace import Settings, Workspace, WorkspaceError
from training import provenance

#: Of the workspace's folder, what the record states or a training does not read.
_OTHERS = {"actions.yaml", "contact_policy.yaml", "tactful.yaml", "history", "state", "mlflow", "reports", "quarantine"}


@contextmanager
def former(workspace: Workspace, told: Mapping[str, Any]) -> Iterator[Workspace]:
    """`told` is a record with `settings`, `actions` and `policy` (None: there was no such file), and `data`: the ids of
    batches by log. Gone when the block ends."""
    settings = Settings.model_validate(workspace.settings.model_dump(mode="json") | told["settings"])
    with tempfile.TemporaryDirectory() as folder, _named(Path(folder), workspace.folder):
        there = replace(workspace, folder=Path(folder), settings=settings)
        for entry in workspace.folder.iterdir():
            if entry.name not in _OTHERS:
                (there.folder / entry.name).symlink_to(entry)
        for file, content in ((there.actions_file, told["actions"]), (there.policy_file, told["policy"])):
            if content is not None:
                file.write_text(json.dumps(content), encoding="utf-8")
        for kind, log in History(workspace).logs.items():
            _link(log, there.history / kind, told["data"].get(kind, ()))
        yield there


@contextmanager
def present(workspace: Workspace) -> Iterator[Workspace]:
    """The workspace as it is now, for as long as the block takes: what a sync brings meanwhile is not learned from in
    part, nor put down in the run's record as learned from."""
    with former(workspace, provenance.stated(workspace)) as there:
        yield there


@contextmanager
def _named(folder: Path, real: Path) -> Iterator[None]:
    """Errors name the workspace, not the folder that stands for it."""
    try:
        yield
    except WorkspaceError as error:
        raise WorkspaceError(str(error).replace(str(folder), str(real))) from None


def _link(log: DayLog, folder: Path, batches: Sequence[str]) -> None:
    folder.mkdir(parents=True)
    for day in log.folder.glob("day=*"):
        (folder / day.name).symlink_to(day)
    lines = [json.dumps(asdict(batch)) for batch in log.batches() if batch.id in set(batches)]
    (folder / "batches.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
