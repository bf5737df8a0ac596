"""Who is to be decided about: a file with a column customer_id, each of them once, a piece at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from features.workspace import WorkspaceError

COLUMN = "customer_id"
LONGEST = 256  # as in the interaction contract
_FIX = f"write a header line with {COLUMN}, or a Parquet column of that name"


def audience(path: Path, size: int) -> Iterator[list[str]]:
    """Customers in the file's order, `size` at a time, repeats left out.

    Parquet where the name says so, else CSV. Raises WorkspaceError naming the file and what is wrong with it. What is
    kept of those already seen is their hash, eight bytes each.
    """
    seen: set[int] = set()
    piece: list[str] = []
    number = 0
    for column in _columns(path):
        for name in column.to_pylist():
            number += 1
            if not isinstance(name, str) or not name.strip() or len(name) > LONGEST:
                raise WorkspaceError(
                    f"{path}: row {number}: {COLUMN} is {name!r}; give a text of 1 to {LONGEST} letters"
                )
            key = hash(name)
            if key in seen:
                continue
            seen.add(key)
            piece.append(name)
            if len(piece) == size:
                yield piece
                piece = []
    if piece:
        yield piece


def _columns(path: Path) -> Iterator[pa.Array]:
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            with pq.ParquetFile(path) as file:
                if COLUMN not in file.schema_arrow.names:
                    raise WorkspaceError(f"{path}: has no column {COLUMN}; {_FIX}")
                for batch in file.iter_batches(columns=[COLUMN]):
                    yield batch.column(0).cast(pa.string())
            return
        convert = csv.ConvertOptions(
            column_types={COLUMN: pa.string()}, include_columns=[COLUMN], strings_can_be_null=False
        )
        with csv.open_csv(path, convert_options=convert) as reader:
            for batch in reader:
                yield batch.column(0)
    except KeyError:
        raise WorkspaceError(f"{path}: has no column {COLUMN}; {_FIX}") from None
    except (OSError, pa.ArrowInvalid, pa.ArrowKeyError) as error:
        text = " ".join(str(error).split())[:300]
        raise WorkspaceError(f"{path}: cannot be read as an audience: {text}; {_FIX}") from None
