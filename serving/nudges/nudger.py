"""Looks for occasions: of customers who just did something, and by the timer of all of them, and asks for decisions."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from serving.decisions.guard.calendar import zone
from serving.decisions.policy import Action, Playbook
from serving.decisions.triggers import Lexicon, Occasion, Seen, due, occasion
from serving.nudges.asking import Nudge, ask
from serving.problems import Problem
from serving.store.protocol import Outgoing

if TYPE_CHECKING:
    from serving.engine import Engine

#: How many customers may wait for a look; the timer finds those that were not let in.
WAITING = 10_000
PAGE = 1_000
log = logging.getLogger("tactful.nudges")


class Nudger:
    """One engine's. `arrived` is told of customers, `sweep` goes through all of them, `resume` takes up what waits."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self._waiting: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._book: tuple[Playbook | None, list[Action]] = (None, [])
        self._lexicon: Lexicon | None = None

    def actions(self) -> list[Action]:
        """Those with a trigger, of the policy in use."""
        if self._book[0] is not self.engine.playbook:
            book = self.engine.playbook
            self._book = book, [action for action in book.actions.actions if action.trigger is not None]
        return self._book[1]

    def arrived(self, customer_ids: Iterable[str]) -> None:
        """Something happened to these customers; they are looked at soon, behind the answer to who told us."""
        if not self.actions():
            return
        for customer_id in customer_ids:
            if len(self._waiting) < WAITING:
                self._waiting[customer_id] = None
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def settled(self) -> None:
        """Returns once everyone who arrived was looked at."""
        while self._task is not None and not self._task.done():
            await self._task

    def stop(self) -> None:
        """Looks at nobody any more."""
        self._waiting.clear()

    async def consider(self, customer_id: str) -> Counter[str]:
        """Asks about every action whose trigger is due for one customer."""
        done: Counter[str] = Counter()
        actions = self.actions()
        if not actions:
            return done
        read = self.engine.read(customer_id)
        now = read.customer.now(self.engine.clock.now())
        seen = self._seen(read.customer.attributes(now), read.state, now)
        for action in actions:
            if (found := self._due(action, read.customer.customer_id, seen, now)) is not None:
                nudge = Nudge(read.customer.customer_id, action.name, _kind(action), found.at)
                result = await ask(self.engine, nudge, action)
                done[result.told] += result.fresh
        return done

    async def sweep(self) -> Counter[str]:
        """Considers everyone, a page at a time."""
        total: Counter[str] = Counter()
        after = ""
        while self.actions() and (page := self.engine.store.candidates_for_nudge(after, PAGE)):
            for customer_id in page:
                total += await self.consider(customer_id)
                await asyncio.sleep(0)
            total["customers"] += len(page)
            after = page[-1]
        return total

    async def resume(self, entry: Outgoing) -> str:
        """Asks again about a nudge that was put off, where its occasion still stands; then that entry is done."""
        nudge = Nudge.of(entry)
        action = self.engine.playbook.actions.by_name.get(nudge.action)
        if action is None or action.trigger is None or not self._stands(nudge, action):
            return "lapsed"
        return (await ask(self.engine, nudge, action)).told

    def _stands(self, nudge: Nudge, action: Action) -> bool:
        """Still the same basket, unpaid; still in that stage; the date not over. Waiting does not make it stale."""
        read = self.engine.read(nudge.customer_id)
        now = read.customer.now(self.engine.clock.now())
        seen = self._seen(read.customer.attributes(now), read.state, now)
        assert action.trigger is not None
        found = occasion(action.trigger, seen, now)
        if found is None or found.at != nudge.occasion:
            return False
        return action.trigger.date is None or found.open(now)

    def _due(self, action: Action, customer_id: str, seen: Seen, now: int) -> Occasion | None:
        assert action.trigger is not None
        found = occasion(action.trigger, seen, now)
        if found is None or not found.open(now):  # before the store is asked
            return None
        last = self.engine.store.nudged(customer_id, action.name)
        return found if due(found, last, action.trigger.gap, now) else None

    def _seen(self, attributes: Any, state: bytes, now: int) -> Seen:
        vocabulary = self.engine.store.vocabulary()
        if self._lexicon is None or len(self._lexicon.entries) != len(vocabulary):
            self._lexicon = Lexicon(vocabulary.entries, self.engine.workspace.settings.journey.stages)
        home: tzinfo = zone(attributes.get("time_zone")) or self.engine.playbook.policy.company_zone
        return Seen.of(state, self._lexicon, attributes, home, now)

    async def _work(self) -> None:
        while self._waiting:
            customer_id = next(iter(self._waiting))
            del self._waiting[customer_id]
            try:
                await self.consider(customer_id)
            except Problem as problem:  # not ready, the store is away: the timer comes by again
                log.warning("a nudge was not asked for: %s", problem.detail)
            except Exception:
                log.exception("a nudge failed; the timer comes by again")
            await asyncio.sleep(0)


def _kind(action: Action) -> str:
    return action.trigger.kind if action.trigger is not None else ""
