"""Retention: what is older than the settings say is deleted from the store's logs, history and quarantine."""

import time

from features import clock
from features.forgetting import expire_history, expire_quarantine
from features.tombstones import alone
from features.workspace import Workspace
from serving.store.protocol import Log, Store

#: Which logs the words of the settings mean.
MEANT: dict[str, tuple[Log, ...]] = {"interactions": ("interactions",), "decisions": ("decisions", "contacts")}


def retain(workspace: Workspace, store: Store, now: int) -> dict[str, int]:
    """What was deleted: rows of the store's logs that history had already, whole days of history, quarantine's files.

    Ages are by the workspace's clock; quarantine's by when its files were written. States keep their 400 days.
    """
    settings = workspace.settings.retention
    before: dict[Log, int] = {}
    for kind, logs in MEANT.items():
        if (days := settings.days(kind)) is not None:
            before |= dict.fromkeys(logs, now - days * clock.DAY)
    gone: dict[str, int] = {}
    with alone(workspace):
        if before:
            gone |= {f"store {log}": rows for log, rows in store.expire_logs(before).result().items()}
            found = expire_history(workspace, {str(log): instant for log, instant in before.items()})
            gone |= {f"history {log} (files)": files for log, files in found.items()}
        if (days := settings.days("quarantine")) is not None:
            system = time.time_ns() // 1_000
            gone["quarantine (files)"] = expire_quarantine(workspace, system - days * clock.DAY)
    return {kind: number for kind, number in gone.items() if number}
