"""The file that an outbound job works from: a line a customer, as it is decided; whole or not at all."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from features.workspace import WorkspaceError

SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("decision_id", pa.string()),
        ("action", pa.string()),
        ("channel", pa.string()),
        ("contact_id", pa.string()),
        ("expires_at", pa.string()),
        ("expected_value", pa.float64()),
        ("arm", pa.string()),
        ("deferred_to", pa.string()),
        ("reason", pa.string()),
    ]
)


class Answer(Protocol):
    def row(self) -> dict[str, Any]:
        """In the columns of SCHEMA; an action of none is silence."""


def write(answers: Iterable[Sequence[Answer]], target: Path) -> None:
    """CSV where the name says so, else Parquet. Raises WorkspaceError where it cannot be written."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    make = csv.CSVWriter if target.suffix.lower() == ".csv" else pq.ParquetWriter
    try:
        with make(str(part), SCHEMA) as writer:
            for piece in answers:
                writer.write_table(pa.Table.from_pylist([answer.row() for answer in piece], SCHEMA))
        part.replace(target)
    except OSError as error:
        raise WorkspaceError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
