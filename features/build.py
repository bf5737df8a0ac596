"""Features of history into one Parquet file: atomic, and labelled with what it was computed from."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features import clock
from features.arrange import COLUMNS
from features.batch import compute
from features.catalogue import of
from features.history import History
from features.workspace import Workspace, WorkspaceError

#: Rows of the result held in memory at a time.
BLOCK_ROWS = 2_000_000
_UNITS = {"h": clock.HOUR, "d": clock.DAY, "w": 7 * clock.DAY}


def cutoffs_between(first: int, last: int, step: int) -> list[int]:
    """first, first + step, ... up to and including last."""
    if last < first:
        raise WorkspaceError(f"--to {clock.isoformat(last)} lies before --from {clock.isoformat(first)}")
    return list(range(first, last + 1, step))


def parse_step(text: str) -> int:
    """Microseconds of `7d`, `12h` or `1w`."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdigit() or not int(number):
        raise WorkspaceError(f"--every {text!r}: write a whole number and h, d or w, e.g. 7d")
    return int(number) * _UNITS[unit]


def build(workspace: Workspace, cutoffs: Sequence[int], out: Path, tick: Callable[[int], object] | None = None) -> int:
    """Writes every known customer's features at each cutoff to `out` and returns the number of rows.

    The file appears whole or not at all. Its metadata say which catalogue, cutoffs and history it came from.
    Raises WorkspaceError where nobody is known yet, or `out` cannot be written.
    """
    if not out.parent.is_dir():
        raise WorkspaceError(f"{out}: the folder {out.parent} does not exist")
    history = History(workspace)
    interactions = history.interactions(list(COLUMNS), until=max(cutoffs))
    if not interactions.num_rows:
        raise WorkspaceError(
            f"no interaction is known before {clock.isoformat(max(cutoffs))}; `tactful ingest FILE` brings some"
        )
    labels = {
        "tactful.catalogue": of(workspace).version,
        "tactful.cutoffs": ",".join(clock.isoformat(cutoff) for cutoff in cutoffs),
        "tactful.history": history.batches()[-1].id,
    }
    return _write(workspace, interactions, cutoffs, out, labels, tick)


def _write(workspace: Workspace, interactions: pa.Table, cutoffs: Sequence[int], out: Path, labels: dict[str, str],
           tick: Callable[[int], object] | None) -> int:  # fmt: skip
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    writer, rows, step = None, 0, 1
    try:
        start = 0
        while start < len(cutoffs):
            some = cutoffs[start : start + step]
            table = compute(interactions, some, of(workspace), workspace.settings).to_arrow()
            if writer is None:
                writer = pq.ParquetWriter(unfinished, table.schema.with_metadata(labels), compression="zstd")
            writer.write_table(table.replace_schema_metadata(labels))
            rows, start = rows + table.num_rows, start + len(some)
            step = max(1, min(len(cutoffs), BLOCK_ROWS // max(1, table.num_rows // len(some))))
            if tick is not None:
                tick(len(some))
        if writer is not None:
            writer.close()
        unfinished.replace(out)
    except OSError as error:
        raise WorkspaceError(f"{out}: cannot be written: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return rows
