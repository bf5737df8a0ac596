"""What a candidate is worth: expected value = C x V x U x L - cost - harm. Silence is worth 0."""

from collections.abc import Sequence
from typing import NamedTuple

from serving.decisions.candidate import Candidate
from serving.decisions.draw import Contender
from serving.decisions.fate import Factors
from serving.decisions.policy import Arm, ContactPolicy
from serving.decisions.request import Direction


class Terms(NamedTuple):
    """What the files say of one treatment, whoever the customer is; `harm` of the first contact in a while, 0 of an
    exempt message that the policy does not count: that is no contact."""

    share: float
    c: float
    v: float
    lever: float
    cost: float
    harm: float


def terms(candidate: Candidate, policy: ContactPolicy) -> Terms:
    action, treatment = candidate.action, candidate.treatment
    return Terms(
        share=policy.increment.groups.get(action.group, policy.increment.default),
        c=treatment.weight,
        v=action.value,
        lever=action.lever,
        cost=treatment.cost,
        harm=policy.harm.channels.get(candidate.channel, policy.harm.contact) if policy.counts(action) else 0.0,
    )


def charged(
    candidates: Sequence[Candidate], harms: Sequence[float | None], policy: ContactPolicy
) -> Sequence[float | None]:
    """Learned harms of one more contact, None for what is no contact (see Terms): nothing was learned of those."""
    if not policy.exempt:
        return harms
    return [
        harm if policy.counts(candidate.action) else None for candidate, harm in zip(candidates, harms, strict=True)
    ]


def factors(
    candidate: Candidate,
    p: float,
    harm: float,
    policy: ContactPolicy,
    learned: float | None = None,
    positives: int | None = None,
    harm_learned: bool = False,
) -> Factors:
    """U is an increment: `learned` where it is, else P times the stated share of responses that would not come anyway.

    `positives` are the responses to this action that the model of P learned from; None where nobody counted.
    """
    return priced(terms(candidate, policy), p, harm, learned, positives, harm_learned)


def priced(
    of: Terms, p: float, harm: float, learned: float | None, positives: int | None, harm_learned: bool
) -> Factors:
    """The same where a treatment's terms are at hand."""
    share, c, v, lever, cost, _ = of
    u = p * share if learned is None else learned
    worth = c * v * u * lever - cost - harm
    return Factors(p, share, u, learned is not None, c, v, lever, cost, harm, worth, positives, harm_learned)


def rise(pressure: int, policy: ContactPolicy, direction: Direction) -> float:
    """How many times its first harm one more contact does, given the number of recent ones; 0 where it is none: an
    inbound showing."""
    return 0.0 if direction == "inbound" else 1.0 + policy.harm.rising * pressure


def contender(candidate: Candidate, of: Factors, policy: ContactPolicy, arm: Arm | None, first: bool) -> Contender:
    """A candidate as the draw sees it, by what its customer's experiment arm ranks by.

    The model's doubt about P is that of as many responses as it learned from: a gamma distribution around P whose
    shape is (positives + 1) / (1 - P), which has the mean and variance of the beta distribution of such evidence.
    """
    p, _, u, _, c, v, lever, cost, harm, _, positives, _ = of
    gain, fixed = c * v * u * lever, cost + harm
    if arm is not None and arm.play == "propensity_only":
        gain, fixed = p, 0.0
    elif arm is not None and arm.play == "no_levers":
        gain = c * v * u
    if positives is None:
        return Contender(candidate, gain, fixed, None, None, 1.0, first)
    shape = (positives + 1.0) / max(1.0 - p, 1e-9)
    most = 1.0 / p if p > 0.0 else None
    return Contender(candidate, gain, fixed, shape, most, ramp(positives, policy), first)


def ramp(positives: int | None, policy: ContactPolicy) -> float:
    """The share of draws that an action takes part in: all of them once it is mature, or where nobody counted."""
    rule = policy.maturity
    if rule is None or positives is None:
        return 1.0
    return min(1.0, max(rule.least, positives / rule.positives))
