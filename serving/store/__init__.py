"""Where live decisions, contacts and interactions are kept, so that what was acknowledged is on disk.

A contact goes reserved (by a decision, until it expires) -> claimed (the channel asks once more just before it sends)
-> sent or failed. A customer is read with their `version`, judged in plain Python, and committed by compare-and-swap on
that version; whoever loses the race reads and judges again. No lock is held while Python thinks.
"""

from features.catalogue import of
from features.kernel.compiled import sensitive_topics
from features.workspace import Workspace, WorkspaceError
from serving.store.protocol import Store
from serving.store.schema import WrongFile
from serving.store.sqlite import SqliteStore

__all__ = ["SqliteStore", "Store", "open_store"]


def open_store(workspace: Workspace) -> Store:
    """The store that tactful.yaml names, created where it is missing. Raises WorkspaceError where it cannot be used."""
    try:
        settings = workspace.settings
        names = lambda: of(workspace).attributes  # noqa: E731  asked late: a catalogue takes its time to load
        return SqliteStore(workspace.store_path, sensitive_topics(settings), names, settings.identity.kinds)
    except (WrongFile, OSError) as error:
        raise WorkspaceError(f"store.url in {workspace.folder / 'tactful.yaml'}: {error}") from None
