"""The contact-fatigue guard: which candidates may reach this customer now, and if not, every reason and until when.

Pure: `judge` sees what was read and says what it thinks; the store makes it binding by compare-and-swap.

Caps look at the window [now - W, now], exact at both ends. A reservation may be claimed at any moment until it
expires, so it stands in every window until then; what is claimed stands at the instant of its claim. So no window of
length W ever holds more claims than its cap allows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from features import clock
from serving.decisions.customer import Contact, Customer
from serving.decisions.decision import Candidate, Direction, Trip
from serving.decisions.policy import Action, Actions, Cap, ContactPolicy, Playbook, Scope, micros


@dataclass(frozen=True, slots=True)
class Slot:
    """One contact as caps see it: it stands in a window from `at` on, and until `held` in any case."""

    at: int
    held: int | None
    channel: str
    issue: str | None
    group: str | None
    action: str | None

    def leaves(self, length: int) -> int:
        """The first instant at which a window of this length is free of it, if nothing else happens."""
        return self.held if self.held is not None else self.at + length + 1


def slots(customer: Customer, actions: Actions, policy: ContactPolicy, now: int) -> list[Slot]:
    """Everything that counts toward caps: our contacts, and what other tools sent."""
    found = [
        Slot(
            contact.touched_at if contact.touched_at is not None else now,
            contact.expires_at if contact.state == "reserved" else None,
            contact.channel,
            contact.issue,
            contact.group,
            contact.action,
        )
        for contact in customer.contacts
        if contact.counts and contact.holds(now)
    ]
    for touch in customer.touches:
        if touch.type in policy.not_contacts:
            continue
        action = actions.by_name.get(touch.action) if touch.action is not None else None
        if action is not None and not policy.counts(action):
            continue
        issue, group = (action.issue, action.group) if action is not None else (None, None)
        found.append(Slot(touch.at, None, touch.channel, issue, group, touch.action))
    return found


def judge(
    candidates: Sequence[Candidate],
    customer: Customer,
    playbook: Playbook,
    now: int,
    direction: Direction = "outbound",
    factor: float = 1.0,
) -> list[tuple[Trip, ...]]:
    """For each candidate, every rule that refuses it; an empty tuple is a pass. Caps bind outbound only."""
    guard = Guard(customer, playbook, now, direction, factor)
    return [tuple(guard.trips(candidate)) for candidate in candidates]


def judge_claim(customer: Customer, contact: Contact, playbook: Playbook, now: int) -> tuple[Trip, ...]:
    """Every rule that refuses to let a reserved contact go out now.

    Other reservations are left out: each of them is judged like this when its own moment comes.
    """
    others = tuple(other for other in customer.contacts if other.state != "reserved")
    without = replace(customer, contacts=others)
    action = playbook.actions.by_name.get(contact.action)
    if action is None or contact.channel not in action.channels:
        text = f"action {contact.action} is no longer offered on {contact.channel}"
        return (Trip("action withdrawn", text, None),)
    return judge([Candidate(action, contact.channel)], without, playbook, now)[0]


class Guard:
    """One customer at one instant; what several candidates share is worked out once."""

    def __init__(
        self, customer: Customer, playbook: Playbook, now: int, direction: Direction, factor: float = 1.0
    ) -> None:
        actions, policy = playbook.actions, playbook.policy
        self.customer, self.actions, self.policy, self.now, self.direction = customer, actions, policy, now, direction
        self.factor = factor
        self.slots = slots(customer, actions, policy, now) if direction == "outbound" else []
        self.cases = tuple(self._open_cases())
        self.capped: dict[tuple[int, str | None], Trip | None] = {}
        self.standing: dict[tuple[Scope, int], dict[str | None, list[int]]] = {}
        self.consented: dict[str, Trip | None] = {}

    def pressure(self) -> int:
        """How many contacts stand in the policy's recent past, for what one more is expected to harm."""
        since = self.now - self.policy.harm.length
        return sum(slot.at >= since for slot in self.slots)

    def trips(self, candidate: Candidate) -> Iterator[Trip]:
        """Every rule that refuses this candidate."""
        action, channel = candidate.action, candidate.channel
        if channel not in self.consented:
            self.consented[channel] = self._consent(channel)
        if (refused := self.consented[channel]) is not None:
            yield refused
        if self.policy.sells(action):
            yield from self.cases
            yield from self._complaint()
        yield from self._rejection(action)
        if self.direction == "outbound" and action.exempt is None:
            yield from self._caps(candidate)

    def _consent(self, channel: str) -> Trip | None:
        said = self.customer.profile.said(channel)
        if said is not None and said.granted:
            return None
        if said is not None:
            return Trip("opt-out", f"opted out of {channel} on {_day(said.at)}", None)
        rule = self.policy.consent
        granted = rule.unknown == "granted" or channel in rule.assumed
        if granted or (self.direction == "inbound" and rule.inbound_unknown == "granted"):
            return None
        return Trip("consent", f"consent for {channel} is unknown", None)

    def _open_cases(self) -> Iterator[Trip]:
        profile, rule = self.customer.profile, self.policy.open_case
        for kind, case_id, since in profile.open_cases(rule.suppresses):
            yield Trip(f"open {_words(kind)}", f"{_words(kind)} {case_id} is open since {_day(since.at)}", None)
        length = micros(rule.without_case)
        for kind in rule.suppresses:
            since_at = profile.caseless.get(kind)
            if since_at is not None and self.now < since_at.at + length:
                text = f"a {_words(kind)} of {_day(since_at.at)} has no case to close it"
                yield Trip(f"open {_words(kind)}", text, since_at.at + length)

    def _complaint(self) -> Iterator[Trip]:
        last = self.customer.profile.complained
        until = None if last is None else last.at + micros(self.policy.cool_down.after_complaint)
        if last is not None and until is not None and self.now < until:
            yield Trip("cool-down after complaint", f"complained about a contact on {_day(last.at)}", until)

    def _rejection(self, action: Action) -> Iterator[Trip]:
        rule = self.policy.cool_down
        for name, last in self.customer.profile.rejected.items():
            rejected = self.actions.by_name.get(name)
            if name == action.name:
                rest = rule.actions.get(name) or rule.groups.get(action.group) or rule.after_rejection.action
            elif rejected is not None and rejected.group == action.group:
                rest = rule.groups.get(action.group) or rule.after_rejection.group
            else:
                continue
            if self.now < (until := last.at + micros(rest)):
                yield Trip("cool-down after rejection", f"rejected {name} on {_day(last.at)}", until)

    def _caps(self, candidate: Candidate) -> Iterator[Trip]:
        for i, cap in enumerate(self.policy.caps):
            value = scoped(candidate, cap.scope)
            if cap.name is not None and cap.name != value:
                continue
            if (i, value) not in self.capped:
                self.capped[i, value] = self._cap(cap, value)
            if (trip := self.capped[i, value]) is not None:
                yield trip

    def _cap(self, cap: Cap, value: str | None) -> Trip | None:
        inside = self._standing(cap.scope, cap.length).get(value, [])
        if len(inside) < cap.max:
            return None
        contacts = "1 contact" if len(inside) == 1 else f"{len(inside)} contacts"
        text = f"{contacts}{_of(cap, value)} within {cap.window}, at most {cap.max}"
        if cap.max == 0:
            return Trip(cap.label, text, None)
        return Trip(cap.label, text, sorted(inside)[len(inside) - cap.max])

    def _standing(self, scope: Scope, length: int) -> dict[str | None, list[int]]:
        """When each contact in the window leaves it, by what the cap counts by."""
        found = self.standing.get((scope, length))
        if found is None:
            found = self.standing[scope, length] = {}
            since = self.now - length
            for slot in self.slots:
                if slot.at >= since:
                    found.setdefault(scoped(slot, scope), []).append(slot.leaves(length))
        return found


def scoped(of: Candidate | Slot, scope: Scope) -> str | None:
    """What a cap counts by: a channel, issue, group or action; nothing for the total."""
    if scope == "total":
        return None
    if scope == "channel":
        return of.channel
    if isinstance(of, Slot):
        return of.action if scope == "action" else of.group if scope == "group" else of.issue
    action = of.action
    return action.name if scope == "action" else action.group if scope == "group" else action.issue


def _of(cap: Cap, value: str | None) -> str:
    return "" if cap.scope == "total" else f" on {value}" if cap.scope == "channel" else f" of {cap.scope} {value}"


def _words(kind: str) -> str:
    return {"case_opened": "case"}.get(kind, kind)


def _day(at: int) -> str:
    return clock.isoformat(at)[:10]
