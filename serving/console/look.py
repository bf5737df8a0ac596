"""What a live page is given to look with: the running service, the workspace, and who is looking."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from features.clock import Clock
from features.workspace import Workspace

if TYPE_CHECKING:
    from serving.engine import Engine

T = TypeVar("T")
#: The page of a single customer.
ONE = "customers/{customer}"
log = logging.getLogger("tactful.looks")


def here(work: Callable[..., T], *arguments: Any) -> T:
    """In this thread."""
    return work(*arguments)


@dataclass(frozen=True)
class Look:
    """`who` is the name of the key that is signed in, `scopes` what it may do.

    `aside` runs what takes a while beside the event loop, among other pages and within their bound; from there `away`
    calls what is pure and slow, in another process where there is one.
    """

    engine: "Engine"
    who: str
    scopes: frozenset[str]
    aside: Callable[..., Awaitable[Any]] = asyncio.to_thread
    away: Callable[..., Any] = here

    @property
    def workspace(self) -> Workspace:
        return self.engine.workspace

    @property
    def reports(self) -> Path:
        """The folder of the artefacts."""
        return self.workspace.reports

    async def looked(self, customer_id: str) -> None:
        """Keeps that a customer was looked at, by whom and when, before anything of them is shown.

        The store keeps the id, for `tactful privacy export`; the log has a hash of it. Raises Problem where the store
        cannot write: nobody looks unseen.
        """
        await self._kept([customer_id], ONE)
        digest = hashlib.sha256(customer_id.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        log.info("%r looked at customer %s", self.who, digest)

    async def listed(self, customer_ids: Sequence[str], page: str) -> None:
        """The same of everybody whom a list of customers names, on a page of the console."""
        await self._kept(customer_ids, page)
        log.info("%r was shown a list of %d customers on /%s", self.who, len(customer_ids), page)

    async def hidden(self, customer_ids: Sequence[str]) -> frozenset[str]:
        """Those of them whose data are only to be stored: no list shows them either (`views.customer`)."""
        return frozenset(await self.aside(self._restricted, customer_ids))

    def _restricted(self, customer_ids: Sequence[str]) -> list[str]:
        found = self.engine.store.read_many(customer_ids)
        return [each for each, read in zip(customer_ids, found, strict=True) if read.customer.restricted]

    async def _kept(self, customer_ids: Sequence[str], page: str) -> None:
        await self.engine.written(self.engine.store.looked(self.who, customer_ids, page, Clock().now()))
