"""What steps are called, and which of them are shown by name: the ones taken most, the others together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.journeys.layout import Step
from features.step_words import step_names

OTHER = "other"


def key(step: Step) -> str:
    """How an address names a step."""
    return "|".join((step.type, step.channel, step.direction))


def called(steps: Sequence[Step]) -> list[str]:
    """ "page view on the web"."""
    return step_names([(step.type, step.channel, step.direction) for step in steps])


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
