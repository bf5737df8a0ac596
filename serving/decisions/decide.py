"""One guarded decision: pure, and the same for the service, the batch job, the simulator and off-policy evaluation."""

from collections.abc import Mapping, Sequence

from serving.decisions import arbitration, eligibility, holdout
from serving.decisions.customer import Contact, Customer
from serving.decisions.decision import (
    Candidate,
    Decision,
    Direction,
    Factors,
    Fate,
    Outcome,
    Request,
    Scores,
    Slot,
    Stage,
    Trip,
)
from serving.decisions.draw import distribution, draw
from serving.decisions.guard import Guard
from serving.decisions.policy import ContactPolicy, Playbook
from serving.decisions.rules import Facts

Key = tuple[str, str]


def decide(
    request: Request, customer: Customer, scores: Scores, playbook: Playbook, now: int, uniform: float
) -> Decision:
    """Candidates, rules, guard, expected value, draw: in that order, with every candidate's fate in the answer.

    `now` is `customer.now(clock)`; `uniform` in [0, 1) is drawn once per request: a lost race decides again with the
    same number. Commit `decision.contact` with the decision, by compare-and-swap on `decision.judged_version`.
    """
    policy = playbook.policy
    considered = eligibility.candidates(playbook.actions, request.channel)
    refused = eligibility.refusals(considered, _facts(request, scores))
    guard = Guard(customer, playbook, now, request.direction)
    trips = [tuple(guard.trips(candidate)) for candidate in considered]
    survivors = [
        candidate
        for candidate, tripped in zip(considered, trips, strict=True)
        if candidate.action.name not in refused and not tripped
    ]
    valued = _value(survivors, scores, policy, guard.pressure(), request.direction)
    ranked = sorted(
        ((candidate, valued[candidate.key].expected_value) for candidate in survivors if candidate.key in valued),
        key=lambda pair: -pair[1],  # stable: equals stay in the file's order
    )
    arm = holdout.arm(customer.customer_id, policy.holdout.salt, policy.holdout.share)
    cells, intended = distribution(ranked, policy), None
    if arm == "holdout":
        cells, intended = distribution([pair for pair in ranked if not policy.sells(pair[0].action)], policy), cells
    drawn = draw(cells, uniform)
    by_key = {candidate.key: candidate for candidate in considered}
    picked = by_key[drawn.action, drawn.channel] if drawn.action is not None and drawn.channel is not None else None
    chosen, ghost = (None, picked) if drawn.ghost else (picked, None)
    fates = _fates(considered, refused, trips, valued, cells, drawn, arm)
    contact = None
    if chosen is not None and request.direction == "outbound":
        contact = reserve(request, chosen, playbook, now)
    slot = Slot(
        placement=request.slots[0],
        chosen=chosen,
        ghost=ghost,
        reason=_reason(chosen, ghost, fates, arm),
        uniform=uniform,
        distribution=cells,
        intended=intended,
        fates=fates,
        contact=contact,
    )
    return Decision(
        request=request,
        at=now,
        slots=(slot,),
        arm=arm,
        churn=scores.churn,
        policy_version=playbook.version,
        judged_version=customer.version,
        judged_customer=customer.customer_id,
        arm_id=customer.customer_id,
        arms={"holdout": arm, "experiment": None, "cap_level": None},
        logged=scores.logged,
    )


def reserve(request: Request, chosen: Candidate, playbook: Playbook, now: int) -> Contact:
    """The reservation that a decision asks the store to make: for the id that was asked for, whoever it turns out."""
    action, policy = chosen.action, playbook.policy
    return Contact(
        contact_id=f"{request.decision_id}.1",
        customer_id=request.customer_id,
        decision_id=request.decision_id,
        action=action.name,
        issue=action.issue,
        group=action.group,
        channel=chosen.channel,
        counts=policy.counts(action),
        state="reserved",
        reserved_at=now,
        expires_at=now + policy.reservation.length,
    )


def _facts(request: Request, scores: Scores) -> Facts:
    asked = {"channel": request.channel, "direction": request.direction, "customer_id": request.customer_id}
    return Facts(scores.features, {"churn": scores.churn}, request.context, asked)


def _value(
    survivors: Sequence[Candidate], scores: Scores, policy: ContactPolicy, pressure: int, direction: Direction
) -> dict[Key, Factors]:
    """Factors of each survivor that can be scored; only survivors are."""
    asked = scores.propensity(survivors) if scores.propensity is not None and survivors else [None] * len(survivors)
    found: dict[Key, Factors] = {}
    for candidate, p in zip(survivors, asked, strict=True):
        known = p if p is not None else policy.fallback.propensity
        if known is not None:
            found[candidate.key] = arbitration.factors(candidate, known, pressure, policy, direction)
    return found


def _fates(
    considered: Sequence[Candidate],
    refused: Mapping[str, tuple[Stage, str]],
    trips: Sequence[tuple[Trip, ...]],
    valued: Mapping[Key, Factors],
    cells: Sequence[Outcome],
    drawn: Outcome,
    arm: holdout.Arm,
) -> tuple[Fate, ...]:
    chance: dict[Key, float] = {}
    for cell in cells:
        if cell.action is not None and cell.channel is not None and not cell.ghost:
            chance[cell.action, cell.channel] = cell.probability
    fates = []
    for candidate, tripped in zip(considered, trips, strict=True):
        key = candidate.key
        factors, probability = valued.get(key), chance.get(key, 0.0)
        stage: Stage
        if candidate.action.name in refused:
            stage, reason = refused[candidate.action.name]
        elif tripped:
            stage, reason = "guard", "; ".join(trip.text for trip in tripped)
        elif factors is None:
            stage, reason = "score", "no model can score it and the policy states no fallback"
        elif key == (drawn.action, drawn.channel):
            stage, reason = ("withheld", "withheld to measure") if drawn.ghost else ("chosen", "chosen")
        elif arm == "holdout" and probability == 0.0:
            stage, reason = "holdout", "the customer is in the holdout"
        else:
            worth = factors.expected_value
            stage, reason = "arbitration", "worth less than silence" if worth <= 0 else "another answer was drawn"
        fates.append(Fate(candidate, stage, reason, tripped, factors, probability))
    return tuple(fates)


def _reason(chosen: Candidate | None, ghost: Candidate | None, fates: Sequence[Fate], arm: holdout.Arm) -> str:
    """One plain sentence for the answer."""
    if chosen is not None:
        return f"{chosen.action.title or chosen.action.name} on {chosen.channel}"
    if ghost is not None:
        return "silence: the chosen action is withheld to measure its effect"
    if not fates:
        return "silence: no action is offered on this channel"
    if arm == "holdout" and any(fate.stage == "holdout" for fate in fates):
        return "silence: the customer is held out to measure the total effect"
    if all(fate.stage not in ("arbitration", "holdout") for fate in fates):
        return "silence: every candidate was refused"
    return "silence: it was worth more than any action" if _none_pays(fates) else "silence: drawn to explore"


def _none_pays(fates: Sequence[Fate]) -> bool:
    return all(fate.factors is None or fate.factors.expected_value <= 0.0 for fate in fates)
