"""Processes take turns at writing, first come first served.

SQLite's own lock is polled with growing pauses, which starves a waiter for seconds when eight processes compete. A file
lock queues them in the kernel, and is released when its holder dies.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: SQLite's own lock, with its busy timeout, is all there is
    fcntl = None  # type: ignore[assignment]


class Turns:
    """A lock file beside the store's; one instance a thread that writes."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    @contextmanager
    def taken(self) -> Iterator[None]:
        if fcntl is None:
            yield
            return
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._file)
