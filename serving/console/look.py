"""What a live page looks with: the engine, the reports that were written, who looks, and the log of looks at people."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features import clock
from features.workspace import Workspace
from serving.engine.waiting import available, done

if TYPE_CHECKING:
    from serving.engine import Engine

#: Looks at customers: who and when, and a hash in place of the customer's id, which no log line at INFO has.
log = logging.getLogger("tactful.looks")


@dataclass(frozen=True)
class Look:
    """`key` is the name of the key that somebody signed in with, `scopes` what it may do."""

    engine: "Engine"
    key: str
    scopes: frozenset[str]

    @property
    def workspace(self) -> Workspace:
        return self.engine.workspace

    @property
    def reports(self) -> Path:
        """Where the artefacts are."""
        return self.workspace.reports

    @property
    def mlflow(self) -> str | None:
        """Where people can open MLflow; None where it is a local database, which `mlflow ui` shows."""
        uri = self.workspace.tracking_uri
        return uri if uri.startswith(("http://", "https://")) else None

    def now(self) -> int:
        """By the workspace's clock, in microseconds."""
        return self.engine.clock.now()

    def artefact(self, kind: str) -> Mapping[str, Any] | None:
        """A report's figures, None where there are none that can be read."""
        try:
            found = json.loads((self.reports / f"{kind}.json").read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    async def at(self, customer_id: str) -> None:
        """Logs that somebody looks at a customer, before anything is shown: durably in the store, hashed in the log."""
        hidden = hashlib.sha256(customer_id.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        log.info("key %r looked at customer #%s", self.key, hidden)
        with available():
            noted = self.engine.store.looked(self.key, customer_id, clock.Clock().now())
        await done(noted)

    async def aside(self, ask: Any, *arguments: Any) -> Any:
        """What a question finds, beside the event loop, so that no decision waits for a page."""
        with available():
            return await asyncio.to_thread(ask, *arguments)
