"""A customer's own interactions as evidence: looked up in their packed state when an action reveals something."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from features.state import State
from serving.decisions.customer import Sighting
from serving.decisions.marks import DECLARED, INFERRED, UNIDENTIFIED
from serving.decisions.profile import Profile
from serving.store.codes import Codes
from serving.store.touches import UNSIGNED


class StateSightings:
    """`serving.decisions.customer.Sightings` over one state. Sensitive rows are not in it, so they are never seen.

    `topical` are (at, code, hash of interaction_id) of the newest with a topic on each channel, newest first.
    """

    def __init__(self, state: State, topical: Sequence[Sequence[int]], codes: Codes, profile: Profile) -> None:
        self._state, self._topical, self._codes, self._marks = state, topical, codes, profile.marks

    @cached_property
    def _bits(self) -> dict[int, int]:
        return self._marks.by_order()

    def of(self, type: str | None, topic: str | None, channel: str | None) -> list[Sighting]:
        """Newest first. What may have been marked and forgotten counts as neither identified nor told knowingly."""
        items = self._state.items
        code = items.code
        rows = np.flatnonzero(self._codes.inbound(type, topic, channel)[code])[::-1]
        return self._seen(zip(items.at[rows].tolist(), code[rows].tolist(), items.id[rows].tolist(), strict=True))

    def topics(self) -> list[Sighting]:
        """The newest with a topic on each channel, newest first: without a look at the others one by one."""
        return self._seen(self._topical)

    def _seen(self, rows: Iterable[Sequence[int]]) -> list[Sighting]:
        entries, bits, horizon = self._codes.entries, self._bits, self._marks.horizon
        found: list[Sighting] = []
        for at, code, order in rows:
            where, _, what, about = entries[code]
            unusual = bits.get(order & UNSIGNED, 0) if bits else 0
            if not unusual and at > horizon:
                found.append(Sighting(at, what, about, where, True, "observed"))
                continue
            unusual = unusual or UNIDENTIFIED | INFERRED
            provenance = "inferred" if unusual & INFERRED else "declared" if unusual & DECLARED else "observed"
            found.append(Sighting(at, what, about, where, not unusual & UNIDENTIFIED, provenance))
        return found
