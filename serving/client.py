"""How the command line finds and asks the running service of a workspace."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from features.workspace import Workspace, WorkspaceError
from serving.auth import DEFAULT_SCOPES, SCOPES, hashed, new_key
from serving.store import open_store
from serving.store.protocol import Conflict, Key

#: Under this name the command line makes a key of its own when it first needs one.
OWN_KEY = "command line"


def address_file(workspace: Workspace) -> Path:
    """Where `tactful serve` writes the address it listens on."""
    return workspace.folder / "state" / "service.json"


def write_address(workspace: Workspace, host: str, port: int) -> str:
    """Notes and returns the service's URL."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    url = f"http://{shown}:{port}"
    file = address_file(workspace)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"url": url}) + "\n", encoding="utf-8")
    return url


def address(workspace: Workspace) -> str:
    """The URL that `tactful serve` noted last; its default where it never ran here."""
    try:
        return str(json.loads(address_file(workspace).read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError):
        return "http://127.0.0.1:3000"


def create_key(workspace: Workspace, name: str, scopes: Sequence[str] = DEFAULT_SCOPES) -> str:
    """Stores the hash of a fresh key under `name` and returns the key.

    Raises WorkspaceError where the name is taken or a scope unknown.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise WorkspaceError(f"--scope {scope!r} is none of {', '.join(SCOPES)}")
    key = new_key()
    store = open_store(workspace)
    try:
        store.add_key(Key(name, hashed(key), ",".join(sorted(set(scopes))), workspace.clock().now())).result()
    except Conflict as error:
        raise WorkspaceError(str(error)) from None
    finally:
        store.close()
    return key


def own_key(workspace: Workspace) -> str:
    """$TACTFUL_API_KEY, else the key that the command line keeps for itself, readable by its user alone."""
    if given := os.environ.get("TACTFUL_API_KEY"):
        return given
    file = workspace.folder / "state" / "command-line.key"
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    store = open_store(workspace)
    try:
        store.revoke_key(OWN_KEY, workspace.clock().now()).result()  # its file is gone: nobody can use it
    finally:
        store.close()
    key = create_key(workspace, OWN_KEY, ["admin"])  # whoever runs commands here can read the store itself
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as written:
        written.write(key + "\n")
    return key


def ask(workspace: Workspace, path: str, body: dict[str, Any], url: str | None = None) -> dict[str, Any]:
    """POSTs to the running service; WorkspaceError in one line for whatever goes wrong."""
    where = url or address(workspace)
    headers = {"Authorization": f"Bearer {own_key(workspace)}"}
    try:
        answer = httpx.post(f"{where}{path}", json=body, headers=headers, timeout=15)
    except httpx.HTTPError as error:
        raise WorkspaceError(f"no service answers at {where} ({error}); start it with `tactful serve`") from None
    try:
        content: dict[str, Any] = answer.json()
    except ValueError:
        raise WorkspaceError(
            f"{where} is not a Tactful service: it answered {answer.status_code} without JSON"
        ) from None
    if answer.is_error:
        raise WorkspaceError(f"the service refused: {content.get('detail', answer.status_code)}")
    return content
