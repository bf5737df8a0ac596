"""Filling slots one after the other: each is judged with the contacts of those before it standing.

An action fills one slot at most. Pure and replayable: facts come from a `Bench`, chance from one number.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence

from serving.decisions import arbitration, eligibility, phrases
from serving.decisions.arms import Arms
from serving.decisions.bench import Bench, Verdict
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact
from serving.decisions.decision import Slot
from serving.decisions.draw import Contender, distribution, draw, ranked
from serving.decisions.fate import Factors, Fate, Outcome, Stage
from serving.decisions.policy import Playbook
from serving.decisions.request import Placement, Request

Key = tuple[str, str]


def fill(
    request: Request, bench: Bench, playbook: Playbook, now: int, uniform: float, arms: Arms, help_first: bool = False
) -> tuple[Slot, ...]:
    """A slot for each thing that was asked for. `help_first`: what helps goes before what sells, and before silence."""
    filled: list[Slot] = []
    for number, placement in enumerate(request.slots):
        filled.append(_fill(number, placement, filled, request, bench, playbook, now, uniform, arms, help_first))
    return tuple(filled)


def uniform_of(uniform: float, number: int) -> float:
    """The random number of slot `number`, a hash of the first one's: one number replays the whole decision."""
    if number == 0:
        return uniform
    digest = hashlib.sha256(struct.pack("<dI", uniform, number)).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def _fill(
    number: int,
    placement: Placement | None,
    before: Sequence[Slot],
    request: Request,
    bench: Bench,
    playbook: Playbook,
    now: int,
    uniform: float,
    arms: Arms,
    help_first: bool,
) -> Slot:
    policy = playbook.policy
    considered = eligibility.considered(playbook, request, placement)
    taken = {picked.action.name for slot in before for picked in (slot.chosen, slot.ghost) if picked is not None}
    bench.open(number, [slot.contact for slot in before if slot.contact is not None])
    refused, verdicts = bench.refusals(considered), bench.judge(considered)
    survivors = [
        candidate
        for candidate, verdict in zip(considered, verdicts, strict=True)
        if not verdict[0] and (name := candidate.key[0]) not in refused and name not in taken
    ]
    scored = considered if request.dry_run else survivors  # who only asks wants to know of those refused, too
    valued = {
        candidate.key: factors
        for candidate, factors in zip(scored, bench.value(scored), strict=True)
        if factors is not None
    }
    contenders = ranked(
        [
            arbitration.contender(
                candidate, factors, policy, arms.experiment, help_first and not policy.sells(candidate.action)
            )
            for candidate in survivors
            if (factors := valued.get(candidate.key)) is not None
        ]
    )
    silent = arms.silent
    allowed = [each for each in contenders if arms.may(each.candidate.action, policy)] if silent else contenders
    cells = distribution(allowed, policy, arms.experiment)
    intended = distribution(contenders, policy) if silent else None
    number_drawn = uniform_of(uniform, number)
    drawn = draw(cells, number_drawn)
    picked = None
    if drawn.action is not None:
        picked = next(each for each in survivors if each.key == (drawn.action, drawn.channel))
    chosen, ghost = (None, picked) if drawn.ghost else (picked, None)
    fates = _fates(considered, refused, verdicts, taken, valued, contenders, cells, drawn, playbook, arms)
    return Slot(
        placement=placement,
        chosen=chosen,
        ghost=ghost,
        reason=_reason(chosen, ghost, fates),
        uniform=number_drawn,
        distribution=cells,
        intended=intended,
        fates=fates,
        contact=contact_of(number, chosen, ghost, request, playbook, now),
        says=None if chosen is None else bench.says(chosen),
    )


def contact_of(
    number: int, chosen: Candidate | None, ghost: Candidate | None, request: Request, playbook: Playbook, now: int
) -> Contact | None:
    """What the store is asked to insert: a reservation, or a ghost, so that what was withheld once stays withheld."""
    picked = chosen if ghost is None else ghost
    if picked is None or (ghost is None and request.direction == "inbound"):
        return None
    contact = reserve(request, picked, playbook, now, number)
    if ghost is None:
        return contact
    return contact._replace(state="ghost", expires_at=now + picked.action.response)


def reserve(request: Request, chosen: Candidate, playbook: Playbook, now: int, number: int = 0) -> Contact:
    """The reservation that a decision asks the store to make: for the id that was asked for, whoever it turns out.

    `respond_by` counts from now until it is touched: the store moves it along with the claim.
    """
    action, policy = chosen.action, playbook.policy
    return Contact(
        contact_id=f"{request.decision_id}.{number + 1}",
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
        tags=tuple(action.tags),
        purpose=action.purpose,
        respond_by=now + action.response,
    )


def _fates(
    considered: Sequence[Candidate],
    refused: Mapping[str, tuple[Stage, str]],
    verdicts: Sequence[Verdict],
    taken: set[str],
    valued: Mapping[Key, Factors],
    contenders: Sequence[Contender],
    cells: Sequence[Outcome],
    drawn: Outcome,
    playbook: Playbook,
    arms: Arms,
) -> tuple[Fate, ...]:
    chance = {(action, channel): probability for action, channel, ghost, probability in cells if not ghost}
    standing = {each.candidate.key: each for each in contenders}
    winner, silent = (drawn.action, drawn.channel), arms.silent
    fates = []
    for candidate, (trips, passes_at) in zip(considered, verdicts, strict=True):
        key = candidate.key
        name, factors = key[0], valued.get(key)
        stage: Stage
        if name in refused:
            stage, reason = refused[name]
        elif name in taken:
            stage, reason = "taken", phrases.TAKEN
        elif trips:
            stage, reason = "guard", "; ".join(trip.text for trip in trips)
        elif factors is None:
            stage, reason = "score", phrases.NO_SCORE
        elif key == winner:
            stage, reason = ("withheld", phrases.WITHHELD) if drawn.ghost else ("chosen", phrases.CHOSEN)
        elif silent and not arms.may(candidate.action, playbook.policy):
            stage, reason = _kept_from(arms)
        else:
            stage, reason = "arbitration", _lost(standing[key])
        fates.append(Fate(candidate, stage, reason, trips, passes_at, factors, chance.get(key, 0.0)))
    return tuple(fates)


def _kept_from(arms: Arms) -> tuple[Stage, str]:
    if arms.holdout == "holdout" or arms.experiment is None:
        return "holdout", phrases.HELD_OUT
    return "experiment", phrases.in_arm(arms.experiment.name)


def _lost(one: Contender) -> str:
    _, gain, fixed, _, _, ramp, first = one
    if gain - fixed <= 0.0 and not first:
        return phrases.WORTH_LESS
    if ramp < 1.0:
        return phrases.too_new(ramp)
    return phrases.NOT_DRAWN


def _reason(chosen: Candidate | None, ghost: Candidate | None, fates: Sequence[Fate]) -> str:
    """One plain sentence for the answer."""
    if chosen is not None:
        return phrases.made(chosen.action.title or chosen.action.name, chosen.channel)
    if ghost is not None:
        return phrases.GHOST
    if not fates:
        return phrases.NOTHING
    stages = {fate.stage for fate in fates}
    if "holdout" in stages:
        return phrases.HOLDOUT
    if "experiment" in stages:
        return phrases.IN_ARM
    if "arbitration" not in stages:
        return phrases.ALL_REFUSED
    none_pays = all(fate.factors is None or fate.factors.expected_value <= 0.0 for fate in fates)
    return phrases.SILENCE_PAYS if none_pays else phrases.EXPLORED
