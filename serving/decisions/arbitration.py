"""What a candidate is worth: expected value = C x V x U x L - cost - harm. Silence is worth 0."""

from serving.decisions.decision import Candidate, Direction, Factors
from serving.decisions.policy import ContactPolicy


def factors(candidate: Candidate, p: float, pressure: int, policy: ContactPolicy, direction: Direction) -> Factors:
    """U is an increment: P times the stated share of responses that would not have come anyway.

    `pressure` is the number of recent contacts. An inbound showing is no contact, so it does no harm.
    """
    action, treatment = candidate.action, candidate.treatment
    share = policy.increment.groups.get(action.group, policy.increment.default)
    u = p * share
    harm = 0.0
    if direction == "outbound":
        base = policy.harm.channels.get(candidate.channel, policy.harm.contact)
        harm = base * (1.0 + policy.harm.rising * pressure)
    value = treatment.weight * action.value * u * action.lever - treatment.cost - harm
    return Factors(p, share, u, treatment.weight, action.value, action.lever, treatment.cost, harm, value)
