"""A new workspace: the folder and its commented settings files."""

import json
from importlib import resources
from pathlib import Path

from features.workspace import Workspace, WorkspaceError


def templates(*packages: str) -> dict[str, str]:
    """File name -> text of the YAML templates in the packages' folders `templates`."""
    found: dict[str, str] = {}
    for package in packages:
        folder = resources.files(package) / "templates"
        if folder.is_dir():
            found |= {f.name: f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".yaml")}
    return found


def init_workspace(folder: Path, files: dict[str, str]) -> Workspace:
    """Writes `files` (name -> text; `$name` becomes the folder's name) and opens the workspace.

    Raises WorkspaceError rather than overwrite a workspace; a file of that name that is there already is kept.
    """
    folder = folder.resolve()
    if (folder / "tactful.yaml").exists():
        raise WorkspaceError(f"{folder} is a workspace already (it has a tactful.yaml); nothing was changed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sorted(files.items(), key=lambda item: item[0] == "tactful.yaml"):
            if not (folder / name).exists():
                (folder / name).write_text(text.replace("$name", json.dumps(folder.name)), encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(f"{folder}: cannot be written: {error.strerror}") from None
    return Workspace.open(folder)
