"""Features that `tactful features build` wrote, in place of computing them: only where they mean the same.

Rows are looked up by customer and cutoff. Who has no row is somebody of whom features may see nothing (all on sensitive
topics, say): theirs are computed, so that the model is the same as without tables.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from features import batch
from features.batch import FeatureMatrix
from features.buckets import Keys
from features.catalogue import Catalogue
from features.clock import DAY, isoformat, parse_instant
from features.engine.compact import Compactor, Fingerprint, Words
from features.engine.result import is_file
from features.history import History
from features.interactions import INSTANT
from features.manifest import Manifest
from features.past import Past
from features.vocabulary import Vocabulary
from features.workspace import Settings, Workspace, WorkspaceError
from training.windows import LackingCutoffs

_ROWS = 1 << 20


@dataclass(frozen=True)
class Table:
    """One result of a build, a folder or a file; cutoffs in microseconds."""

    path: Path
    manifest: Manifest

    @property
    def cutoffs(self) -> list[int]:
        return [parse_instant(text) for text in self.manifest.cutoffs]

    @property
    def files(self) -> list[str]:
        if is_file(self.path):
            return [str(self.path)]
        return [str(self.path / f"part-{bucket:05d}.parquet") for bucket in range(self.manifest.buckets)]


@dataclass(frozen=True)
class Prebuilt:
    """Tables of features that all fit the workspace as it is."""

    tables: tuple[Table, ...]

    @classmethod
    def open(cls, paths: Sequence[Path], workspace: Workspace, past: Past, catalogue: Catalogue) -> "Prebuilt":
        """Raises WorkspaceError where a table means something else than the catalogue, the settings or the history."""
        tables = tuple(Table(path, Manifest.read(path)) for path in paths)
        for table in tables[1:]:
            told = tables[0].manifest.differences(table.manifest)
            if told:
                raise WorkspaceError(
                    f"{tables[0].path} and {table.path} cannot be mixed: {'; '.join(told)};"
                    " build both again with `tactful features build`"
                )
        beside = _beside(History(workspace))
        for table in tables:
            table.manifest.check(table.path, catalogue, workspace.settings)
            other = [name for name, units in beside.items() if set(table.manifest.units.get(name, ())) != units]
            if other:
                raise _stale(table, f"{' and '.join(other)} were ingested since")
            if table.manifest.data != fingerprint(past.interactions, table.cutoffs[-1]):
                raise _stale(table, "it was built from other interactions than history holds")
        return cls(tables)

    @property
    def cutoffs(self) -> frozenset[int]:
        return frozenset(cutoff for table in self.tables for cutoff in table.cutoffs)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Lacking cutoffs become one line that says what to run."""
        try:
            yield
        except LackingCutoffs as error:
            where = " ".join(str(table.path) for table in self.tables)
            raise WorkspaceError(f"{where} {error}; run {self._remedy(error.builds)}") from None

    def _remedy(self, builds: Sequence[tuple[int, int, int]]) -> str:
        first = self.tables[0].path
        outs = [first if not i else first.with_name(f"{first.stem}-{i + 1}{first.suffix}") for i in range(len(builds))]
        commands = []
        for out, (start, end, step) in zip(outs, builds, strict=True):
            span = f"--as-of {_date(start)}" if start == end else f"--from {_date(start)} --to {_date(end)}"
            every = "" if start == end else f" --every {step // DAY}d"
            commands.append(f"`tactful features build {span}{every} --out {out}`")
        again = " ".join(f"--features {out}" for out in outs)
        return f"{', '.join(commands)}, and train with {again}"

    def compute(
        self, past: Past, customers: Sequence[str], as_of: np.ndarray, catalogue: Catalogue, settings: Settings
    ) -> FeatureMatrix:
        """As `features.batch.compute_at`."""
        wanted, instants = np.array(list(customers), object), np.asarray(as_of, np.int64)
        levels = catalogue.compile(Vocabulary(), settings).levels
        values = np.empty((len(wanted), len(catalogue)), order="F")
        rows = _Rows(wanted, instants)
        for table in self.tables:
            here = np.intersect1d(table.cutoffs, instants)
            if len(here):
                self._read(table, here, rows, values, catalogue, levels)
        lacking = np.flatnonzero(~rows.filled)
        if len(lacking):
            rest = batch.compute_at(past, wanted[lacking].tolist(), instants[lacking], catalogue, settings)
            values[lacking] = rest.values
        return FeatureMatrix(wanted, instants, values, catalogue, levels)

    def _read(
        self,
        table: Table,
        cutoffs: np.ndarray,
        rows: "_Rows",
        values: np.ndarray,
        catalogue: Catalogue,
        levels: dict[str, tuple[str, ...]],
    ) -> None:
        try:
            asked = pc.field("as_of").isin(pa.array(cutoffs).cast(INSTANT))
            scanner = ds.dataset(table.files).scanner(
                columns=["customer_id", "as_of", *catalogue.names], filter=asked, batch_readahead=2
            )
            for part in scanner.to_batches():
                source, target = rows.places(part)
                if len(source):
                    chosen = part.take(pa.array(source))
                    for j, name in enumerate(catalogue.names):
                        values[target, j] = _numbers(chosen.column(name), levels.get(name))
        except (OSError, pa.ArrowException) as error:
            why = str(error).splitlines()[0]
            raise WorkspaceError(f"{table.path}: cannot be read: {why}; build it again") from None


class _Rows:
    """Which pairs of customer and cutoff are wanted, and which have been found."""

    def __init__(self, customers: np.ndarray, as_of: np.ndarray) -> None:
        self._people, self._instants = pd.Index(pd.unique(customers)), np.unique(as_of)
        key = self._keys(customers, as_of)
        self._order = np.argsort(key, kind="stable")
        self._sorted = key[self._order]
        self.filled = np.zeros(len(customers), bool)

    def places(self, part: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the batch, and the wanted rows that they are; a pair wanted twice has its row twice."""
        customer = part.column("customer_id").cast(pa.string()).to_numpy(zero_copy_only=False)
        key = self._keys(customer, part.column("as_of").cast(pa.int64()).to_numpy())
        first, end = np.searchsorted(self._sorted, key, "left"), np.searchsorted(self._sorted, key, "right")
        count = np.where(key >= 0, end - first, 0)
        source = np.repeat(np.arange(len(key)), count)
        turn = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count)
        target = self._order[np.repeat(first, count) + turn]
        self.filled[target] = True
        return source, target

    def _keys(self, customers: np.ndarray, as_of: np.ndarray) -> np.ndarray:
        """int64[n]: one number a pair, negative for a customer who is not wanted."""
        who = np.asarray(self._people.get_indexer(pd.Index(customers)))
        when = np.minimum(np.searchsorted(self._instants, as_of), len(self._instants) - 1)
        return np.where(who >= 0, who * len(self._instants) + when, -1)


def fingerprint(interactions: pa.Table, until: int) -> str:
    """As the manifest of a table says it that was built from these interactions, the last cutoff being `until`."""
    compactor, found = Compactor("history", Words(), Keys(), until), Fingerprint()
    for start in range(0, interactions.num_rows, _ROWS):
        found.add(compactor.compact(interactions.slice(start, _ROWS)).column("_mark").to_numpy())
    return str(found)


def _numbers(column: Any, labels: tuple[str, ...] | None) -> np.ndarray:
    """float64[n], NaN for null; of labels their positions."""
    if labels is None:
        return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
    place = {label: float(at) for at, label in enumerate(labels)}
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    positions = np.array([*(place[label] for label in coded.dictionary.to_pylist()), np.nan])
    index = pc.fill_null(coded.indices.cast(pa.int32()), len(positions) - 1)
    return positions[index.to_numpy(zero_copy_only=False)]


def _beside(history: History) -> dict[str, set[str]]:
    """Batches of what stands beside interactions."""
    logs = {"attributes": history.records, "identifiers": history.identifiers}
    return {name: {batch.id for batch in log.batches()} for name, log in logs.items()}


def _stale(table: Table, why: str) -> WorkspaceError:
    return WorkspaceError(f"{table.path} does not fit: {why}; run the `tactful features build` that wrote it again")


def _date(at: int) -> str:
    text = isoformat(at)
    return text[:10] if at % DAY == 0 else text
