"""Tombstones: salted hashes of ids whose data were deleted, so that a file read again does not bring them back.

    history/erased/salt                random, made with the first tombstone; without it nobody can try ids out
    history/erased/tombstones.jsonl    one line an id: its hash, when, and how many rows of what were deleted

No id can be read from them. They lie beside history because they are about it: who copies one takes the other along.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import clock
from features.daylog import append_line, locked
from features.workspace import Workspace, WorkspaceError

#: Why a row is refused; without its content, which is not to be kept.
ERASED = "customer_id: was erased; nothing more is kept of this customer"
#: Where a row of any log names someone.
NAMES = ("customer_id", "identifier")
_BYTES = 16


@dataclass(frozen=True)
class Tombstones:
    """The hashes known at one moment. Asking costs about a microsecond an id, and nothing while there are none."""

    salt: bytes = b""
    hashes: frozenset[str] = frozenset()

    def named(self, ids: Collection[str | None]) -> set[str]:
        """Those of some ids that were erased."""
        if not self.hashes:
            return set()
        return {text for text in ids if text is not None and hashed(self.salt, text) in self.hashes}

    def marked(self, column: pa.ChunkedArray) -> np.ndarray:
        """bool[n]: the rows of a column of ids whose id was erased."""
        if not self.hashes:
            return np.zeros(len(column), bool)
        return is_in(column, self.named(pc.unique(_plain(column)).to_pylist()))

    def rows(self, table: pa.Table) -> np.ndarray:
        """bool[n]: the rows of a log that name someone who was erased."""
        bad = np.zeros(table.num_rows, bool)
        for name in set(NAMES) & set(table.column_names):
            bad |= self.marked(table[name])
        return bad


def is_in(column: pa.ChunkedArray, ids: Collection[str]) -> np.ndarray:
    """bool[n]: the rows of a column of ids that are some of these."""
    return np.asarray(pc.is_in(_plain(column), pa.array(sorted(ids), pa.string())), bool)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def hashed(salt: bytes, text: str) -> str:
    """32 hexadecimal digits."""
    return hmac.digest(salt, text.encode("utf-8", "surrogatepass"), hashlib.sha256)[:_BYTES].hex()


class Graveyard:
    """A workspace's tombstones on disk."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = workspace.history / "erased"
        self._file = self.folder / "tombstones.jsonl"
        self._read: tuple[tuple[int, int] | None, Tombstones] = (None, Tombstones())

    def tombstones(self) -> Tombstones:
        """As they stand; read again only where the file changed. Raises WorkspaceError where the salt is gone."""
        try:
            about = self._file.stat()
        except FileNotFoundError:
            return Tombstones()
        stamp = about.st_mtime_ns, about.st_size
        if self._read[0] != stamp:
            lines = self._file.read_bytes().split(b"\n")[:-1]  # a torn last line was never acknowledged
            self._read = stamp, Tombstones(self.salt(), frozenset(json.loads(line)["hash"] for line in lines))
        return self._read[1]

    def salt(self) -> bytes:
        """The workspace's salt; made where there is none yet and nothing was erased."""
        path = self.folder / "salt"
        try:
            return bytes.fromhex(path.read_text())
        except FileNotFoundError:
            if self._file.exists():
                raise WorkspaceError(
                    f"{path} is missing, and without it nobody can tell who was erased; put it back from a backup"
                ) from None
        self.folder.mkdir(parents=True, exist_ok=True)
        own = self.folder / f".salt-{os.getpid()}-{secrets.token_hex(4)}"
        with open(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(own, path)  # of two that begin at once the first one wins
        except FileExistsError:
            pass
        finally:
            own.unlink()
        return bytes.fromhex(path.read_text())

    def bury(self, ids: Collection[str], now: int) -> None:
        """From now on these ids are refused. Before anything is deleted: a kill in between leaves too little to read,
        never too much."""
        salt, known = self.salt(), self.tombstones()
        fresh = sorted({text for text in ids if hashed(salt, text) not in known.hashes})
        self._append([{"hash": hashed(salt, text), "at": clock.isoformat(now)} for text in fresh])

    def note(self, ids: Collection[str], rows: Mapping[str, int], now: int) -> None:
        """How many rows of each kind went: counts over all of a person's ids, kept with the first of them."""
        first = hashed(self.salt(), min(ids))
        self._append([{"hash": first, "at": clock.isoformat(now), "rows": dict(rows)}])

    def counts(self) -> dict[str, int]:
        """Rows deleted for good over all erasures, by kind."""
        total: dict[str, int] = {}
        if self._file.exists():
            for line in self._file.read_bytes().split(b"\n")[:-1]:
                for kind, rows in json.loads(line).get("rows", {}).items():
                    total[kind] = total.get(kind, 0) + rows
        return total

    def _append(self, lines: list[dict[str, object]]) -> None:
        if lines:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder / ".lock"):
                append_line(self._file, "\n".join(json.dumps(line) for line in lines))


@contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """One of erasing, syncing and retaining at a time: a sync holds rows in its hands that an erasure cannot see."""
    workspace.history.mkdir(parents=True, exist_ok=True)
    with locked(workspace.history / ".privacy.lock"):
        yield
