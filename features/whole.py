"""Files that appear whole or not at all, also where two processes write the same one at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file of this process's own beside `path` to write to; it takes the place of `path` once the block is done."""
    own = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield own
        own.replace(path)
    finally:
        own.unlink(missing_ok=True)
