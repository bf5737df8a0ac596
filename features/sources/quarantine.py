"""Quarantine: the rows of a source that are not in history, each with its reason, position and raw content.

One JSON Lines file per source content: reading the same file again replaces it by the same file, and a map that reads
more of it leaves fewer rows behind.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True)
class Refused:
    """How many rows were refused for one kind of reason, and the first of them."""

    rows: int
    example: str


class Quarantine:
    """Rows refused from one source; nothing is in place before `commit`."""

    def __init__(self, folder: Path, source: str, digest: str) -> None:
        self.path = folder / f"{Path(source).name}-{digest[:12]}.jsonl"
        self.source = source
        self.rows = 0
        self.summary: dict[str, Refused] = {}
        self._unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        self._file: Any = None

    def add(self, position: int, reason: str, raw: Any) -> None:
        """Refuses one row; `position` counts data rows from 1."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._unfinished, "wb")  # noqa: SIM115  closed by commit or discard
        row = {"file": self.source, "row": int(position), "reason": reason, "raw": raw}
        self._file.write(orjson.dumps(row, default=_text) + b"\n")
        self.rows += 1
        kind = reason.partition(":")[0]
        before = self.summary.get(kind)
        self.summary[kind] = (
            Refused(before.rows + 1, before.example) if before else Refused(1, f"row {position}: {reason}")
        )

    def commit(self) -> Path | None:
        """Puts the file in place and returns its path; a source without bad rows leaves no file."""
        if self._file is None:
            self.path.unlink(missing_ok=True)
            return None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._unfinished.replace(self.path)
        self._file = None
        return self.path

    def discard(self) -> None:
        """Forgets what was not committed."""
        if self._file is not None:
            self._file.close()
            self._unfinished.unlink(missing_ok=True)
            self._file = None


def sweep(folder: Path) -> None:
    """Removes what a killed ingest left unfinished; call it only while no other one can be running."""
    for path in folder.glob(".*.jsonl.*"):
        path.unlink()


def digest(path: Path) -> str:
    """A fingerprint of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _text(value: Any) -> Any:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
