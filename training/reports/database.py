"""An in-memory DuckDB that draws no progress bar of its own into a terminal or a page."""

import contextlib

import duckdb


def connect() -> duckdb.DuckDBPyConnection:
    """A connection, to be used in a `with`."""
    database = duckdb.connect()
    # In Jupyter without ipywidgets there is no bar, and being told so raises.
    with contextlib.suppress(duckdb.InvalidInputException):
        database.execute("SET enable_progress_bar = false")
    return database
