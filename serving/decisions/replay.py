"""A decision once more, from its log: what was known then is read, what followed from it is worked out again.

What was known: the request, the verdicts of rules and guard, P (and U where it was learned), harm, the random number.
What follows: expected values, arms, ranking, the whole distribution, the draw, slots, contacts, reasons.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from features import clock
from serving.decisions import arbitration
from serving.decisions.arms import arms as arms_of
from serving.decisions.bench import Verdict
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact
from serving.decisions.decide import assembled
from serving.decisions.decision import Decision
from serving.decisions.fate import Factors, Stage, Trip
from serving.decisions.policy import Playbook
from serving.decisions.request import Request
from serving.decisions.slots import fill

#: Keys of a logged decision that are Tactful's own; all others came from the models' side (`Scores.logged`).
OWN = frozenset(
    {
        "decision_id",
        "request_id",
        "customer_id",
        "channel",
        "direction",
        "context",
        "limit",
        "placements",
        "dry_run",
        "only",
        "at",
        "action",
        "treatment_channel",
        "ghost",
        "ghost_channel",
        "reason",
        "says",
        "contact_id",
        "expires_at",
        "uniform",
        "distribution",
        "intended",
        "candidates",
        "arm",
        "churn",
        "policy_version",
        "judged_customer",
        "judged_version",
        "arm_id",
        "arms",
        "deferred_to",
        "agent",
        "more_slots",
    }
)


class AnotherPolicy(ValueError):
    """The decision was made under another version of the policy files than the one at hand."""


def replay(logged: Mapping[str, Any], playbook: Playbook) -> Decision:
    """The decision that a log entry (as JSON) tells of; `.as_dict()` is the entry again, or something is wrong.

    Raises AnotherPolicy where `playbook` is not the one it was made under.
    """
    if logged["policy_version"] != playbook.version:
        raise AnotherPolicy(f"decided under policy {logged['policy_version']}, not {playbook.version}")
    request, now, about = Request.of(logged), clock.parse_instant(logged["at"]), logged["agent"]
    arms = arms_of(logged["arm_id"], playbook.policy)
    help_first = about is not None and about["help_first"]
    slots = fill(request, Recorded(logged, playbook), playbook, now, logged["uniform"], arms, help_first)
    return assembled(
        request,
        slots,
        playbook,
        now,
        arms,
        churn=logged["churn"],
        judged_version=logged["judged_version"],
        judged_customer=logged["judged_customer"],
        arm_id=logged["arm_id"],
        agent=about,
        logged={key: value for key, value in logged.items() if key not in OWN},
    )


class Recorded:
    """The bench of a decision as logged."""

    def __init__(self, logged: Mapping[str, Any], playbook: Playbook) -> None:
        self._slots: list[Mapping[str, Any]] = [logged, *logged["more_slots"]]
        self._playbook = playbook
        self.open(0, ())

    def open(self, number: int, standing: Sequence[Contact]) -> None:  # noqa: ARG002  what stood is in the verdicts
        self._slot = self._slots[number]
        self._fates = {(fate["action"], fate["channel"]): fate for fate in self._slot["candidates"]}

    def refusals(self, considered: Sequence[Candidate]) -> Mapping[str, tuple[Stage, str]]:
        found: dict[str, tuple[Stage, str]] = {}
        for candidate in considered:
            fate = self._fates[candidate.key]
            if fate["stage"] in ("eligible", "applicable", "suitable"):
                found[candidate.action.name] = fate["stage"], fate["reason"]
        return found

    def judge(self, considered: Sequence[Candidate]) -> list[Verdict]:
        return [_verdict(self._fates[candidate.key]) for candidate in considered]

    def value(self, survivors: Sequence[Candidate]) -> list[Factors | None]:
        policy = self._playbook.policy
        found: list[Factors | None] = []
        for candidate in survivors:
            told = self._fates[candidate.key].get("factors")
            if told is None:
                found.append(None)
                continue
            learned = told["u"] if told["learned"] else None
            of_model = told.get("harm_learned", False)  # logs from before harm was ever learned do not say
            found.append(
                arbitration.factors(candidate, told["p"], told["harm"], policy, learned, told["positives"], of_model)
            )
        return found

    def says(self, chosen: Candidate) -> str | None:  # noqa: ARG002  said with what was known of the customer
        told: str | None = self._slot["says"]
        return told


def _verdict(fate: Mapping[str, Any]) -> Verdict:
    trips = tuple(
        Trip(trip["rule"], trip["text"], _instant(trip["passes_at"])) for trip in fate.get("suppressed_by", ())
    )
    return Verdict(trips, _instant(fate.get("passes_at")))


def _instant(text: str | None) -> int | None:
    return None if text is None else clock.parse_instant(text)
