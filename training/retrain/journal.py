"""Which steps of a retraining are done, on disk after each one, so that a killed run is taken up where it was.

state/retrain/journal.json    the run under way: its steps with their results
state/retrain/last.json       the last run that came to its end, as a summary
state/retrain/ID/             what its steps hand on to each other
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from features import clock
from features.clock import DAY
from features.workspace import Workspace, WorkspaceError
from training.retrain.basis import changed

#: A run that was cut off longer ago begins anew: its data are no longer the newest.
TAKEN_UP = DAY


@dataclass
class Journal:
    """One run. `setup` says what it rests on beside its data (basis.py); `steps` what each finished step came to."""

    folder: Path
    id: str
    started_at: str
    setup: dict[str, str]
    taken_up: int = 0
    steps: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(
        cls, workspace: Workspace, setup: dict[str, str], at_hand: "Callable[[Journal], bool]"
    ) -> "tuple[Journal, Journal | None, str]":
        """The run to go on with or a new one, the one that was given up for it, if any, and why.

        `at_hand` says whether what a run's finished steps keep can be read. Call it only while the lock is held.
        """
        folder = workspace.folder / "state" / "retrain"
        folder.mkdir(parents=True, exist_ok=True)
        now = clock.Clock().now()
        found = cls._read(folder)
        why = ""
        if found is not None:
            if now - clock.parse_instant(found.started_at) >= TAKEN_UP:
                why = "its data are no longer the newest"
            elif found.setup != setup:
                told = isinstance(found.setup, dict)
                why = f"since then {changed(found.setup, setup)}" if told else "another version of tactful wrote it"
            elif not at_hand(found):
                why = "the data sets that it kept are gone, or of another version of tactful"
            else:
                found.taken_up += 1
                return found, None, ""
        began = clock.isoformat(now)
        name = f"{began[:19].replace(':', '')}-{os.urandom(3).hex()}"
        return cls(folder, name, began, setup), found, why

    @classmethod
    def _read(cls, folder: Path) -> "Journal | None":
        path = folder / "journal.json"
        if not path.exists():
            return None
        try:
            found = cls(folder, **json.loads(path.read_text(encoding="utf-8")))
            clock.parse_instant(found.started_at)
        except (OSError, ValueError, TypeError) as error:
            raise WorkspaceError(f"{path}: cannot be read ({error}); delete it to begin anew") from None
        if (last(folder) or {}).get("id") == found.id:  # killed between its last two writes: it is done
            found.forget()
            return None
        return found

    @property
    def work(self) -> Path:
        """Where its steps keep what the next ones need."""
        return self.folder / self.id

    def done(self, step: str, result: Mapping[str, Any]) -> None:
        """A step is finished: on disk before anything else happens."""
        self.steps[step] = dict(result)
        self.save()

    def save(self) -> None:
        said = {name: value for name, value in asdict(self).items() if name != "folder"}
        write(self.folder / "journal.json", json.dumps(said, indent=1))

    def end(self, summary: Mapping[str, Any]) -> None:
        """The run came to its end."""
        write(self.folder / "last.json", json.dumps(summary, indent=1) + "\n")
        self.forget()

    def forget(self) -> None:
        """Nothing of it is left but the summary."""
        shutil.rmtree(self.work, ignore_errors=True)
        (self.folder / "journal.json").unlink(missing_ok=True)


def last(folder: Path) -> dict[str, Any] | None:
    """The summary of the last run that came to its end; none where there is none, or it cannot be read."""
    try:
        found = json.loads((folder / "last.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write(path: Path, text: str) -> None:
    """Whole or not at all, and on disk."""
    own = path.with_name(f".{path.name}.part")
    with own.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    own.replace(path)
