"""What a live page is given to look with: the running service, the workspace, and who is looking."""

import hashlib
import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.clock import Clock
from features.workspace import Workspace

if TYPE_CHECKING:
    from serving.engine import Engine

log = logging.getLogger("tactful.looks")


@dataclass(frozen=True)
class Look:
    """`who` is the name of the key that is signed in, `scopes` what it may do."""

    engine: "Engine"
    who: str
    scopes: frozenset[str]

    @property
    def workspace(self) -> Workspace:
        return self.engine.workspace

    @property
    def reports(self) -> Path:
        """The folder of the artefacts."""
        return self.workspace.reports

    @property
    def mlflow(self) -> str | None:
        """Where MLflow's pages are; None where it is only a database."""
        uri = self.workspace.tracking_uri
        return uri.rstrip("/") if uri.startswith(("http://", "https://")) else None

    def may(self, scopes: Collection[str]) -> bool:
        """Whether whoever looks has one of the scopes."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)

    async def looked(self, customer_id: str) -> None:
        """Keeps that a customer was looked at, by whom and when, before anything of them is shown.

        The store keeps the id, for `tactful privacy export`; the log has a hash of it. Raises Problem where the store
        cannot write: nobody looks unseen.
        """
        await self.engine.written(self.engine.store.looked(self.who, customer_id, Clock().now()))
        digest = hashlib.sha256(customer_id.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        log.info("%r looked at customer %s", self.who, digest)
