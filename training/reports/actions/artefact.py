"""What the actions report says, as data. Rates are shares with 95 % intervals, None where there are too few to tell."""

from typing import Literal

from pydantic import Field

from features.workspace import Section
from training.evaluate import Interval
from training.reports.keep import Artefact
from training.reports.models.artefact import Effect


class Month(Section):
    """One calendar month (UTC) of one treatment."""

    month: str
    contacts: int
    responses: int


class Treatment(Section):
    """An action on a channel. `contacts` went out by whatever tool; `responses` are contacts that were answered by the
    same customer within the action's response window."""

    action: str
    channel: str
    decided: int = Field(description="decisions that made it")
    withheld: int = Field(description="decisions that drew it and did not make it, to measure")
    contacts: int
    customers: int
    responses: int
    rate: Interval | None = Field(description="responses by contact; null: too few to tell")
    opt_outs: int = Field(description="answered by an opt-out within the response window")
    complaints: int
    first: str | None
    last: str | None
    months: list[Month]


class Stated(Section):
    """An action as actions.yaml states it, or as history names it where the file does not any more (`listed` false).

    `positives`: responses that the champion of propensity learned from; null: no champion, or nobody counted.
    """

    action: str
    title: str
    listed: bool
    issue: str | None = None
    group: str | None = None
    value: float | None = None
    channels: list[str]
    positives: int | None
    learned: Effect | None = Field(description="what the champion of uplift learned of it")


class Version(Section):
    """A version of the policy, as logged decisions name it."""

    version: str
    decisions: int
    silent: int = Field(description="decisions that came to silence, ghosts among them")
    first: str
    last: str


class Actions(Artefact):
    kind: Literal["actions"] = "actions"
    actions: list[Stated]
    maturity: int | None = Field(description="responses that make an action mature; null: the policy does not ramp up")
    unit: str | None = Field(description="of learned effects: responses or money")
    treatments: list[Treatment]
    policies: list[Version] = Field(description="the newest first")
    least_contacts: int = Field(description="fewer contacts are too few to tell a rate")
    least_responses: int
