"""The result on disk: finished buckets in a staging folder beside OUT, then all of it in place at once."""

import ctypes
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.manifest import FILE, KEY, Manifest
from features.workspace import WorkspaceError

try:
    import fcntl
except ImportError:  # Windows: one build at a time is up to the user there
    fcntl = None  # type: ignore[assignment]

#: Rows of a row group: what a reader decodes at a time, and what a writer holds.
GROUP_ROWS = 1 << 16
_EXCHANGE, _HERE = 2, -100  # RENAME_EXCHANGE and AT_FDCWD of Linux


def is_file(out: Path) -> bool:
    """OUT is one file where its name says Parquet, else a folder of parts."""
    return out.suffix.lower() in (".parquet", ".pq")


class Staging:
    """A folder `.OUT.building` that survives a killed build, and is only taken up again for the same work."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out.with_name(f".{out.name}.building")
        self.spill = self.folder / "spill"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second build of the same OUT away; the lock dies with its process."""
        with open(self.out.with_name(f".{self.out.name}.lock"), "w") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise WorkspaceError(f"{self.out}: another build is writing it; wait for it to end") from None
            try:
                yield
            finally:
                Path(file.name).unlink(missing_ok=True)

    def recover(self) -> None:
        """Puts back what a kill between two renames left aside: the old OUT, and parts on their way."""
        if (self.folder / "replaced").exists() and not self.out.exists():
            (self.folder / "replaced").rename(self.out)
        for part in (self.folder / "ready").glob("part-*.parquet"):
            part.replace(self.folder / part.name)

    def resume(self, work: Manifest) -> Manifest | None:
        """What a killed build of the same work, from the same pieces, had begun; anything else is removed."""
        shutil.rmtree(self.spill, ignore_errors=True)
        try:
            begun = Manifest.from_json((self.folder / "plan.json").read_bytes())
        except (OSError, ValueError, TypeError):
            begun = None
        if begun is not None and begun.same_work(work) and begun.units == work.units:
            for unfinished in self.folder.glob("*.tmp"):
                unfinished.unlink()
            return begun
        self.remove()
        return None

    def begin(self, plan: Manifest) -> None:
        """Writes down what finished buckets will belong to."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / "plan.tmp"
        unfinished.write_text(plan.to_json())
        unfinished.replace(self.folder / "plan.json")

    def part(self, bucket: int) -> Path:
        return self.folder / f"part-{bucket:05d}.parquet"

    def finished(self) -> set[int]:
        """Buckets that need not be computed again."""
        return {int(path.stem.removeprefix("part-")) for path in self.folder.glob("part-*.parquet")}

    def write(self, bucket: int, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
        """Writes the part of a bucket: it is there whole or not at all."""
        unfinished = self.part(bucket).with_suffix(".tmp")
        with open(unfinished, "wb") as file:
            with _writer(file, schema) as writer:
                for table in _regrouped(tables):
                    writer.write_table(table, row_group_size=GROUP_ROWS)
            os.fsync(file.fileno())
        unfinished.replace(self.part(bucket))

    def keep(self, bucket: int, earlier: Manifest, schema: pa.Schema) -> None:
        """Takes the part of a bucket over from OUT as it is."""
        if is_file(self.out):
            self.write(bucket, part_tables(self.out, earlier, bucket), schema)
            return
        unfinished = self.part(bucket).with_suffix(".tmp")
        try:
            os.link(self.out / self.part(bucket).name, unfinished)
        except OSError:  # not every file system has links
            shutil.copyfile(self.out / self.part(bucket).name, unfinished)
        unfinished.replace(self.part(bucket))

    def publish(self, manifest: Manifest) -> Manifest:
        """Puts the parts in place as OUT, all at once, and returns the manifest with what only now is known."""
        shutil.rmtree(self.spill, ignore_errors=True)
        parts = [self.part(bucket) for bucket in range(manifest.buckets)]
        about = [pq.read_metadata(part) for part in parts]
        groups = tuple(part.num_row_groups for part in about) if is_file(self.out) else ()
        manifest = replace(manifest, rows=sum(part.num_rows for part in about), groups=groups)
        if is_file(self.out):
            self._publish_file(manifest, parts)
        else:
            self._publish_folder(manifest)
        self.remove()
        return manifest

    def tidy(self) -> None:
        """After a build, however it ended: rows are read again, finished parts are worth keeping."""
        self.recover()
        shutil.rmtree(self.spill, ignore_errors=True)
        if not self.finished():
            self.remove()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _publish_file(self, manifest: Manifest, parts: list[Path]) -> None:
        whole = self.folder / "whole.tmp"
        with open(whole, "wb") as file:
            with _writer(file, pq.read_schema(parts[0])) as writer:
                for part in parts:
                    with pq.ParquetFile(part) as source:
                        for group in range(source.num_row_groups):
                            writer.write_table(source.read_row_group(group), row_group_size=GROUP_ROWS)
                writer.add_key_value_metadata({KEY.decode(): manifest.to_json()})
            os.fsync(file.fileno())
        whole.replace(self.out)
        _sync(self.out.parent)

    def _publish_folder(self, manifest: Manifest) -> None:
        ready = self.folder / "ready"
        ready.mkdir(exist_ok=True)
        for bucket in range(manifest.buckets):
            self.part(bucket).replace(ready / self.part(bucket).name)
        with open(ready / FILE, "w") as file:
            file.write(manifest.to_json())
            file.flush()
            os.fsync(file.fileno())
        _sync(ready)
        if self.out.exists():
            _exchange(ready, self.out)
        else:
            ready.rename(self.out)
        _sync(self.out.parent)


def complete(out: Path, manifest: Manifest) -> bool:
    """Whether a finished OUT still has all the rows that its manifest tells of: it may have been tampered with."""
    parts = [out] if is_file(out) else [out / f"part-{bucket:05d}.parquet" for bucket in range(manifest.buckets)]
    try:
        return sum(pq.read_metadata(part).num_rows for part in parts) == manifest.rows
    except (OSError, pa.ArrowException):
        return False


def part_tables(out: Path, manifest: Manifest, bucket: int, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a bucket of a finished OUT, row group by row group."""
    path = out if is_file(out) else out / f"part-{bucket:05d}.parquet"
    with pq.ParquetFile(path) as source:
        first = sum(manifest.groups[:bucket]) if is_file(out) else 0
        count = manifest.groups[bucket] if is_file(out) else source.num_row_groups
        for group in range(first, first + count):
            yield source.read_row_group(group, columns=columns)


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in whole row groups: the file does not tell in which steps it was computed."""
    held: list[pa.Table] = []
    waiting = 0
    for table in tables:
        held.append(table)
        waiting += table.num_rows
        if waiting >= GROUP_ROWS:
            whole = pa.concat_tables(held)
            end = waiting - waiting % GROUP_ROWS
            yield whole.slice(0, end)
            held, waiting = [whole.slice(end)], waiting - end
    if held:
        yield pa.concat_tables(held)


def _writer(file: object, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(file, schema.remove_metadata(), compression="zstd", compression_level=1)


def _exchange(new: Path, old: Path) -> None:
    """Swaps two folders in one step, where the system can: no reader ever finds neither."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is not None and call(_HERE, os.fsencode(new), _HERE, os.fsencode(old), _EXCHANGE) == 0:
        return
    aside = new.with_name("replaced")
    old.rename(aside)
    new.rename(old)


def _sync(folder: Path) -> None:
    """A rename is on disk when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
