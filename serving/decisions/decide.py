"""One guarded decision: pure, and the same for the service, the batch job, the simulator and off-policy evaluation."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from serving.decisions import agent as agents
from serving.decisions.arms import Arms
from serving.decisions.arms import arms as arms_of
from serving.decisions.bench import Live
from serving.decisions.customer import Customer
from serving.decisions.decision import Decision, Request, Scores, Slot
from serving.decisions.policy import Playbook
from serving.decisions.slots import fill


def decide(
    request: Request,
    customer: Customer,
    scores: Scores,
    playbook: Playbook,
    now: int,
    uniform: float,
    spent: Collection[str] = (),
    ruled: Collection[str] = (),
) -> Decision:
    """Candidates, rules, guard, expected value, draw: in that order, with every candidate's fate in the answer.

    `now` is `customer.now(clock)`; `uniform` in [0, 1) is drawn once per request: a lost race decides again with the
    same number. `spent` are actions whose volume of the day is given out; no rule refuses those in `ruled` (batches ask
    in arrays). Commit `decision.contacts` with the decision,
    by compare-and-swap on `decision.judged_version`; a dry run has none.
    """
    if scores.churn is None and playbook.policy.fallback.churn is not None:
        scores = replace(scores, churn=playbook.policy.fallback.churn)
    arms = arms_of(customer.arm_id, playbook.policy)
    about = agents.view(customer, playbook.policy, now) if request.direction == "inbound" else None
    bench = Live(request, customer, scores, playbook, now, arms, spent)
    bench.refused |= dict.fromkeys(ruled)
    slots = fill(request, bench, playbook, now, uniform, arms, about is not None and about["help_first"])
    return assembled(
        request,
        slots,
        playbook,
        now,
        arms,
        churn=scores.churn,
        judged_version=customer.version,
        judged_customer=customer.customer_id,
        arm_id=customer.arm_id,
        agent=about,
        logged=scores.logged,
    )


def assembled(
    request: Request,
    slots: Sequence[Slot],
    playbook: Playbook,
    now: int,
    arms: Arms,
    *,
    churn: float | None,
    judged_version: int,
    judged_customer: str,
    arm_id: str,
    agent: Mapping[str, Any] | None,
    logged: Mapping[str, Any],
) -> Decision:
    """The decision around its slots."""
    return Decision(
        request=request,
        at=now,
        slots=tuple(replace(slot, contact=None) if request.dry_run else slot for slot in slots),
        arm=arms.holdout,
        churn=churn,
        policy_version=playbook.version,
        judged_version=judged_version,
        judged_customer=judged_customer,
        arm_id=arm_id,
        arms=arms.as_dict(),
        deferred_to=deferred_to(slots, playbook),
        agent=agent,
        logged=logged,
    )


def deferred_to(slots: Sequence[Slot], playbook: Playbook) -> int | None:
    """The earliest instant at which a refused candidate would pass the guard, where all is silent for that reason.

    None where the policy drops what a cap refuses, or where something else stood in the way.
    """
    if playbook.policy.on_cap != "defer" or any(slot.chosen or slot.ghost for slot in slots):
        return None
    fates = [fate for slot in slots for fate in slot.fates]
    if any(fate.stage in ("arbitration", "holdout", "experiment") for fate in fates):
        return None
    return min((fate.passes_at for fate in fates if fate.stage == "guard" and fate.passes_at is not None), default=None)
