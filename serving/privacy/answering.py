"""Privacy over HTTP: the store at once, files behind the answer."""

import asyncio
import logging
from typing import TYPE_CHECKING

from serving.engine.waiting import Answer, available
from serving.privacy import erasing, exporting, restricting

if TYPE_CHECKING:
    from serving.engine import Engine

#: Seconds that an answer waits for the files; what takes longer goes on behind it.
PATIENCE = 1.0
log = logging.getLogger("tactful.privacy")


async def export(engine: "Engine", customer_id: str) -> Answer:
    """Everything, as plain rows."""
    with available():
        return await asyncio.to_thread(exporting.export, engine.workspace, engine.store, customer_id)


async def erase(engine: "Engine", customer_id: str) -> Answer:
    """On return nothing is known of the person any more, and nothing is taken in again. `finished` says whether the
    files are done, too; an interruption is taken up by the next `tactful sync`."""
    now = engine.clock.now()
    with available():
        begun = await asyncio.to_thread(erasing.begin, engine.workspace, engine.store, [customer_id], now)
    task = asyncio.create_task(asyncio.to_thread(erasing.finish, engine.workspace, engine.store, now))
    task.add_done_callback(_told)
    finished, _ = await asyncio.wait({task}, timeout=PATIENCE)
    if not finished:
        return {"ids": begun.ids, "rows": begun.rows, "left": [], "finished": False}
    with available():
        rest = task.result()
    return {"ids": begun.ids, "rows": begun.rows | rest.rows, "left": list(rest.left), "finished": True}


async def restrict(engine: "Engine", customer_id: str, restricted: bool) -> Answer:
    """For the person, from the next decision and the next claim on."""
    now = engine.clock.now()
    with available():
        await asyncio.to_thread(restricting.restrict, engine.workspace, engine.store, customer_id, restricted, now)
    return {"customer_id": customer_id, "restricted": restricted}


def _told(task: "asyncio.Task[erasing.Erased]") -> None:
    """Nobody may be left to hear what went wrong."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("an erasure could not be finished, `tactful sync` takes it up: %s", type(error).__name__)
