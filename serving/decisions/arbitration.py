"""What a candidate is worth: expected value = C x V x U x L - cost - harm. Silence is worth 0."""

from serving.decisions.candidate import Candidate
from serving.decisions.draw import Contender
from serving.decisions.fate import Factors
from serving.decisions.policy import Arm, ContactPolicy
from serving.decisions.request import Direction


def factors(
    candidate: Candidate,
    p: float,
    harm: float,
    policy: ContactPolicy,
    learned: float | None = None,
    positives: int | None = None,
) -> Factors:
    """U is an increment: `learned` where it is, else P times the stated share of responses that would not come anyway.

    `positives` are the responses to this action that the model of P learned from; None where nobody counted.
    """
    action, treatment = candidate.action, candidate.treatment
    share = policy.increment.groups.get(action.group, policy.increment.default)
    u = p * share if learned is None else learned
    value = treatment.weight * action.value * u * action.lever - treatment.cost - harm
    return Factors(
        p=p,
        share=share,
        u=u,
        learned=learned is not None,
        c=treatment.weight,
        v=action.value,
        lever=action.lever,
        cost=treatment.cost,
        harm=harm,
        expected_value=value,
        positives=positives,
    )


def harm(channel: str, pressure: int, policy: ContactPolicy, direction: Direction) -> float:
    """What one more contact is expected to cost, given the number of recent ones; an inbound showing is no contact."""
    if direction == "inbound":
        return 0.0
    base = policy.harm.channels.get(channel, policy.harm.contact)
    return base * (1.0 + policy.harm.rising * pressure)


def contender(candidate: Candidate, of: Factors, policy: ContactPolicy, arm: Arm | None, first: bool) -> Contender:
    """A candidate as the draw sees it, by what its customer's experiment arm ranks by.

    The model's doubt about P is that of as many responses as it learned from: a gamma distribution around P whose
    shape is (positives + 1) / (1 - P), which has the mean and variance of the beta distribution of such evidence.
    """
    gain, fixed = of.c * of.v * of.u * of.lever, of.cost + of.harm
    if arm is not None and arm.play == "propensity_only":
        gain, fixed = of.p, 0.0
    elif arm is not None and arm.play == "no_levers":
        gain = of.c * of.v * of.u
    shape = most = None
    if of.positives is not None:
        shape = (of.positives + 1.0) / max(1.0 - of.p, 1e-9)
        most = 1.0 / of.p if of.p > 0.0 else None
    return Contender(candidate, gain, fixed, shape, most, ramp(of.positives, policy), first)


def ramp(positives: int | None, policy: ContactPolicy) -> float:
    """The share of draws that an action takes part in: all of them once it is mature, or where nobody counted."""
    rule = policy.maturity
    if rule is None or positives is None:
        return 1.0
    return min(1.0, max(rule.least, positives / rule.positives))
