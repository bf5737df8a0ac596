"""128-bit fingerprints of rows, the same on every machine and in every version: MD5, vectorised by DuckDB."""

import os
import threading

import duckdb
import numpy as np
import pyarrow as pa

#: Stands for null inside a fingerprint, so that null, '' and a shifted column all differ.
_NULL = "chr(30)"


_local = threading.local()


def fingerprints(table: pa.Table) -> np.ndarray:
    """uint64[2, n], the high and low half of each row's fingerprint over all columns of `table`, cast to text."""
    if table.num_rows == 0:
        return np.empty((2, 0), np.uint64)
    halves = (
        _connection()
        .from_arrow(_renamed(table))
        .project(f"{_row(table.num_columns)} AS row")
        .project("md5_number_upper(row) AS high, md5_number_lower(row) AS low")
        .to_arrow_table()
    )
    return np.stack([halves["high"].to_numpy(), halves["low"].to_numpy()])


def hexadecimal(marks: np.ndarray) -> pa.Array:
    """The first 96 bits of each fingerprint as 24 lower-case hexadecimal digits."""
    words = np.stack([marks[0].astype(">u8"), marks[1].astype(">u8")], axis=1)
    text = words.tobytes().hex()
    return pa.array([text[start : start + 24] for start in range(0, len(text), 32)], pa.string())


def _connection() -> duckdb.DuckDBPyConnection:
    """One for each thread, and a new one after a fork: making one costs more than most uses of it."""
    if getattr(_local, "owner", None) != os.getpid():
        _local.owner, _local.connection = os.getpid(), duckdb.connect()
    return _local.connection


def _renamed(table: pa.Table) -> pa.Table:
    return table.rename_columns([f"c{i}" for i in range(table.num_columns)])


def _row(columns: int) -> str:
    parts = ", ".join(f"coalesce(CAST(c{i} AS VARCHAR), {_NULL})" for i in range(columns))
    return f"concat_ws(chr(31), {parts})"
