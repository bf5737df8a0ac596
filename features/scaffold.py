"""A new workspace: the folder and its commented settings files."""

import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from features.workspace import Workspace, WorkspaceError


def templates(*packages: str) -> dict[str, str]:
    """File name, such as language/en.yaml -> text of the YAML templates in the packages' folders `templates`."""
    found: dict[str, str] = {}
    for package in packages:
        folder = resources.files(package) / "templates"
        if folder.is_dir():
            found |= _in(folder, "")
    return found


def _in(folder: Traversable, path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= _in(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            found[path + entry.name] = entry.read_text(encoding="utf-8")
    return found


def init_workspace(folder: Path, files: dict[str, str]) -> Workspace:
    """Writes `files` (name -> text; `$name` becomes the folder's name) and opens the workspace.

    Raises WorkspaceError rather than overwrite a workspace; a file of that name that is there already is kept.
    """
    folder = folder.resolve()
    try:
        if (folder / "tactful.yaml").exists():
            raise WorkspaceError(f"{folder} is a workspace already (it has a tactful.yaml); nothing was changed")
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sorted(files.items(), key=lambda item: item[0] == "tactful.yaml"):
            if not (folder / name).exists():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text(text.replace("$name", json.dumps(folder.name)), encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(f"{folder}: cannot be written: {error.strerror}") from None
    return Workspace.open(folder)
