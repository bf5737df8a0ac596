"""What steps are called, and which of them are shown by name: the ones taken most, the others together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.journeys.layout import Step

#: A name from the data is shown up to this length.
LONGEST = 40
OTHER = "other"


def key(step: Step) -> str:
    """How an address names a step."""
    return "|".join((step.type, step.channel, step.direction))


def called(steps: Sequence[Step]) -> list[str]:
    """ "page view, web"; our own contacts say so where customers do the same thing on the same channel."""
    both = {(step.type, step.channel) for step in steps if step.direction == "inbound"}
    both &= {(step.type, step.channel) for step in steps if step.direction != "inbound"}
    names = []
    for step in steps:
        name = f"{_words(step.type)}, {_words(step.channel)}"
        ours = step.direction != "inbound" and (step.type, step.channel) in both
        names.append(f"{name} (ours)" if ours else name)
    return names


@dataclass(frozen=True)
class Shown:
    """`place` int32[steps]: a step's position among those shown, `other` for all that are not."""

    place: np.ndarray
    codes: tuple[int, ...]
    names: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def other(self) -> int:
        return len(self.codes)


def shown(steps: Sequence[Step], counts: np.ndarray, most: int) -> Shown:
    """The `most` steps with the highest counts, in that order; those never taken are no step."""
    keys, names = [key(step) for step in steps], called(steps)
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda code: (-counts[code], keys[code]))[:most]
    place = np.full(len(steps), len(order), np.int32)
    place[order] = np.arange(len(order))
    return Shown(
        place, tuple(order), (*(names[code] for code in order), OTHER), (*(keys[code] for code in order), OTHER)
    )


def _words(name: str) -> str:
    plain = name.replace("_", " ").strip() or "unnamed"
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1].rstrip() + "…"
