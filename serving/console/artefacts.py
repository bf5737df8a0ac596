"""Report artefacts as pages read them: parsed once, again when the file changes, and told apart where unusable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Stamp = tuple[int, int, int]


@dataclass(eq=False)
class Unusable(Exception):
    """There is no artefact that a page could show. `why` is a sentence, `kind` what `tactful report KIND` writes."""

    kind: str
    title: str
    why: str


class Artefacts:
    """The newest artefact of each kind. Safe to ask from several threads: what is found stays as it is."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[Stamp, Mapping[str, Any]]] = {}

    def read(self, folder: Path, kind: str, schema: int) -> Mapping[str, Any]:
        """Of the `schema_version` asked for. Raises Unusable."""
        path = folder / f"{kind}.json"
        try:
            seen = path.stat()
            stamp = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
            kept = self._kept.get(path)
            if kept is not None and kept[0] == stamp:
                return kept[1]
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise Unusable(kind, "No report yet", "Nobody has made this report in this workspace yet.") from None
        except (OSError, ValueError):
            raise _damaged(kind) from None
        if not isinstance(found, dict) or found.get("kind") != kind:
            raise _damaged(kind)
        if found.get("schema_version") != schema:
            why = (
                f"The report was written by another version of Tactful (schema {found.get('schema_version')!r}, "
                f"this page reads {schema})."
            )
            raise Unusable(kind, "The report is of another version", why)
        self._kept[path] = (stamp, found)
        return found


def _damaged(kind: str) -> Unusable:
    return Unusable(kind, "The report cannot be read", "Its file is damaged, or is no report of this kind.")
