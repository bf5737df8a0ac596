"""A logged decision once more under another policy: what it would have been drawn from.

What was known then stays as logged: the verdicts of rules and guard that did not change, P, learned U and harm, whose
arms they are. Caps and pressure are asked again with what stood (standing.py); values, arms, ranking and draw follow
from the code that decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from features import clock
from serving.decisions import arbitration, phrases
from serving.decisions.arms import arms
from serving.decisions.bench import Verdict
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact, Customer
from serving.decisions.effects.file import MONEY
from serving.decisions.fate import Factors, Fate, Stage, Trip
from serving.decisions.guard import Guard
from serving.decisions.policy import Playbook
from serving.decisions.request import Request
from serving.decisions.slots import fill
from training.offpolicy.standing import bounds_only, is_bound

#: An action on a channel, and whether it is withheld; silence is (None, None, False).
Cell = tuple[str | None, str | None, bool]
Treatment = tuple[str, str]
#: `unscored`: the new policy allows what was refused then, and so was never scored. `differs`: even the policy that was
#: played gives another answer than the log's, so what it knew then is not what history tells.
Unknown = Literal["unscored", "differs"]
#: Parts of the contact policy that need to know what stood.
BOUNDS = ("caps", "pressure", "cap_levels", "experiment", "harm")
_RULES = ("eligible", "applicable", "suitable")


@dataclass(frozen=True)
class Rejudged:
    """`cells`: the distribution. `which`: where it is unknown, the treatment and what refused it then."""

    cells: Mapping[Cell, float]
    fates: tuple[Fate, ...] = ()
    unknown: Unknown | None = None
    which: str | None = None


def cells(distribution: Iterable[Mapping[str, Any]]) -> dict[Cell, float]:
    """A logged distribution by cell."""
    return {(cell["action"], cell["channel"], cell["ghost"]): cell["probability"] for cell in distribution}


def made(distribution: Mapping[Cell, float]) -> dict[Treatment, float]:
    """Of each treatment to be made: silence and ghosts, which nobody notices, are what is left to 1."""
    return {
        (action, channel): chance
        for (action, channel, ghost), chance in distribution.items()
        if action is not None and channel is not None and not ghost
    }


class Court:
    """Judges decisions under `after` that were made under `before`."""

    def __init__(self, before: Playbook, after: Playbook) -> None:
        self.before, self.after = before, after
        self._bounds = bounds_only(before), bounds_only(after)
        #: Whether it must be told what stood.
        self.bounds = any(getattr(before.policy, name) != getattr(after.policy, name) for name in BOUNDS)

    def __call__(self, logged: Mapping[str, Any], customer: Customer | None = None) -> Rejudged:
        """`customer`: as in standing.py; asked for where `bounds`."""
        now, request = clock.parse_instant(logged["at"]), Request.of(logged)
        was, arm = arms(logged["arm_id"], self.before.policy), arms(logged["arm_id"], self.after.policy)
        then = new = None
        if customer is not None:
            then = Guard(customer, self._bounds[0], now, request.direction, was.factor)
            new = Guard(customer, self._bounds[1], now, request.direction, arm.factor)
        bench = Again(logged, self.before, self.after, now, request, then, new)
        agent = logged.get("agent")
        help_first = agent is not None and agent["help_first"]
        slot = fill(request, bench, self.after, now, logged["uniform"], arm, help_first)[0]
        if bench.unknown is not None:
            return Rejudged({}, slot.fates, bench.unknown, bench.which)
        return Rejudged(cells(outcome.as_dict() for outcome in slot.distribution), slot.fates)


class Again:
    """The bench of one slot of a logged decision under another playbook."""

    def __init__(
        self,
        logged: Mapping[str, Any],
        before: Playbook,
        after: Playbook,
        now: int,
        request: Request,
        then: Guard | None,
        new: Guard | None,
    ) -> None:
        self.before, self.after, self.now, self.request, self.then, self.new = before, after, now, request, then, new
        self.unknown: Unknown | None = None
        self.which: str | None = None
        self._over_value = (logged.get("models") or {}).get("uplift", {}).get("unit") == MONEY
        self._fates = {(fate["action"], fate["channel"]): fate for fate in logged["candidates"]}

    def open(self, number: int, standing: Sequence[Contact]) -> None:
        """There is one slot: what those before it had drawn is in `taken` and in what stood."""

    def refusals(self, considered: Sequence[Candidate]) -> Mapping[str, tuple[Stage, str]]:
        found: dict[str, tuple[Stage, str]] = {}
        for candidate in considered:
            action, fate = candidate.action, self._fates.get(candidate.key)
            if not self.after.valid(action, self.now):
                found[action.name] = "eligible", "not eligible: it is not offered at this time"
            elif fate is not None and fate["stage"] in _RULES and self._was_valid(action.name):
                found[action.name] = fate["stage"], fate["reason"]
            elif fate is not None and fate["stage"] == "taken":
                found[action.name] = "taken", phrases.TAKEN
        return found

    def judge(self, considered: Sequence[Candidate]) -> list[Verdict]:
        return [self._verdict(candidate) for candidate in considered]

    def value(self, survivors: Sequence[Candidate]) -> list[Factors | None]:
        found: list[Factors | None] = []
        for candidate in survivors:
            fate = self._fates.get(candidate.key)
            told = None if fate is None else fate.get("factors")
            if told is not None:
                learned = self._learned(candidate, told) if told["learned"] else None
                of_model = told.get("harm_learned", False)
                harm = told["harm"] if of_model else self._harm(candidate, told["harm"])
                found.append(
                    arbitration.factors(
                        candidate, told["p"], harm, self.after.policy, learned, told["positives"], of_model
                    )
                )
                continue
            found.append(None)
            if fate is None or fate["stage"] != "score":  # no model could score it then, nor could it under this
                why = "it was not considered" if fate is None else _why(fate)
                self._give_up("unscored", f"{candidate.key[0]} on {candidate.key[1]}: {why}")
        return found

    def says(self, chosen: Candidate) -> str | None:  # noqa: ARG002  nobody is told
        return None

    def _was_valid(self, name: str) -> bool:
        action = self.before.actions.by_name.get(name)
        return action is None or self.before.valid(action, self.now)

    def _verdict(self, candidate: Candidate) -> Verdict:
        fate = self._fates.get(candidate.key)
        logged = [Trip(trip["rule"], trip["text"], None) for trip in (fate or {}).get("suppressed_by", ())]
        if self.then is None or self.new is None:
            return Verdict(tuple(logged))
        if fate is not None and self._known(candidate):
            told = {trip.rule for trip in logged if is_bound(trip.rule)}
            if told != (found := {trip.rule for trip in self.then.trips(candidate) if is_bound(trip.rule)}):
                odd = ", ".join(sorted(told ^ found))
                self._give_up("differs", f"{candidate.key[0]} on {candidate.key[1]}: {odd}")
        bound = [trip for trip in self.new.trips(candidate) if is_bound(trip.rule)]
        return Verdict((*(trip for trip in logged if not is_bound(trip.rule)), *bound))

    def _known(self, candidate: Candidate) -> bool:
        name, channel = candidate.key
        action = self.before.actions.by_name.get(name)
        return action is not None and channel in action.channels

    def _learned(self, candidate: Candidate, told: Mapping[str, Any]) -> float | None:
        """U as logged; where it was money over the action's value, that money over the value of now."""
        u, value = float(told["u"]), candidate.action.value
        if not self._over_value or value == told["v"]:
            return u
        return u * float(told["v"]) / value if value > 0.0 else None

    def _harm(self, candidate: Candidate, logged: float) -> float:
        if self.new is None or self.before.policy.harm == self.after.policy.harm:
            return logged
        first = arbitration.terms(candidate, self.after.policy).harm
        return first * arbitration.rise(self.new.pressure(), self.after.policy, self.request.direction)

    def _give_up(self, unknown: Unknown, which: str) -> None:
        if self.unknown is None:
            self.unknown, self.which = unknown, which


def _why(fate: Mapping[str, Any]) -> str:
    """The rules that refused it then."""
    trips = fate.get("suppressed_by", ())
    return "; ".join(trip["rule"] for trip in trips) if trips else str(fate["reason"])
