"""Builds a table of features: read once, split by customer, compute bucket by bucket, put it all in place at once."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import clock
from features.batch import compute
from features.catalogue import Catalogue, of
from features.engine.beside import Beside
from features.engine.merge import merged
from features.engine.reading import Reading, Tick
from features.engine.result import Staging, complete, is_file, part_tables
from features.engine.source import Source, open_source
from features.engine.spill import Spill
from features.history import History
from features.interactions import SCHEMA
from features.manifest import FILE, Manifest
from features.workspace import Workspace, WorkspaceError


@dataclass(frozen=True)
class Built:
    """What a build did; `recomputed` are the customers of an earlier result that were computed anew, None: all."""

    manifest: Manifest
    recomputed: int | None = None

    @property
    def rows(self) -> int:
        return self.manifest.rows


def build(
    workspace: Workspace,
    cutoffs: Sequence[int],
    out: Path,
    source: str | None = None,
    memory: int = 4 << 30,
    engine: str = "local",
    tick: Tick | None = None,
) -> Built:
    """Writes every known customer's features at each cutoff to `out`: a Parquet file, or a folder of them.

    `source` as in features/engine/source.py; `memory` in bytes. The result appears whole or not at all. Where `out`
    holds the same features of an earlier state of the source, only customers of whom something new is known are
    computed. What a killed build had finished is not computed again. Rows are in order of cutoff, then customer, within
    a bucket of customers. Raises WorkspaceError where nobody is known yet, or `out` cannot be written.
    """
    _check_out(out)
    job = _Build(workspace, sorted(set(cutoffs)), out, open_source(workspace, source), memory, tick)
    try:
        with job.staging.locked():
            try:
                job.staging.recover()
                return job.spark() if engine == "spark" else job.local()
            except OSError:
                job.staging.remove()  # a full disk needs the room
                raise
            finally:
                job.staging.tidy()
    except OSError as error:
        raise WorkspaceError(f"{out}: cannot be written: {_why(error)}; what was there is unchanged") from None


class _Build:
    def __init__(
        self, workspace: Workspace, cutoffs: list[int], out: Path, source: Source, memory: int, tick: Tick | None
    ) -> None:
        self.settings, self.cutoffs, self.out, self.source = workspace.settings, cutoffs, out, source
        self.catalogue: Catalogue = of(workspace)
        self.staging, self.tick = Staging(out), tick or (lambda _what, _done, _of: None)
        self.beside = Beside(History(workspace), self.settings, cutoffs[-1])
        self.reading = Reading(source, self.beside.keys, cutoffs[-1], len(self.catalogue), memory, self.tick)
        nobody = compute(SCHEMA.empty_table(), cutoffs[:1], self.catalogue, self.settings)
        self.schema: pa.Schema = nobody.to_arrow().schema
        pieces = source.units()
        self.known = pieces is not None  # whether what is new can be told without reading
        units = self.beside.units | {"interactions": [unit.id for unit in pieces or ()]}
        self.work = replace(Manifest.of(self.catalogue, self.settings, cutoffs, source.name), units=units)

    def local(self) -> Built:
        """Everything, or what an earlier result lacks."""
        earlier = self._earlier()
        if earlier is not None and earlier.units == self.work.units:
            return Built(earlier, 0)
        begun = self.staging.resume(self.work)
        return self._compute(begun) if earlier is None else self._update(earlier, begun)

    def _compute(self, begun: Manifest | None) -> Built:
        skip = self.staging.finished() if begun is not None and self.known else ()
        spill = self.reading.into(begun.buckets if begun is not None else self.reading.guess(), self.staging, skip)
        data = str(self.reading.fingerprint)
        self._some(self.reading.fingerprint.rows)
        if begun is not None and begun.data != data:  # a database went on while the build was interrupted
            self.staging.remove()
            return self._compute(None)
        if begun is None:
            spill = self.reading.refined(spill, self.staging)
        plan = replace(self.work, data=data, words=self.reading.words.common(), buckets=spill.n)
        self.staging.begin(plan)
        for bucket in self._unfinished(plan):
            self.staging.write(bucket, self._features(spill, bucket), self.schema)
            spill.drop(bucket)
        return Built(self.staging.publish(plan))

    def _update(self, earlier: Manifest, begun: Manifest | None) -> Built:
        """Computes the customers that new pieces touch, and takes the rows of all others over."""
        touched = self._touched(earlier)
        if begun is not None and begun.buckets != earlier.buckets:
            self.staging.remove()
        spill = self.reading.into(earlier.buckets, self.staging, self.staging.finished(), touched)
        words = {name: sorted({*found, *earlier.words[name]}) for name, found in self.reading.words.common().items()}
        plan = replace(self.work, data=str(self.reading.fingerprint), words=words, buckets=earlier.buckets)
        self.staging.begin(plan)
        gone = pa.array(touched, pa.uint64())
        for bucket in self._unfinished(plan):
            if spill.has(bucket) or self._holds(earlier, bucket, gone):
                fresh = self._features(spill, bucket) if spill.has(bucket) else iter(())
                self.staging.write(bucket, merged(self._kept(earlier, bucket, gone), fresh), self.schema)
                spill.drop(bucket)
            else:
                self.staging.keep(bucket, earlier, self.schema)
        return Built(self.staging.publish(plan), len(touched))

    def spark(self) -> Built:
        """The same parts, computed where Spark computes; it starts over where it was interrupted."""
        from features.engine.cluster import fill

        name = self.source.name
        if not self.source.paths:
            raise WorkspaceError(f"{name}: Spark reads Parquet; leave out --engine spark, or `tactful ingest` it first")
        earlier = self._earlier()
        if earlier is not None and earlier.units == self.work.units:
            return Built(earlier, 0)
        self.staging.remove()
        about = (self.source.paths, name, self.cutoffs, self.catalogue, self.settings, self.beside)
        n, found, words = fill(*about, self.staging, self.schema, self.tick)
        self._some(found.rows)
        return Built(self.staging.publish(replace(self.work, data=str(found), words=words, buckets=n)))

    def _some(self, rows: int) -> int:
        if not rows:
            until = clock.isoformat(self.cutoffs[-1])
            raise WorkspaceError(f"no interaction is known before {until}; `tactful ingest FILE` brings some")
        return rows

    def _unfinished(self, plan: Manifest) -> Iterator[int]:
        finished = self.staging.finished()
        for bucket in range(plan.buckets):
            self.tick("computing", bucket, plan.buckets)
            if bucket not in finished:
                yield bucket
        self.tick("computing", plan.buckets, plan.buckets)

    def _features(self, spill: Spill, bucket: int) -> Iterator[pa.Table]:
        """The rows of a bucket, as many cutoffs at a time as memory allows."""
        past = self.beside.past(spill.read(bucket), bucket, spill.n)
        step = self.reading.step(spill)
        for start in range(0, len(self.cutoffs), step):
            yield compute(past, self.cutoffs[start : start + step], self.catalogue, self.settings).to_arrow()
            pa.default_memory_pool().release_unused()

    def _earlier(self) -> Manifest | None:
        """The manifest of a finished OUT that only lacks what has come since."""
        try:
            found = Manifest.read(self.out)
        except WorkspaceError:
            return None
        if not self.known or not found.same_work(self.work) or not complete(self.out, found):
            return None
        if self.reading.needed(self.source.rows(), found.rows // len(self.cutoffs)) > 2 * found.buckets:
            return None  # it has outgrown its buckets
        added = all(set(found.units.get(log, ())) <= set(units) for log, units in self.work.units.items())
        return found if added else None

    def _touched(self, earlier: Manifest) -> np.ndarray:
        """Keys of the customers of whom something is known by the last cutoff that was not known before."""
        old = set(earlier.units["interactions"])
        fresh = [unit for unit in self.source.units() or () if unit.id not in old]
        keys = [self.beside.touched(earlier.units)]
        for rows in self.reading.rows(fresh) if fresh else ():
            seen = rows.column("received_at").cast(pa.int64()).to_numpy() <= self.cutoffs[-1]
            keys.append(np.unique(rows.column("_key").to_numpy()[seen]))
        return np.unique(np.concatenate(keys))

    def _holds(self, earlier: Manifest, bucket: int, gone: pa.Array) -> bool:
        """Whether an earlier part has rows of customers who are touched: they may have become others' since."""
        return any(pc.any(self._among(table, gone)).as_py() for table in part_tables(self.out, earlier, bucket, _WHO))

    def _kept(self, earlier: Manifest, bucket: int, gone: pa.Array) -> Iterator[pa.Table]:
        for table in part_tables(self.out, earlier, bucket):
            yield table.filter(pc.invert(self._among(table, gone)))

    def _among(self, table: pa.Table, keys: pa.Array) -> pa.Array:
        return pc.is_in(pa.array(self.beside.keys.of(table.column("customer_id"))), keys)


_WHO = ["customer_id"]


def _why(error: OSError) -> str:
    """The system's own words, also where Arrow wraps them."""
    text = error.strerror or str(error).splitlines()[0]
    return re.sub(r"^.*\[errno \d+\] ", "", text)


def _check_out(out: Path) -> None:
    if not out.parent.is_dir():
        raise WorkspaceError(f"{out}: the folder {out.parent} does not exist")
    if is_file(out) and out.is_dir():
        raise WorkspaceError(f"{out}: is a folder; name a file, or a folder that does not end in .parquet")
    if not is_file(out) and out.exists():
        if not out.is_dir():
            raise WorkspaceError(f"{out}: is a file; a name that ends in .parquet writes one file, any other a folder")
        if any(out.iterdir()) and not (out / FILE).is_file():
            raise WorkspaceError(f"{out}: is a folder with other things in it, which a build would replace")
