"""Limits that span customers: an action's volume of a day is leased in small lots, so that all processes share it."""

from collections.abc import Iterable
from datetime import datetime
from time import monotonic

from serving.decisions.decision import Decision
from serving.decisions.policy import Action, Playbook
from serving.engine.waiting import done
from serving.store.protocol import Store

#: The most that one process leases ahead; what it has not used when it dies is lost for that day.
LOT = 20
#: Seconds for which a volume counts as given out before it is asked for again.
AGAIN = 5.0
Quota = tuple[str, str]  # action, day


class Volumes:
    """What this process holds of each day's volume. Instants in microseconds; days are the company's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left: dict[Quota, int] = {}
        self._spent: dict[Quota, float] = {}  # until when it counts as given out: others may give some of it back

    def spent(self, playbook: Playbook, now: int) -> frozenset[str]:
        """Actions that are known to be given out today: asked about every AGAIN seconds."""
        if not self._spent:
            return frozenset()
        day, moment = day_of(playbook, now), monotonic()
        return frozenset(action for (action, of), until in self._spent.items() if of == day and moment < until)

    async def take(self, decision: Decision, playbook: Playbook) -> bool:
        """One of each volume that the decision's reservations need, or none at all where one of them is given out."""
        if not (wanted := limited(decision)):
            return True
        day, taken = day_of(playbook, decision.at), list[Action]()
        for action in wanted:
            if not await self._one(action, day):
                self._give((each.name for each in taken), day)
                return False
            taken.append(action)
        return True

    def give_back(self, decision: Decision, playbook: Playbook) -> None:
        """What was taken for a decision that did not come about."""
        self._give((action.name for action in limited(decision)), day_of(playbook, decision.at))

    def close(self) -> None:
        """Gives back what was leased ahead."""
        for (action, day), left in self._left.items():
            if left:
                self._store.unlease(action, day, left)
        self._left.clear()

    async def _one(self, action: Action, day: str) -> bool:
        quota, most = (action.name, day), action.volume or 0
        if not self._left.get(quota):
            if monotonic() < self._spent.get(quota, 0.0):
                return False
            granted = await done(self._store.lease(action.name, day, max(1, min(LOT, most // 100)), most))
            self._left[quota] = self._left.get(quota, 0) + granted  # others may have leased while we waited
            if not self._left[quota]:
                self._forget(day)
                self._spent[quota] = monotonic() + AGAIN
                return False
        self._left[quota] -= 1
        return True

    def _give(self, actions: Iterable[str], day: str) -> None:
        for action in actions:
            self._left[action, day] = self._left.get((action, day), 0) + 1
            self._spent.pop((action, day), None)

    def _forget(self, day: str) -> None:
        """Other days' marks: none of them comes again."""
        self._spent = {quota: until for quota, until in self._spent.items() if quota[1] >= day}
        self._left = {quota: left for quota, left in self._left.items() if left or quota[1] >= day}


def limited(decision: Decision) -> list[Action]:
    """The actions with a volume that a decision reserves contacts for."""
    return [
        slot.chosen.action
        for slot in decision.slots
        if slot.chosen is not None and slot.contact is not None and slot.chosen.action.volume is not None
    ]


def day_of(playbook: Playbook, now: int) -> str:
    """The company's day, as 2026-05-04."""
    return datetime.fromtimestamp(now // 1_000_000, playbook.policy.company_zone).date().isoformat()
