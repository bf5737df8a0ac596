"""What a report found, as data: written as JSON, rendered by whoever shows it (HTML file, console, MLflow).

Nothing here computes and nothing here draws. Figures are unrounded; None means "not known", never zero.
"""

from typing import Literal

from pydantic import Field

from features.workspace import Section
from training.reports.effects import Found, Ghosts, Return
from training.reports.keep import Artefact
from training.reports.statistics import Effect, Sample, Verdict
from training.reports.uplift_targeting.artefact import Targeting


class Arm(Section):
    """One group as assigned; `missing` of its customers have no outcome."""

    name: str
    customers: int
    missing: int = 0
    expected_share: float


class Assignment(Section):
    """Who was in which group, and whether the groups' sizes fit how customers were meant to be assigned."""

    column: str
    control: str
    control_guessed: bool
    arms: list[Arm]
    p: float
    alarm: bool
    sentence: str


class Comparison(Section):
    """One arm against control on one outcome. `effect` is None where the verdict is `too_few`."""

    arm: str
    sample: Sample
    effect: Effect | None
    p_adjusted: float | None = Field(None, description="Holm's, over the arms of this outcome")
    verdict: Verdict
    reason: str | None = None
    sentence: str
    per_thousand: str | None = Field(None, description="the effect for a thousand customers, where one is shown")
    explained: float | None = Field(None, description="share of the noise that what was known before took away")
    weeks: float | None = Field(None, description="until an effect worth finding would be shown; 0: it would be by now")


class Plan(Section):
    """What this sample could have shown, and what showing `smallest_lift` would take."""

    arm: str
    smallest_lift: float
    power: float
    detectable: float
    needed_customers: int | None
    sentence: str


class Outcome(Section):
    """One outcome: a `rate` (share of customers, 0..1) or an `amount` (mean a customer, in `unit`)."""

    name: str
    kind: Literal["rate", "amount"]
    unit: str | None = None
    control: Sample
    comparisons: list[Comparison]
    plans: list[Plan] = Field(default_factory=list)
    sentence: str


class Balance(Section):
    """A measure of contacted and other customers before the contacts; `difference` in standard deviations."""

    measure: str
    unit: str | None = None
    contacted: Sample
    others: Sample
    difference: float | None = Field(description="standardised; None where nothing varies")


class Campaign(Section):
    """All waves of one action that another tool sent: what the contacted and the others did before and after."""

    action: str
    channel: str
    waves: int
    contacts: int
    balance: list[Balance]
    before: tuple[float, float] = Field(description="goal money a customer in the days before: contacted, others")
    after: tuple[float, float] = Field(description="the same in the days after")
    verdict: Literal["targeted", "alike", "too_few"]
    sentence: str


class OtherContacts(Section):
    """Contacts that this system did not assign: described, never called an effect."""

    days: int
    unit: str | None
    contacts: int
    campaigns: list[Campaign]
    sentence: str
    notes: list[str] = Field(default_factory=list)


class Rival(Section):
    """Next best action against one plainer play: `effect` is next best action minus the rival, for each customer.

    `sentence`, for example: "Next best action beats random eligible on orders: 31.0% against 27.2%, 3.8 percentage
    points more (likely between 0.9 and 6.7)." or "Next best action is not shown to beat propensity only: ..."
    """

    arm: str
    play: Literal["random_eligible", "propensity_only", "no_levers", "looser_caps", "nothing"]
    title: str
    found: list[Found]
    sentence: str


class Arms(Section):
    """The impact experiment: customers in sticky arms, from their first decision since it began, as assigned."""

    since: str
    days: int
    assignment: Assignment
    rivals: list[Rival]
    headline: str


class UpliftReport(Artefact):
    """The whole report, sentences included, so that every renderer says the same."""

    schema_version: Literal[2] = 2
    kind: Literal["uplift"] = "uplift"
    population: str
    alarm: bool = False
    assignment: Assignment | None = None
    outcomes: list[Outcome] = Field(default_factory=list)
    returns: Return | None = Field(None, description="of the whole programme, against the universal holdout")
    ghosts: Ghosts | None = None
    arms: Arms | None = None
    targeting: Targeting | None = None
    other_contacts: OtherContacts | None = None
    weekly: float | None = Field(None, description="customers who entered the comparison, a week, in the last four")
    notes: list[str] = Field(default_factory=list)
    method: list[str] = Field(default_factory=list)
