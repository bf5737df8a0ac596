"""Erasing a person: every id they go by, from the store, history, quarantine and whatever was made of them.

The order makes an interruption harmless. First what is to be done is written down, then nobody is let in again
(tombstones), then things are deleted, and only when nothing is left is the note removed: it is the one file that holds
the ids meanwhile. `finish` takes up what was interrupted, and what a link (`op: erase`) has only hidden so far.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from features.daylog import locked
from features.forgetting import forget_files, forget_history, forget_quarantine
from features.history import History
from features.identity.links import erased
from features.tombstones import Graveyard, alone
from features.workspace import Workspace
from serving.store.protocol import Store

PAGE = 10_000


@dataclass(frozen=True)
class Erased:
    """How many ids, rows deleted by table and log, and files in which an id still stands."""

    ids: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    left: tuple[str, ...] = ()


def erase(workspace: Workspace, store: Store, customer_ids: Collection[str], now: int) -> Erased:
    """Deletes everything about the persons that some ids belong to, now and for good. Safe to repeat."""
    begun = begin(workspace, store, customer_ids, now)
    rest = finish(workspace, store, now)
    rows = {kind: begun.rows.get(kind, 0) + rest.rows.get(kind, 0) for kind in begun.rows | rest.rows}
    return Erased(begun.ids, rows, rest.left)


def begin(workspace: Workspace, store: Store, customer_ids: Collection[str], now: int) -> Erased:
    """From here on the store knows nothing of them and nothing is taken in again. The files are `finish`'s."""
    ids = store.ids_of(sorted(customer_ids))
    yard = Graveyard(workspace)
    _note(yard, ids)
    yard.bury(ids, now)
    rows = store.erase(ids, yard.salt(), now).result()
    gone = {f"store {table}": number for table, number in rows.items() if number}
    yard.note(ids, gone, now)
    return Erased(len(ids), gone)


def finish(workspace: Workspace, store: Store, now: int) -> Erased:
    """Deletes what files hold of everyone who was erased, by whatever way; nothing to do costs a look at the links."""
    yard = Graveyard(workspace)
    with alone(workspace):
        pending = _pending(yard)
        hidden = erased(History(workspace).links()) - pending
        if hidden:  # by a link: exactly these ids, for the person may go on under others
            _note(yard, hidden)
            yard.bury(hidden, now)
        ids = pending | hidden
        if not ids:
            return Erased()
        rows = store.erase(sorted(ids), yard.salt(), now).result()  # again: what was recorded while files were read
        total = {f"store {table}": number for table, number in rows.items()}
        total |= {f"history {log}": number for log, number in forget_history(workspace, ids).items()}
        total["quarantine"] = forget_quarantine(workspace, ids)
        total["files"], left = forget_files(workspace, ids, besides=_looked_after(workspace, yard))
        total = {kind: number for kind, number in total.items() if number}
        if total:
            yard.note(ids, total, now)
        _done(yard, ids)
    return Erased(len(ids), total, tuple(left))


def returned(workspace: Workspace, store: Store) -> set[str]:
    """Ids that were erased and are in the store all the same: it was restored from a backup of before. Noted down, so
    that `finish` erases them once more. About a microsecond a customer."""
    yard, found, after = Graveyard(workspace), set[str](), ""
    tombstones = yard.tombstones()
    while tombstones.hashes and (page := store.candidates_for_nudge(after, PAGE)):
        found |= tombstones.named(store.ids_of(page))
        after = page[-1]
    if found:
        _note(yard, found)
    return found


def _looked_after(workspace: Workspace, yard: Graveyard) -> list[Path]:
    """The store's own files, and models, which hold no ids."""
    found = [yard.folder, workspace.folder / "mlflow", workspace.folder / "state" / "bentoml"]
    if not workspace.settings.store.url.startswith("sqlite:///"):
        return found
    store = workspace.store_path
    return [*found, *(store.with_name(store.name + end) for end in ("", "-wal", "-shm", "-lock", "-journal"))]


def _file(yard: Graveyard) -> Path:
    return yard.folder / "pending.json"


def _pending(yard: Graveyard) -> set[str]:
    try:
        return set(orjson.loads(_file(yard).read_bytes()))
    except FileNotFoundError:
        return set()


def _note(yard: Graveyard, ids: Collection[str]) -> None:
    yard.folder.mkdir(parents=True, exist_ok=True)
    with locked(yard.folder / ".pending.lock"):
        _write(yard, _pending(yard) | set(ids))


def _done(yard: Graveyard, ids: Collection[str]) -> None:
    with locked(yard.folder / ".pending.lock"):
        _write(yard, _pending(yard) - set(ids))


def _write(yard: Graveyard, ids: set[str]) -> None:
    if not ids:
        _file(yard).unlink(missing_ok=True)
        return
    own = yard.folder / f".pending-{os.getpid()}"
    with open(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(orjson.dumps(sorted(ids)))
        file.flush()
        os.fsync(file.fileno())
    own.replace(_file(yard))
