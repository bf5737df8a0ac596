"""Randomised cap levels: a policy whose customers live under caps of different size, drawn by chance and kept."""

import numpy as np

from features.simulate.actions import TREATMENTS
from features.simulate.policy import SILENCE, Choice, View, drawn
from features.workspace import WorkspaceError

#: Factors on the cap, as `cap_levels` of a contact policy has them; alike many customers each.
LEVELS = (0.5, 1.0, 2.0, 4.0)


class Capped:
    """Contacts at random as `Uniform` does, yet at most `most` x the customer's level in any `window` days.

    Caps that bind let the number of contacts differ by chance alone. It remembers its own contacts: play it from its
    first day on, once.
    """

    name = "capped"

    def __init__(
        self,
        rate: float,
        every: int = 1,
        seed: int = 0,
        most: int = 2,
        window: int = 14,
        levels: tuple[float, ...] = LEVELS,
    ) -> None:
        if not 0.0 <= rate <= 1.0:
            raise WorkspaceError(f"the share {rate!r} of decisions that are contacts is not in 0 to 1")
        if every < 1 or window < 1:
            raise WorkspaceError(f"customers are considered every 1, 2 ... days, not every {every}")
        self.rate, self.every, self.seed, self.most, self.window = rate, every, seed, most, window
        self.levels = np.array(levels, np.float32)
        self._made: list[np.ndarray] = []

    def level(self, customers: int) -> np.ndarray:
        """float32[n]: the factor that each lives under, whichever the day."""
        drawn_level = np.random.default_rng((self.seed, len(TREATMENTS) + 1)).random(customers)
        return np.asarray(self.levels[(drawn_level * len(self.levels)).astype(np.int64)])

    def decide(self, view: View) -> Choice:
        n, reachable, level = view.customers, view.reachable, self.level(view.customers)
        number = reachable.sum(axis=1)
        considered = view.known & ((np.arange(n) + view.day) % self.every == 0)
        recent = np.sum(self._made[-(self.window - 1) :], axis=0) if self.window > 1 and self._made else np.zeros(n)
        free = recent < np.maximum(np.floor(self.most * level), 1)
        rate = np.where(considered & free & (number > 0), self.rate, 0.0)
        distribution = np.zeros((n, len(TREATMENTS) + 1), np.float32)
        np.divide(rate[:, None], number[:, None], out=distribution[:, :-1], where=reachable)
        distribution[:, -1] = 1.0 - rate
        found = drawn(distribution, np.random.default_rng((self.seed, view.day)).random(n))
        self._made = [*self._made[-self.window :], (found.treatment != SILENCE).astype(np.int32)]
        return Choice(found.treatment, found.probability, distribution, considered, level=level)
