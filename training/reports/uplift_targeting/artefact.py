"""What targeting found, as data: figures unrounded, sentences included, None where something is not known."""

from typing import Literal

from pydantic import Field

from features.workspace import Section
from training.evaluate import Interval
from training.reports.statistics import Verdict

#: By what the model expects of a contact: a gain that pays its cost, a gain that does not, a loss.
Kind = Literal["persuadable", "not_worth_it", "sleeping_dog"]


class Measured(Section):
    """A part of the possible contacts: what the model expected there, and what chance then showed.

    `effect` is None where the verdict is `too_few`, and `reason` says why. Verdicts are Holm's.
    """

    customers: int
    contacts: int = Field(description="rows: decisions in which the contact could be made or not, or customers")
    predicted: float | None
    effect: Interval | None
    p: float | None = None
    p_adjusted: float | None = None
    verdict: Verdict
    reason: str | None = None


class Tenth(Measured):
    """A tenth of the possible contacts by expected effect, or more where many are expected to gain alike.

    `place` 1 is expected to gain most; `share` of all contacts.
    """

    place: int
    share: float


class Group(Measured):
    """Customers by what the model expects of them; `share` of all customers, each counted as known last.

    The largest group is what the others are compared with: it has no `traits`.
    """

    kind: Kind
    share: float
    traits: list["Trait"] = Field(default_factory=list)


class Trait(Section):
    """Something that the group has more or less of than the others; `difference` in standard deviations."""

    feature: str
    text: str
    unit: str | None = None
    group: float
    others: float
    difference: float


class Point(Section):
    """The gain a possible contact when the `share` of them expected to gain most is made; band for the whole curve."""

    share: float
    gain: float
    low: float
    high: float


class Ranking(Section):
    """One action (or the best one for each) sorted by its expected effect. `over_random`: mean height of the curve
    above the straight line of contacting as many at random; None where it cannot be told."""

    name: str = Field(description="in words")
    action: str | None = Field(
        None, description="as in actions.yaml; None for the best action for each, or a table's arm"
    )
    customers: int
    contacts: int
    effect: Interval | None = Field(description="of contacting all")
    tenths: list[Tenth]
    curve: list[Point]
    over_random: Interval | None
    groups: list[Group]
    sentence: str


class Targeting(Section):
    """Who is persuadable and who is better left alone; `missing` says why nothing is known, then the rest is empty."""

    outcome: str = Field("", description="as the reader knows it")
    outcome_kind: Literal["rate", "amount"] = "rate"
    unit: str | None = Field(None, description="of an amount")
    model: str = Field("", description="which model expected it")
    judged: str = Field("", description="on what it was judged")
    rankings: list[Ranking] = Field(default_factory=list)
    leave_alone: str = Field(description="whom to leave alone, in one sentence")
    persuadable: str = Field(description="whom to contact, in one sentence")
    to_do: str | None = Field(None, description='e.g. "leave alone 12% of customers"; None where no harm is shown')
    missing: str | None = None
    notes: list[str] = Field(default_factory=list)
    method: list[str] = Field(default_factory=list)
