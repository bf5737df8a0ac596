"""What the vocabulary's codes are to a decision, as tables that a packed state is looked up in."""

from collections.abc import Sequence

import numpy as np

from features.kernel.notable import OUTBOUND, PLAIN
from features.vocabulary import Entry

MOST = 1_000  # questions whose answers are kept: policies come and go


class Codes:
    """Of one moment of a vocabulary that grows: `entries[code]`, and `sorts` int64[codes] as in kernel/notable.py."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.entries = entries
        numbers = {channel: i for i, channel in enumerate(sorted({entry[0] for entry in entries}))}
        self.sorts = np.array([_sort(entry, numbers) for entry in entries], np.int64)
        self._inbound: dict[tuple[str | None, str | None, str | None], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def inbound(self, type: str | None, topic: str | None, channel: str | None) -> np.ndarray:
        """bool[codes]: which are inbound and of these, None for any."""
        asked = type, topic, channel
        known = self._inbound.get(asked)
        if known is None:
            if len(self._inbound) >= MOST:
                self._inbound.clear()
            known = self._inbound[asked] = np.array([_fits(entry, *asked) for entry in self.entries], bool)
        return known


def _sort(entry: Entry, channels: dict[str, int]) -> int:
    channel, direction, _, topic = entry
    if direction == "outbound":
        return OUTBOUND
    return channels[channel] if direction == "inbound" and topic is not None else PLAIN


def _fits(entry: Entry, type: str | None, topic: str | None, channel: str | None) -> bool:
    return (
        entry[1] == "inbound"
        and (channel is None or entry[0] == channel)
        and (type is None or entry[2] == type)
        and (topic is None or entry[3] == topic)
    )
