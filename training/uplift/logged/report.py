"""What `train uplift` found, as data: figures unrounded, sentences included."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from features.workspace import Section
from training.evaluate import Interval

Unit = Literal["responses", "money"]
Verdict = Literal["differs by customer", "works", "harms", "cannot be told"]


class GroupFound(Section):
    """A fifth of the later decisions by predicted effect, lowest first."""

    decisions: int
    predicted: float
    effect: Interval


class LearnerLoss(Section):
    """How much lower a learner's doubly robust loss is, of customers it did not learn from, than that of one effect for
    all; a decision. The error is null where nothing varies."""

    learner: str
    gain: float
    standard_error: float | None


class ArmFound(Section):
    """An action (`channel` null: on all its channels) against nothing."""

    action: str
    channel: str | None
    treated: int = Field(description="earlier decisions in which it was made")
    nothing: int = Field(description="earlier ones in which it could have been made, and nothing was")
    later: int = Field(description="later decisions that it was judged on")
    effect: Interval = Field(description="mean over all decisions, each counted by how far both were possible")
    level: float = Field(description="the mean effect that is served: shrunk towards the group and the prior")
    own: float = Field(description="share of the level that is the arm's own estimate")
    prior: float
    learner: str
    losses: list[LearnerLoss] = Field([], description="of every learner that was tried, from the simplest on")
    slope: Interval | None = Field(description="of later scores on predictions; null where they do not vary")
    slope_p: float
    fifths: list[GroupFound]
    share: float = Field(description="share of later decisions in which it is predicted to pay")
    worth_all: Interval = Field(description="gain a decision where all get it, cost paid")
    worth_targeted: Interval = Field(description="the same where those get it for whom it is predicted to pay")
    p_adjusted: float = Field(
        description="that chance alone makes an effect like this, in any that are compared (Holm)"
    )
    verdict: Verdict
    sentence: str


class LoggedUplift(Section):
    """The whole report."""

    schema_version: Literal[1] = 1
    kind: Literal["uplift of logged decisions"] = "uplift of logged decisions"
    created_at: str
    unit: Unit
    headline: str = Field("", description="which actions' effects differ by customer, work, harm, or cannot be told")
    decisions: int
    customers: int
    learned_until: str
    judged_from: str
    judged_until: str
    left_out: dict[str, int] = Field(description="decisions, by why")
    unknown: dict[str, str] = Field(description="actions that nothing was learned of, and why: their prior stays")
    actions: list[ArmFound]
    treatments: list[ArmFound]
    notes: list[str]
    method: list[str]

    def write(self, path: Path) -> None:
        """As JSON, atomically."""
        own = path.with_name(path.name + ".part")
        own.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        own.replace(path)
