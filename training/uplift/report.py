"""What `uplift fit` found, as data: figures unrounded, sentences included, None where something is not known."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from features.whole import whole
from features.workspace import Section
from training.evaluate import Interval

Verdict = Literal["treat all", "treat none", "target", "too few"]


class GroupEffect(Section):
    """A fifth or tenth of the customers by predicted effect, lowest first."""

    customers: int
    predicted: float
    effect: Interval


class LearnerLoss(Section):
    """How much lower a learner's doubly robust loss is than that of one effect for all."""

    learner: str
    gain: float
    standard_error: float


class ArmFound(Section):
    """One arm against control. Qini and AUUC are None where assignment was not random: they would mislead. `effect` is
    None where customers are too few to tell it: no rule and no model has the arm then."""

    arm: str
    customers: int
    effect: Interval | None
    too_few: str | None = Field(None, description="why, and what is needed")
    learner: str
    losses: list[LearnerLoss]
    heterogeneity_shown: bool
    test_p: float = Field(description="best linear predictor, one-sided")
    gain_p: float = Field(description="best learner against one effect for all, Bonferroni")
    calibration_slope: Interval | None = Field(None, description="of the chosen learner; None where it never varies")
    fifths: list[GroupEffect]
    tenths: list[GroupEffect]
    qini: Interval | None = None
    auuc: Interval | None = None
    sentence: str


class RuleValue(Section):
    """A rule for whom to contact: the share it contacts and its gain a customer over contacting nobody, costs paid."""

    rule: str
    share: float
    value: Interval


class Budget(Section):
    """The gain a customer when a share of them is contacted, by three orders."""

    share: float
    uplift: Interval
    propensity_first: Interval
    random: Interval


class UpliftFound(Section):
    """The whole report."""

    schema_version: Literal[1] = 1
    kind: Literal["uplift model"] = "uplift model"
    source: str
    created_at: str
    treatment: str
    outcome: str
    outcome_kind: Literal["rate", "amount"]
    control: str
    customers: int
    taught: int | None = Field(None, description="of these, drawn by chance, taught and judged the learners")
    cost: float
    inputs: list[str]
    left_out: dict[str, str] = Field(description="column: why")
    randomised: bool
    assignment_p: float
    trimmed: int
    unlike: list[str] = Field(default_factory=list, description="columns that tell the groups apart")
    otherwise: dict[str, Interval] = Field(
        default_factory=dict, description="effect by arm, should these have been recorded after the assignment"
    )
    arms: list[ArmFound]
    rules: list[RuleValue]
    budgets: list[Budget]
    targeted_over_best: Interval | None = Field(
        description="gain of targeting over the better of treating all and none; None where no effect can be told"
    )
    targeted_over_propensity_first: Interval | None
    verdict: Verdict
    headline: str
    notes: list[str] = Field(default_factory=list)
    method: list[str] = Field(default_factory=list)

    @property
    def told(self) -> list[ArmFound]:
        """Arms whose effect can be told; the first rules are to treat all with each of them."""
        return [one for one in self.arms if one.too_few is None]

    def write(self, path: Path) -> None:
        """As JSON, atomically."""
        with whole(path) as own:
            own.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
