"""Volumes to the most valuable first: who is worth least makes room, whenever they came.

Customers propose to the action that was drawn for them; an action that is full lets go of the one worth least, who is
decided about again without it (deferred acceptance: Gale and Shapley 1962). What is left does not depend on the order.
"""

import heapq
from collections.abc import Callable, Mapping


class Allocation:
    """`room(action)` is asked once, when an action is first proposed to: how many it can take."""

    def __init__(self, room: Callable[[str], int]) -> None:
        self._room = room
        self.granted: dict[str, int] = {}
        self._held: dict[str, list[tuple[float, str]]] = {}

    def propose(self, action: str, customer_id: str, worth: float) -> str | None:
        """Who has to go elsewhere, if anyone: the customer worth least of those who propose."""
        if action not in self.granted:
            self.granted[action] = self._room(action)
        held = self._held.setdefault(action, [])
        heapq.heappush(held, (worth, customer_id))
        return heapq.heappop(held)[1] if len(held) > self.granted[action] else None

    def winners(self) -> Mapping[str, list[str]]:
        """By action, the most valuable first."""
        return {action: [who for _, who in sorted(held, reverse=True)] for action, held in self._held.items()}
