"""Where on their journey the customer is: the stages that the workspace's settings make of interaction types."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.clock import DAY
from features.definitions import Feature, Operation, last
from features.kernel.jit import inlined
from features.kernel.sequence import STAGE_BEFORE, STAGE_CHANGES, STAGE_NOW, STAGE_SINCE
from features.kinds.period import Period

if TYPE_CHECKING:
    from features.workspace import Settings


@dataclass(frozen=True)
class Journey(Feature):
    """Common to what is said of the present stage."""

    unit = "stage"
    needs = frozenset({"stages"})
    null = "no interaction of any stage in the last 400 days"

    def operation(self) -> Operation:
        return Operation()


@dataclass(frozen=True)
class JourneyStage(Journey):
    """The stage of the newest interaction that belongs to one."""

    categorical = True

    @property
    def name(self) -> str:
        return "journey_stage"

    @property
    def text(self) -> str:
        return "the stage of the journey that the customer is in"

    def labels_in(self, settings: "Settings") -> tuple[str, ...]:
        return tuple(settings.journey.stages)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        stage = acc.marks[STAGE_NOW]
        return float(stage) if stage >= 0 else np.nan


@dataclass(frozen=True)
class StageBefore(Journey):
    """The stage that the customer was in before the present one."""

    null = "no interaction of another stage in the last 400 days"
    categorical = True

    @property
    def name(self) -> str:
        return "journey_stage_before"

    @property
    def text(self) -> str:
        return "the stage of the journey that the customer was in before"

    def labels_in(self, settings: "Settings") -> tuple[str, ...]:
        return tuple(settings.journey.stages)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        stage = acc.marks[STAGE_BEFORE]
        return float(stage) if stage >= 0 else np.nan


@dataclass(frozen=True)
class DaysInStage(Journey):
    """How long ago the customer entered the present stage, without leaving it since."""

    unit = "days"

    @property
    def name(self) -> str:
        return "journey_stage_days"

    @property
    def text(self) -> str:
        return "days since the customer entered the present stage of the journey"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return (t - acc.marks[STAGE_SINCE]) / DAY if acc.marks[STAGE_NOW] >= 0 else np.nan


@dataclass(frozen=True)
class StageChanges(Period):
    """How often the customer went from one stage to another."""

    unit = "changes"
    needs = frozenset({"stages"})

    @property
    def name(self) -> str:
        return f"journey_changes_{self.days}d"

    @property
    def text(self) -> str:
        return f"how often in {last(self.days)} the customer went to another stage of the journey"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.steps[a, STAGE_CHANGES]
