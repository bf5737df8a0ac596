"""What the guard needs of a playbook, worked out once: which caps bind each treatment, and under which names."""

from typing import NamedTuple

from features import clock
from serving.decisions.candidate import Candidate
from serving.decisions.policy import Action, Cap, Playbook

Counted = tuple[int, str | None]  # a cap by its position in the policy, and the channel, group ... that it counts
Reaching = tuple[int, Cap, int]  # a cap by its position, and how far back it looks

#: By how much a stamped local day may be off the customer's zone of today: they may have crossed the date line.
DRIFT = 3 * clock.DAY


class Bound(NamedTuple):
    """One treatment. Those of equal `kind` are judged alike but for caps, those of equal `shape` but for the action."""

    kind: int
    shape: int
    action: Action
    names: frozenset[str]  # of the action and its group
    channel: str
    sells: bool
    exempt: bool
    reveals: bool
    caps: tuple[Counted, ...]
    own_caps: tuple[Counted, ...]


class Plan:
    """Grows by treatments that the playbook does not know, where someone asks about such."""

    def __init__(self, playbook: Playbook) -> None:
        self.playbook = playbook
        caps = playbook.policy.caps
        #: A calendar cap looks at what may have been stamped in its period.
        lengths = [cap.length + (DRIFT if cap.per is not None else 0) for cap in caps]
        self.caps: list[Reaching] = [
            (i, cap, length) for i, (cap, length) in enumerate(zip(caps, lengths, strict=True))
        ]
        self.calendar = any(cap.per is not None for cap in caps)
        self.counted: dict[int, set[str | None]] = {i: set() for i in range(len(caps))}
        self.bound: dict[tuple[str, str], Bound] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        for action in playbook.actions.actions:
            for channel in action.channels:
                self.add(Candidate(action, channel))

    def add(self, candidate: Candidate) -> Bound:
        policy, action, channel = self.playbook.policy, candidate.action, candidate.channel
        sells, exempt = policy.sells(action), action.exempt is not None
        kind = (channel, action.purpose, sells, exempt)
        shared: list[Counted] = []
        own: list[Counted] = []
        for i, cap in enumerate(policy.caps if not exempt else ()):
            for value in values(cap, action, channel):
                (own if cap.scope == "action" else shared).append((i, value))
                self.counted[i].add(value)
        found = Bound(
            self._number(kind), self._number((*kind, *shared)), action, frozenset((action.name, action.group)),
            channel, sells, exempt, bool(action.reveals), tuple(shared), tuple(own),
        )  # fmt: skip
        self.bound[action.name, channel] = found
        return found

    def _number(self, key: tuple[object, ...]) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def plan_of(playbook: Playbook) -> Plan:
    """Kept with the playbook, as its cached properties are."""
    found: Plan | None = playbook.__dict__.get("_guard_plan")
    if found is None:
        found = playbook.__dict__["_guard_plan"] = Plan(playbook)
    return found


def values(cap: Cap, action: Action, channel: str) -> list[str | None]:
    """Under which names a treatment counts for a cap; none where the cap does not bind it."""
    if cap.scope == "total":
        return [None]
    if cap.scope == "tag":
        found = list(action.tags)
    elif cap.scope == "channel":
        found = [channel]
    else:
        found = [action.name if cap.scope == "action" else action.group if cap.scope == "group" else action.issue]
    return [value for value in dict.fromkeys(found) if cap.name is None or cap.name == value]
