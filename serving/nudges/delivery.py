"""What waits in the outbox and is due: nudges put off are asked again, contacts are handed to the webhooks.

At least once: an entry is done only when a receiver answered well, or when its reservation has lapsed, for nobody may
send it then. A contact that no webhook takes waits for its channel to fetch it.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from features.workspace import Workspace
from serving.engine.waiting import done
from serving.nudges import asking
from serving.nudges.fetching import lapses_at
from serving.nudges.nudger import Nudger
from serving.nudges.webhooks import Receiver, Undelivered, wait
from serving.store.protocol import Outgoing

if TYPE_CHECKING:
    from serving.engine import Engine

#: How much is looked at in one go, and how many calls run at once.
BATCH, AT_ONCE = 200, 8
WAITS = "waits to be fetched"


def receivers(workspace: Workspace) -> list[Receiver]:
    """Raises WorkspaceError where a secret is missing."""
    return [Receiver.of(webhook) for webhook in workspace.settings.webhooks]


async def deliver(engine: "Engine", nudger: Nudger, hooks: Sequence[Receiver]) -> Counter[str]:
    """Works off whatever is due now."""
    total: Counter[str] = Counter()
    gate = asyncio.Semaphore(AT_ONCE)
    while entries := engine.store.outbox_due(engine.clock.now(), BATCH):
        results = await asyncio.gather(*(_one(engine, nudger, hooks, entry, gate) for entry in entries))
        total.update(results)
        if len(entries) < BATCH:
            break
    return total


async def _one(
    engine: "Engine", nudger: Nudger, hooks: Sequence[Receiver], entry: Outgoing, gate: asyncio.Semaphore
) -> str:
    now = engine.clock.now()
    if entry.contact_id is None:
        told = await nudger.resume(entry)
        await done(engine.store.outbox_done([entry.outbox_id], now))
        return told
    expires = lapses_at(engine, entry)
    if expires is None:
        await done(engine.store.outbox_done([entry.outbox_id], now))
        return "lapsed"
    hook = next((hook for hook in hooks if hook.takes(entry.channel)), None)
    if hook is None:
        await done(engine.store.outbox_retry(entry.outbox_id, expires, WAITS))
        return "waiting"
    async with gate:
        try:
            await asyncio.to_thread(hook.call, entry.outbox_id, asking.payload(entry))
        except Undelivered as error:
            later = min(engine.clock.now() + wait(entry.tries + 1), expires)
            await done(engine.store.outbox_retry(entry.outbox_id, later, str(error)))
            return "failed"
    await done(engine.store.outbox_done([entry.outbox_id], engine.clock.now()))
    return "delivered"
