"""128-bit fingerprints of rows, the same on every machine and in every version: MD5, vectorised by DuckDB."""

import atexit
import os
import threading

import duckdb
import numpy as np
import pyarrow as pa

#: Stands for null inside a fingerprint, so that null, '' and a shifted column all differ.
_NULL = "chr(30)"


_local = threading.local()
atexit.register(_local.__dict__.clear)  # DuckDB reports what outlives the interpreter


def fingerprints(table: pa.Table) -> np.ndarray:
    """uint64[2, n], the high and low half of each row's fingerprint over all columns of `table`, cast to text."""
    if table.num_rows == 0:
        return np.empty((2, 0), np.uint64)
    rows = _connection().from_arrow(_renamed(table)).project(f"md5({_row(table.num_columns)}) AS digits")
    digits = rows.to_arrow_table()["digits"].combine_chunks()
    if isinstance(digits, pa.ChunkedArray):  # text of over 2 GB stays in pieces
        return np.concatenate([_halves(chunk) for chunk in digits.chunks], axis=1)
    return _halves(digits)


def hexadecimal(marks: np.ndarray) -> pa.Array:
    """The first 96 bits of each fingerprint as 24 lower-case hexadecimal digits."""
    text = marks.T.astype(">u8").tobytes().hex()
    return pa.array([text[start : start + 24] for start in range(0, len(text), 32)], pa.string())


def _halves(digits: pa.Array) -> np.ndarray:
    """uint64[2, n] of n texts of 32 hexadecimal digits each."""
    start = digits.offset * 32
    text = digits.buffers()[2][start : start + 32 * len(digits)].to_pybytes()
    return np.ascontiguousarray(np.frombuffer(bytes.fromhex(text.decode()), ">u8").astype(np.uint64).reshape(-1, 2).T)


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
