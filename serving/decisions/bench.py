"""Where a decision gets its facts: from the customer, the models and the guard, or from a decision as it was logged.

What follows from the facts (the draw, the slots, the reservations) is the same code for both; see slots.py.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from features import clock
from serving.decisions import arbitration, eligibility, explanation
from serving.decisions.arms import Arms
from serving.decisions.candidate import Candidate, Scores
from serving.decisions.customer import Contact, Customer
from serving.decisions.fate import Factors, Stage, Trip
from serving.decisions.guard import Guard
from serving.decisions.policy import Action, Playbook
from serving.decisions.request import Request
from serving.decisions.rules import Facts


class Verdict(NamedTuple):
    """Of the guard on one candidate: every rule that refuses it, and the earliest instant at which none would."""

    trips: tuple[Trip, ...] = ()
    passes_at: int | None = None


PASSES = Verdict()


class Bench(Protocol):
    """What is asked about the candidates of one slot after the other."""

    def open(self, number: int, standing: Sequence[Contact]) -> None:
        """The next questions are about slot `number`, from 0 on, with the contacts of those before it standing."""

    def refusals(self, considered: Sequence[Candidate]) -> Mapping[str, tuple[Stage, str]]:
        """The first rule that refuses an action, by its name."""

    def judge(self, considered: Sequence[Candidate]) -> list[Verdict]:
        """The guard's verdict on each."""

    def value(self, survivors: Sequence[Candidate]) -> list[Factors | None]:
        """What each is worth; None where it cannot be scored."""

    def says(self, chosen: Candidate) -> str | None:
        """Why, for the customer."""


class Live:
    """The customer as they are. `spent` are actions whose volume of the day is given out."""

    def __init__(
        self,
        request: Request,
        customer: Customer,
        scores: Scores,
        playbook: Playbook,
        now: int,
        arms: Arms,
        spent: Collection[str] = (),
    ) -> None:
        self.request, self.customer, self.scores = request, customer, scores
        self.playbook, self.now, self.arms, self.spent = playbook, now, arms, spent
        self.guard = Guard(customer, playbook, now, request.direction, arms.factor)
        self.chances: dict[tuple[str, str], tuple[float | None, float | None]] = {}
        self.refused: dict[str, tuple[Stage, str] | None] = {}

    def open(self, number: int, standing: Sequence[Contact]) -> None:
        if number and standing:
            customer = replace(self.customer, contacts=(*self.customer.contacts, *standing))
            self.guard = Guard(customer, self.playbook, self.now, self.request.direction, self.arms.factor)

    def refusals(self, considered: Sequence[Candidate]) -> Mapping[str, tuple[Stage, str]]:
        """Rules are about the action: asked once, whatever the slot."""
        new = [candidate for candidate in considered if candidate.key[0] not in self.refused]
        if new:
            stage = self.scores.features.get("journey_stage")
            found = eligibility.refusals(new, self._facts(), self.playbook, self.now, stage)
            for candidate in new:
                self.refused.setdefault(name := candidate.key[0], found.get(name))
        return {name: why for name, why in self.refused.items() if why is not None}

    def judge(self, considered: Sequence[Candidate]) -> list[Verdict]:
        spent = self.spent if self.request.direction == "outbound" else ()
        return [
            self._refused(candidate, trips) if trips or (spent and candidate.key[0] in spent) else PASSES
            for candidate, trips in zip(considered, self.guard.all_trips(considered), strict=True)
        ]

    def value(self, survivors: Sequence[Candidate]) -> list[Factors | None]:
        self._ask([candidate for candidate in survivors if candidate.key not in self.chances])
        policy, positives, chances = self.playbook.policy, self.scores.positives, self.chances
        rise = arbitration.rise(self.guard.pressure(), policy, self.request.direction)
        fallback, terms = policy.fallback.propensity, self.playbook.memo.setdefault("terms", {})
        found: list[Factors | None] = []
        for candidate, harm in zip(survivors, self._harms(survivors), strict=True):
            key = candidate.key
            of = terms.get(key)
            if of is None:
                of = terms[key] = arbitration.terms(candidate, policy)
            p, learned = chances[key]
            count = None if positives is None or p is None else positives.get(key[0], 0)
            known = fallback if p is None else p
            if known is None:
                found.append(None)
            elif harm is None:
                found.append(arbitration.priced(of, known, of.harm * rise, learned, count, False))
            else:
                found.append(arbitration.priced(of, known, harm, learned, count, True))
        return found

    def says(self, chosen: Candidate) -> str | None:
        return explanation.says(chosen.action, self.customer, self.playbook, self.now)

    def _refused(self, candidate: Candidate, trips: tuple[Trip, ...]) -> Verdict:
        start = 0
        if self.request.direction == "outbound" and candidate.action.name in self.spent:
            spent = _spent(candidate.action, self.playbook, self.now)
            trips, start = (*trips, spent), spent.passes_at or 0
        return Verdict(trips, self.guard.passes_at(candidate, start))

    def _ask(self, candidates: Sequence[Candidate]) -> None:
        """P and learned U of these, each model asked once; what reveals behaviour is scored by what is old enough."""
        scores = self.scores
        now, old = candidates, list[Candidate]()
        if scores.delayed is not None and self.playbook.reveals and any(each.action.reveals for each in candidates):
            now = [each for each in candidates if not each.action.reveals]
            old = [each for each in candidates if each.action.reveals]
        of_now, of_old = (scores.propensity, scores.uplift), (scores.delayed, scores.delayed_uplift)
        for (model, effects), asked in ((of_now, now), (of_old, old)):
            chances = model(asked) if model is not None and asked else [None] * len(asked)
            learned = effects(asked) if effects is not None and asked else [None] * len(asked)
            for candidate, p, u in zip(asked, chances, learned, strict=True):
                self.chances[candidate.key] = p, u

    def _harms(self, candidates: Sequence[Candidate]) -> Sequence[float | None]:
        """Learned harm, asked anew for each slot: the contacts of those before it stand. A showing does none."""
        if self.scores.harm is None or self.request.direction == "inbound":
            return [None] * len(candidates)
        harms = self.scores.harm(candidates, self.guard.contacts, self.now)
        return arbitration.charged(candidates, harms, self.playbook.policy)

    def _facts(self) -> Facts:
        request, features = self.request, self.scores.features
        asked = {"channel": request.channel, "direction": request.direction, "customer_id": request.customer_id}
        journey = {"stage": features.get("journey_stage")}
        scored = {"churn": self.scores.churn}
        needs = self.playbook.needs
        return Facts(features, scored, request.context, asked, self.customer.attributes(self.now), journey, needs)


def _spent(action: Action, playbook: Playbook, now: int) -> Trip:
    """An action's volume of the company's day is given out."""
    zone = playbook.policy.company_zone
    today = datetime.fromtimestamp(now / 1e6, zone).date()
    tomorrow = datetime.combine(today + timedelta(days=1), datetime.min.time(), zone)
    text = f"the {action.volume} of {today} are given out"
    return Trip(f"volume {action.name}: {action.volume} a day", text, clock.micros(tomorrow))
