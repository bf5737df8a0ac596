"""What was found about written journeys, as data. Counts of what happened, not estimates: they have no intervals."""

from typing import Literal

from pydantic import Field

from features.workspace import Section
from training.reports.keep import Artefact

Kind = Literal["skipped", "backwards", "repeated", "out_of_order", "late"]


class StageLine(Section):
    """One stage on the way, over finished passages."""

    name: str
    optional: bool
    within: str | None
    came: int = Field(description="passages that came this far, or further")
    entered: int = Field(description="of these, passages that were in the stage itself")
    stopped: int = Field(description="of these that came, those that went no further")
    under_way: int = Field(description="open passages that came just this far")
    typical_seconds: float | None = Field(description="median time from entering it to a later stage")
    slow_seconds: float | None = Field(description="nine of ten were quicker")
    satisfaction: float | None = Field(description="mean of what was rated in the stage, 0 to 1")
    rated: int


class Deviation(Section):
    """Finished passages that left the way in one manner, at one stage."""

    kind: Kind
    stage: str
    passages: int


class Month(Section):
    """Passages by the month in which they began (UTC)."""

    month: str
    finished: int
    open: int
    reached: int
    as_written: int


class Earlier(Section):
    """What an earlier version of the journey came to, when it was last looked at."""

    version: int
    fingerprint: str
    created_at: str
    finished: int
    reached: int
    as_written: int


class Checked(Section):
    """One written journey."""

    name: str
    version: int
    fingerprint: str
    text: str | None
    customer_stage: bool
    goal: str
    pause: str
    customers: int
    passages: int
    open: int
    finished: int
    reached: int
    as_written: int = Field(description="of those that reached the goal: no deviation of any kind")
    stages: list[StageLine]
    deviations: list[Deviation] = Field(description="the most frequent first")
    months: list[Month]
    earlier: list[Earlier] = Field([], description="other versions, the newest first")
    unversioned: bool = Field(False, description="what is counted changed, and the version did not")
    sentence: str


class Conformance(Artefact):
    """All written journeys."""

    kind: Literal["conformance"] = "conformance"
    title: str = "Journeys as written"
    journeys: list[Checked]
    notes: list[str] = Field(default_factory=list, description="what else the reader must know")
