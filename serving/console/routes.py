"""Which page, or which table of one, an address of the console stands for.

Addresses are read as they were sent: what stands in a page's path (a customer's id) may hold a slash, quoted
(serving/console/addresses.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.requests import Request

from serving.auth import CONSOLE
from serving.console import addresses
from serving.console.addresses import CSV
from serving.console.views import VIEWS, View


@dataclass(frozen=True)
class Place:
    """`path` as sent, below the console; `names` what stands in it; `table` whose CSV is asked for, None for the page.

    `template` is the address as metrics and the log know it.
    """

    view: View
    path: str
    names: Mapping[str, str] = field(default_factory=dict)
    table: str | None = None

    @property
    def template(self) -> str:
        return template(self.view, self.table is not None)


def below(request: Request) -> str:
    """The address below the console as it was sent, without the first slash."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return str(raw.partition(b"?")[0].decode("latin-1").removeprefix(CONSOLE).removeprefix("/"))


def find(path: str) -> Place | None:
    """The page at an address below the console, or the table of it; plain addresses before those with names."""
    parts = path.split("/") if path else []
    table = None
    if parts and parts[-1].endswith(CSV):
        table = unquote(parts.pop().removesuffix(CSV))
    for view in sorted(VIEWS, key=lambda each: "{" in each.path):
        names = _names(view.path.split("/") if view.path else [], parts)
        if names is not None:
            return Place(view, "/".join(parts), names, table)
    return None


def templates() -> list[str]:
    """Every address of the console, as metrics and the log know them."""
    own = [CONSOLE, f"{CONSOLE}/sign-in", f"{CONSOLE}/sign-out", f"{CONSOLE}/assets/{{name}}"]
    return own + [template(view, table) for view in VIEWS for table in (False, True)]


def template(view: View, table: bool) -> str:
    return f"{CONSOLE}/{view.path}" + (("/" if view.path else "") + "{table}" + CSV if table else "")


def _names(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    names = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted.startswith("{"):
            if not part:
                return None
            names[wanted.strip("{}")] = addresses.name(part)
        elif wanted != part:
            return None
    return names


def back(address: str) -> str:
    """Where somebody is sent after signing in: an address of the console, else its first page."""
    path, _, query = address.partition("?")
    plain = path == CONSOLE or path.startswith(CONSOLE + "/")
    dotted = any(unquote(part) in (".", "..") for part in path.split("/"))
    odd = any(not 32 < ord(letter) < 127 or letter in "\\#" for letter in address)
    if not plain or dotted or odd or len(address) > 2_000 or path.startswith((f"{CONSOLE}/sign-", f"{CONSOLE}/assets")):
        return f"{CONSOLE}/"
    return path + (f"?{query}" if query else "")
