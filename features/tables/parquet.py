"""Parquet: one file, a list of files, or a folder of them (partitioned by day or anything else, or not at all)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq

from features.interactions import INSTANT
from features.tables import BATCH_ROWS, Unit
from features.workspace import WorkspaceError

#: Read as dictionaries: few distinct values, or many repetitions in a row group.
WORDS = ["customer_id", "channel", "direction", "type", "topic"]


class ParquetTable:
    """Files are taken as units: one that is replaced has another size or time, and so another id."""

    def __init__(self, path: Path, files: Sequence[Path] | None = None, schema: pa.Schema | None = None) -> None:
        self.path, self.name = path, str(path)
        self._format = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(dictionary_columns=WORDS))
        self.files = _found(path) if files is None else list(files)
        with self._readable():
            self._schema = schema or self._open(self.files).schema
        self.columns = self._schema.names

    def rows(self) -> int:
        with self._readable():
            return sum(pq.read_metadata(file).num_rows for file in self.files)

    def units(self) -> list[Unit]:
        return list(self._by_unit())

    def batches(
        self, columns: Sequence[str], until: int | None = None, units: Sequence[Unit] | None = None
    ) -> Iterator[pa.RecordBatch]:
        files = self._chosen(until, units)
        if not files:
            return
        with self._readable():
            scanner = self._open(files, self._schema).scanner(
                columns=list(columns),
                filter=_before(self._schema, until),
                batch_size=BATCH_ROWS,
                batch_readahead=2,  # what is read ahead is held in memory
                fragment_readahead=2,
            )
            for batch in scanner.to_batches():
                if batch.num_rows:
                    yield batch

    def _chosen(self, until: int | None, units: Sequence[Unit] | None) -> list[Path]:  # noqa: ARG002  for day logs
        found = self._by_unit()
        return self.files if units is None else [found[unit] for unit in units if unit in found]

    def _by_unit(self) -> dict[Unit, Path]:
        found = {}
        for file in self.files:
            about = file.stat()
            name = file.name if file == self.path else file.relative_to(self.path)
            found[Unit(f"{name}:{about.st_size}:{about.st_mtime_ns}")] = file
        return found

    def _open(self, files: Sequence[Path], schema: pa.Schema | None = None) -> ds.Dataset:
        options = ds.FileSystemFactoryOptions(
            partition_base_dir=str(self.path), partitioning=ds.HivePartitioning.discover()
        )
        names = [str(file) for file in files]
        factory = ds.FileSystemDatasetFactory(fs.LocalFileSystem(), names, self._format, options)
        # every file is asked: what only later ones have must not be lost
        return factory.finish(schema or factory.inspect(promote_options="permissive"))

    def _readable(self) -> "_Readable":
        return _Readable(self.name)


class _Readable:
    """Turns what Arrow says of a damaged file into one line."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, pa.ArrowException | OSError):
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise WorkspaceError(f"{self.name}: cannot be read as Parquet: {why}") from None


def _found(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise WorkspaceError(f"{path}: no such file or folder")
    files = [
        file
        for file in sorted(path.rglob("*.parquet"))
        if not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
    ]
    if not files:
        raise WorkspaceError(f"{path}: the folder holds no *.parquet files")
    return files


def _before(schema: pa.Schema, until: int | None) -> pc.Expression | None:
    """Spares row groups that lie behind every cutoff; only where the column is what the contract says."""
    if until is None or "occurred_at" not in schema.names or schema.field("occurred_at").type != INSTANT:
        return None
    return pc.field("occurred_at") < pa.scalar(until, INSTANT)
