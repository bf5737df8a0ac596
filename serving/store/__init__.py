"""Where live decisions, contacts and interactions are kept, so that what was acknowledged is on disk.

A contact goes reserved (by a decision, until it expires) -> claimed (the channel asks once more just before it sends)
-> sent or failed. A customer is read with their `version`, judged in plain Python, and committed by compare-and-swap on
that version; whoever loses the race reads and judges again. No lock is held while Python thinks.
"""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from features.catalogue import of
from features.sensitive import sensitive_topics
from features.workspace import Identity, Workspace, WorkspaceError
from serving.store.protocol import Store, Unavailable
from serving.store.schema import WrongFile
from serving.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from serving.store.postgres import PostgresStore

__all__ = ["SqliteStore", "Store", "open_store", "open_url"]


def open_store(workspace: Workspace) -> Store:
    """The store that tactful.yaml names, created where it is missing. Raises WorkspaceError where it cannot be used."""
    try:
        settings = workspace.settings
        names = lambda: of(workspace).attributes  # noqa: E731  asked late: a catalogue takes its time to load
        return open_url(workspace.store_url, sensitive_topics(settings), names, settings.identity.kinds)
    except (WrongFile, OSError, Unavailable) as error:
        raise WorkspaceError(f"store.url in {workspace.folder / 'tactful.yaml'}: {error}") from None


def open_url(
    url: str,
    sensitive: Collection[str] = (),
    attributes: Callable[[], Collection[str]] = tuple,
    kinds: Mapping[str, str] = Identity().kinds,
) -> "SqliteStore | PostgresStore":
    """`sqlite:///PATH` or `postgresql://...`. Raises WrongFile, OSError, Unavailable."""
    arguments: tuple[Any, ...] = (sensitive, attributes, kinds)
    if url.startswith("sqlite:///"):
        return SqliteStore(url.removeprefix("sqlite:///"), *arguments)
    from serving.store.postgres import PostgresStore  # psycopg takes its time to load

    return PostgresStore(url, *arguments)
