"""What is left to chance so that effects stay measurable, and the priors that stand until they are measured."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from features.workspace import Section
from serving.decisions.policy.durations import Name, Share, Window, micros


class Holdout(Section):
    """Customers kept uncontacted, to measure the total. Sticky: the salt and the customer decide."""

    share: Share = 0.05
    salt: str = Field("tactful", min_length=1)


class Withholding(Section):
    """With this probability a drawn selling action is not made, and logged as a ghost."""

    share: Share = 0.02


class Exploration(Section):
    """With probability epsilon the draw is uniform among the survivors and silence.

    Thompson draws each candidate with the probability that it is the best, as far as the model is sure.
    """

    method: Literal["epsilon", "thompson"] = "epsilon"
    epsilon: Share = 0.02


class Maturity(Section):
    """A new action is held back from most customers until enough responses taught the model about it."""

    positives: int = Field(200, ge=1, description="responses that make an action mature")
    least: float = Field(0.05, gt=0, le=1, description="the share of contacts that a brand-new action may take part in")


class Arm(Section):
    """One arm of an impact experiment: a share of customers for whom the draw plays otherwise."""

    name: Name
    share: Share
    play: Literal["random_eligible", "propensity_only", "no_levers", "looser_caps", "nothing"]
    factor: float = Field(1.5, ge=1, le=10, description="of looser_caps: caps times this")


class Experiment(Section):
    """Impact experiments: sticky arms play something plainer than next best action. Who is in none is the control."""

    salt: str = Field("experiment", min_length=1)
    arms: list[Arm] = Field(min_length=1)

    @field_validator("arms")
    @classmethod
    def _distinct(cls, arms: list[Arm]) -> list[Arm]:
        names = [arm.name for arm in arms]
        if len(set(names)) != len(names):
            raise ValueError("names an arm twice; rename one of them")
        return arms

    @model_validator(mode="after")
    def _room(self) -> "Experiment":
        if (total := sum(arm.share for arm in self.arms)) > 1.0 + 1e-9:
            raise ValueError(f"the shares add up to {total:g}; at most 1")
        return self


class Challenger(Section):
    """A share of customers for whom the models with the alias `challenger` decide, where there are such.

    Sticky, and drawn among those who are in no other arm: the champion decides for the rest of them, who are the
    control.
    """

    share: Share = 0.1
    salt: str = Field("challenger", min_length=1)


class Increment(Section):
    """U = P x this share of the responses that would not have come by themselves: stated, until it is learned."""

    default: Share = 0.2
    groups: dict[str, Share] = Field({})


class Harm(Section):
    """What one more contact is expected to cost through opt-out and complaint, in money; a stated prior.

    harm = (channels[channel] or contact) x (1 + rising x contacts in the last `recent`).
    """

    contact: float = Field(0.02, ge=0)
    channels: dict[str, Annotated[float, Field(ge=0)]] = Field({})
    rising: float = Field(0.5, ge=0)
    recent: Window = "7d"

    @cached_property
    def length(self) -> int:
        return micros(self.recent)


class Fallback(Section):
    """What to use where a model cannot be asked: each one stated lets a service start without that model."""

    propensity: Share | None = Field(None, description="none: an action that cannot be scored is refused")
    churn: Share | None = Field(None, description="none: nothing is decided before a churn model is there")
