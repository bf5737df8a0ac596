"""What a named data set is: files with a known shape and their maps, or tables that come ready as interactions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pyarrow as pa

from features.sources.files import Source
from features.sources.mapping import Map
from features.workspace import WorkspaceError, read_yaml


@dataclass(frozen=True)
class Dataset:
    """A data set by name: either `maps` or `tables` says how it becomes interactions.

    `takes` says what PATH is, "" where there is none to give. `maps(file)` are the maps that read a file, one after
    the other. `tables(path)` yields interactions in the contract's columns, `size(path)` counts them, `channels` are
    the ones they use, and `attributes(path)` are the customers' attributes (features/sources/people.py: PROFILES).
    """

    name: str
    text: str
    takes: str = ""
    maps: Callable[[Source], list[Map]] | None = None
    tables: Callable[[Path | None], Iterator[pa.Table]] | None = None
    size: Callable[[Path | None], int] | None = None
    channels: tuple[str, ...] = ()
    attributes: Callable[[Path | None], pa.Table] | None = None

    def files(self, paths: list[Source]) -> list[Source]:
        """The files or tables to read; a folder stands for the files in it. WorkspaceError where there are none."""
        if not paths:
            raise WorkspaceError(f"the data set {self.name} needs a PATH: {self.takes}")
        found: list[Source] = []
        for path in paths:
            found += _inside(path) if isinstance(path, Path) and path.is_dir() else [path]
        if not found:
            raise WorkspaceError(f"{', '.join(map(str, paths))}: no files in there; {self.name} reads {self.takes}")
        return found


def shipped(name: str) -> Map:
    """A map that comes with the product, from the folder `maps` beside this file."""
    with resources.as_file(resources.files("features.sources") / "maps" / f"{name}.yaml") as path:
        return read_yaml(path, Map)


def _inside(folder: Path) -> list[Path]:
    """Files at any depth, but no hidden ones and no marks such as _SUCCESS."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(f for f in files if not any(part[0] in "._" for part in f.relative_to(folder).parts))
