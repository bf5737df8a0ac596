"""What was found about touchpoints, as data."""

from typing import Literal

from pydantic import Field

from features.workspace import Section
from training.reports.keep import Artefact

Outcome = Literal["satisfaction", "churn", "value"]
OUTCOMES: tuple[Outcome, ...] = ("satisfaction", "churn", "value")
Quadrant = Literal["improve", "keep", "fine", "watch", "unclear"]


class Share(Section):
    """A mean over a touchpoint's interactions with its 95% interval; errors are by customer."""

    value: float
    low: float
    high: float
    rows: int


class Effect(Section):
    """How an outcome goes with a touchpoint, in the outcome's own unit."""

    verdict: Literal["better", "worse", "undecided", "differed_before", "too_few"]
    reason: str | None = Field(None, description="why there are too few to tell")
    exposed: int = Field(description="rows with the touchpoint")
    rows: int
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = Field(None, description="Holm's, over all touchpoints on this outcome")
    back: float | None = Field(None, description="the same for the touchpoint after the outcome; should be nothing")
    back_low: float | None = None
    back_high: float | None = None
    e_value: float | None = None


class Line(Section):
    """One touchpoint."""

    name: str
    channel: str | None = None
    direction: str | None = None
    type: str | None = None
    topic: str | None = None
    interactions: int
    customers: int
    satisfaction: Share | None = Field(None, description="rated there, or soon after; None with too few ratings")
    rated: Literal["there", "after"] | None = None
    trouble: Share | None = Field(None, description="followed by trouble within a week")
    effects: dict[Outcome, Effect]
    quadrants: dict[Outcome, Quadrant]


class Measured(Section):
    """One outcome over all rows."""

    outcome: Outcome
    rows: int
    customers: int
    average: float
    words: str = Field(description="what was measured, in words")
    sentence: str
    improve: str | None = Field(None, description="the touchpoint to improve first, as this outcome has it")


class Touchpoints(Artefact):
    """All touchpoints, those that most customers have first."""

    kind: Literal["touchpoints"] = "touchpoints"
    title: str = "Touchpoints"
    currency: str
    exposure_days: int
    average_satisfaction: float | None
    average_trouble: float | None
    performance: Literal["satisfaction", "trouble"] = Field(description="how well we do is told by this")
    outcomes: list[Measured]
    touchpoints: list[Line]
    notes: list[str]
