"""A customer's own interactions as evidence: looked up in their packed state when an action reveals something."""

from functools import cached_property

import numpy as np

from features.state import Items, State
from serving.decisions.customer import Sighting
from serving.decisions.marks import DECLARED, INFERRED, UNIDENTIFIED
from serving.decisions.profile import Profile
from serving.store.words import Words


class StateSightings:
    """`serving.decisions.customer.Sightings` over one state. Sensitive rows are not in it, so they are never seen."""

    def __init__(self, state: bytes, words: Words, profile: Profile) -> None:
        self._state, self._words, self._marks = state, words, profile.marks

    @cached_property
    def _items(self) -> Items:
        return State.from_bytes(self._state).items

    @cached_property
    def _bits(self) -> dict[int, int]:
        return self._marks.by_order()

    def of(self, type: str | None, topic: str | None, channel: str | None) -> list[Sighting]:
        """Newest first. What may have been marked and forgotten counts as neither identified nor told knowingly."""
        if not self._state:
            return []
        _, entries = self._words.outbound()
        wanted = np.array(
            [
                entry[1] == "inbound"
                and (channel is None or entry[0] == channel)
                and (type is None or entry[2] == type)
                and (topic is None or entry[3] == topic)
                for entry in entries
            ],
            bool,
        )
        return self._seen(np.flatnonzero(wanted[self._items.code])[::-1].tolist())

    def topics(self) -> list[Sighting]:
        """The newest with a topic on each channel, newest first: without a look at the others one by one."""
        if not self._state:
            return []
        where = self._words.topical()[self._items.code][::-1]
        channels, rows = np.unique(where, return_index=True)
        return self._seen(sorted((len(where) - 1 - rows[channels >= 0]).tolist(), reverse=True))

    def _seen(self, rows: list[int]) -> list[Sighting]:
        _, entries = self._words.outbound()
        items, found = self._items, list[Sighting]()
        code = items.code
        for i in rows:
            at, (where, _, what, about) = int(items.at[i]), entries[code[i]]
            unusual = self._bits.get(int(items.id[i]), 0)
            if not unusual and at <= self._marks.horizon:
                unusual = UNIDENTIFIED | INFERRED
            provenance = "inferred" if unusual & INFERRED else "declared" if unusual & DECLARED else "observed"
            found.append(Sighting(at, what, about, where, not unusual & UNIDENTIFIED, provenance))
        return found
