"""Every rule about one customer at one instant. What several candidates share is worked out once.

Pure: it sees what was read and says what it thinks; the store makes it binding by compare-and-swap.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from serving.decisions.arms import arms
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact, Customer, Evidence
from serving.decisions.fate import Trip
from serving.decisions.guard import consent, rests, signals
from serving.decisions.guard.calendar import Calendar, zone
from serving.decisions.guard.caps import CalendarCap, RollingCap, scaled
from serving.decisions.guard.gates import Asked, Gate, Shut, Until, day, together
from serving.decisions.guard.plan import Bound, Counted, plan_of
from serving.decisions.guard.pressure import Weighing, pressed
from serving.decisions.guard.quiet import QuietTime, known_country
from serving.decisions.guard.standing import Standing, standing
from serving.decisions.policy import Playbook, Signal
from serving.decisions.request import Direction

_NO_ZONE = Shut("time zone", "the customer's time zone is unknown")
Found = tuple[tuple[Gate, ...], tuple[Trip, ...]]


class Guard:
    """One customer at one instant. `factor` scales caps and pressure, and nothing else; it never loosens what a
    customer asked for."""

    def __init__(
        self,
        customer: Customer,
        playbook: Playbook,
        now: int,
        direction: Direction,
        factor: float = 1.0,
        claiming: bool = False,
    ) -> None:
        """`claiming`: other reservations do not stand; each of them is judged when its own moment comes."""
        self.customer, self.playbook, self.policy = customer, playbook, playbook.policy
        self.now, self.direction = now, direction
        asked = customer.profile.less_often
        if asked is not None and not asked.granted:
            factor = min(factor, 1.0) / self.policy.cool_down.less_often.factor
        self.factor = factor
        self.plan = plan_of(playbook)
        self.outbound = direction == "outbound"
        self.contacts = standing(customer, playbook, now, claiming) if self.outbound else []
        #: Whether something is known that is about one action alone.
        self.personal = bool(customer.profile.rejected) or any(each.state == "ghost" for each in customer.contacts)
        self._full: dict[Counted, Gate] | None = None if self.outbound else {}
        self._kinds: dict[int, Found] = {}
        self._shapes: dict[int, Found] = {}
        self._tripped: dict[Gate, Trip | None] = {}
        self._asked: Asked = {}
        self._moments: dict[tuple[Gate, ...], int | None] = {}
        self._selling: list[Gate] | None = None
        self._rest: QuietTime | Shut | None = None
        self._weighed: Weighing | None = None
        self._calendar: Calendar | None = None
        self._zoned = False

    # verdicts

    def trips(self, candidate: Candidate) -> tuple[Trip, ...]:
        """Every rule that refuses this candidate, each with the earliest instant at which it would pass."""
        bound = self.plan.bound.get((candidate.action.name, candidate.channel)) or self._learn(candidate)
        full = self._full if self._full is not None else self._fill()
        shared = (self._shapes.get(bound.shape) if full else self._kinds.get(bound.kind)) or self._share(bound)
        if not (self.personal or bound.reveals or (full and bound.own_caps)):
            return shared[1]
        return shared[1] + self._shut(self._own(bound))

    def passes_at(self, candidate: Candidate, start: int = 0) -> int | None:
        """The earliest instant, from now and from `start` on, at which every rule passes if nothing else happens.

        None where there is none.
        """
        bound = self.plan.bound.get((candidate.action.name, candidate.channel)) or self._learn(candidate)
        gates, _ = self._share(bound)
        gates = (*gates, *self._own(bound))
        if start > self.now:
            return together(gates, start, self._asked)
        if gates not in self._moments:
            self._moments[gates] = together(gates, self.now, self._asked)
        return self._moments[gates]

    def evidence(self, signal: Signal) -> Evidence:
        """What an action that reveals this may rest on."""
        return signals.evidence(self.customer, signal, self.policy.signals, self.now)

    def pressure(self) -> int:
        """How many contacts stand in the policy's recent past, for what one more is expected to harm."""
        since = self.now - self.policy.harm.length
        return sum(contact.at >= since for contact in self.contacts)

    # rules

    def _learn(self, candidate: Candidate) -> Bound:
        """A treatment that the playbook does not know: what was counted so far may lack what it counts by."""
        self._full = None if self.outbound else {}
        self._shapes.clear()
        return self.plan.add(candidate)

    def _share(self, bound: Bound) -> Found:
        """What all treatments of one shape have in common: the gates, and those that are shut now."""
        found = self._kinds.get(bound.kind)
        if found is None:
            gates = tuple(self._of_kind(bound))
            found = self._kinds[bound.kind] = gates, self._shut(gates)
        full = self._full if self._full is not None else self._fill()
        if not full:
            return found
        shape = self._shapes.get(bound.shape)
        if shape is None:
            capped = dict.fromkeys(full[counted] for counted in bound.caps if counted in full)
            for gate in found[0]:
                capped.pop(gate, None)
            shape = found[0] + tuple(capped), found[1] + self._shut(capped)
            self._shapes[bound.shape] = shape
        return shape

    def _shut(self, gates: Iterable[Gate]) -> tuple[Trip, ...]:
        found: list[Trip] = []
        for gate in gates:
            if gate not in self._tripped:
                self._tripped[gate] = gate.trip(self.now)
            if (trip := self._tripped[gate]) is not None:
                found.append(trip)
        return tuple(found)

    def _own(self, bound: Bound) -> list[Gate]:
        """What is about the very action."""
        gates: list[Gate] = []
        if self.personal:
            profile, actions = self.customer.profile, self.playbook.actions
            gates += rests.after_rejection(profile, actions, self.policy.cool_down, bound.action, self.now)
            gates += rests.withheld(self.customer, bound.action.name, self.now)
        if bound.reveals:
            gates += self._unfounded(bound.action.reveals)
        if bound.own_caps and self._full:
            gates += [self._full[counted] for counted in bound.own_caps if counted in self._full]
        return gates

    def _of_kind(self, bound: Bound) -> Iterator[Gate]:
        """Consent, rests and quiet: whatever the action, but for its purpose and whether it sells."""
        channel, policy, profile = bound.channel, self.policy, self.customer.profile
        purpose = bound.action.purpose
        refused = consent.refusal(self.customer, policy.consent, channel, purpose, self.now, self.direction)
        if refused is not None:
            yield refused
        if self.customer.restricted and (self.outbound or bound.sells):
            yield Shut("restricted", "processing of this customer's data is restricted")
        if bound.sells:
            yield from self._sales_rests()
        if not self.outbound:
            return
        if policy.quiet is not None and policy.quiet.binds(channel):
            yield self._quiet()
        if bound.exempt:
            return
        if profile.paused is not None and self.now < profile.paused.until:
            text = f"asked on {day(profile.paused.at)} to be left alone until {day(profile.paused.until)}"
            yield Until("paused", text, profile.paused.until)
        ignored = policy.cool_down.after_ignored
        if ignored is not None and len(self.contacts) >= ignored.count:
            yield from rests.unheard(ignored, channel, self.contacts, profile)
        if policy.pressure is not None:
            if self._weighed is None:
                self._weighed = Weighing(policy.pressure, self.contacts, self.now)
            if (gate := pressed(policy.pressure, channel, self._weighed, self.factor)) is not None:
                yield gate

    def _sales_rests(self) -> list[Gate]:
        if self._selling is None:
            profile, policy = self.customer.profile, self.policy
            self._selling = [*rests.open_cases(profile, policy, self.now)]
            self._selling += rests.after_complaint(profile, policy.cool_down, self.now)
        return self._selling

    def _quiet(self) -> Gate:
        """One for all channels."""
        if self._rest is None:
            self._rest = self._quiet_time()
        return self._rest

    def _quiet_time(self) -> QuietTime | Shut:
        rule, calendar, profile = self.policy.quiet, self._local(), self.customer.profile
        assert rule is not None
        if calendar is None:
            return _NO_ZONE
        country = subdivision = None
        if rule.holidays:
            stated, part = profile.fact("country", self.now), profile.fact("subdivision", self.now)
            country = known_country(stated.value if stated is not None else rule.country)
            if country is None and self.policy.unknown_zone == "refuse":
                return Shut("country", "the customer's country is unknown, and so are its public holidays")
            subdivision = part.value if part is not None and isinstance(part.value, str) else None
        return QuietTime(rule, calendar, country, subdivision)

    def _unfounded(self, reveals: Sequence[Signal]) -> Iterator[Gate]:
        """An action may show what it reveals only where each signal stands on something shown knowingly."""
        for signal in reveals:
            found = self.evidence(signal)
            if found.newest_usable_at is None:
                text = f"reveals {signals.described(signal)}: {found.why_not}"
                yield Shut("signal", text) if found.passes_at is None else Until("signal", text, found.passes_at)

    # counting

    def _fill(self) -> dict[Counted, Gate]:
        """The gates of those caps that are full now or, by what has happened already, may be."""
        full = self._full = {}
        calendar = self._local() if self.plan.calendar else None
        number = len(self.contacts)
        for i, cap, length in self.plan.caps:
            most = scaled(cap.max, self.factor)
            if cap.per is not None and calendar is None:
                full |= {(i, value): _NO_ZONE for value in self.plan.counted[i]}
                continue
            if number < most:
                continue
            inside = self._inside(cap.scope, length)
            for value in self.plan.counted[i] if most == 0 else inside:
                counted = inside.get(value, ())
                if len(counted) < most:
                    continue
                if calendar is None or cap.per is None:
                    full[i, value] = RollingCap(cap, value, most, counted)
                else:
                    full[i, value] = CalendarCap(cap, value, most, counted, calendar)
        return full

    def _inside(self, scope: str, length: int) -> dict[str | None, list[Standing]]:
        """What stands in [now - length, now], by what a cap of this scope counts by."""
        since, found = self.now - length, dict[str | None, list[Standing]]()
        inside = [contact for contact in self.contacts if contact.at >= since]
        if scope == "total":
            return {None: inside}
        for contact in inside:
            for value in set(contact.tags) if scope == "tag" else (getattr(contact, scope),):
                if value in found:
                    found[value].append(contact)
                else:
                    found[value] = [contact]
        return found

    def _local(self) -> Calendar | None:
        """The customer's own clock; None where their zone is unknown and the policy does not take the company's."""
        if not self._zoned:
            self._zoned, self._calendar = True, calendar_of(self.customer, self.playbook, self.now)
        return self._calendar


def calendar_of(customer: Customer, playbook: Playbook, now: int) -> Calendar | None:
    """The calendar that a customer's caps and quiet hours go by; None where it is not known."""
    fact = customer.profile.fact("time_zone", now)
    known = None if fact is None else zone(fact.value)
    if known is None and playbook.policy.unknown_zone == "company":
        known = playbook.policy.company_zone
    return None if known is None else Calendar(known)


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
    return [guard.trips(candidate) for candidate in candidates]


def judge_claim(customer: Customer, contact: Contact, playbook: Playbook, now: int) -> tuple[Trip, ...]:
    """Every rule that refuses to let a reserved contact go out now, under the caps of the customer's own arms.

    Other reservations are left out: each of them is judged like this when its own moment comes.
    """
    action = playbook.actions.by_name.get(contact.action)
    if action is None or contact.channel not in action.channels:
        return (_withdrawn(f"action {contact.action} is no longer offered on {contact.channel}"),)
    if not playbook.valid(action, now):
        return (_withdrawn(f"action {contact.action} is not offered at this time"),)
    others = customer
    if any(each.state == "ghost" and each.contact_id == contact.contact_id for each in customer.contacts):
        others = replace(customer, contacts=tuple(c for c in customer.contacts if c.contact_id != contact.contact_id))
    factor = arms(customer.arm_id, playbook.policy).factor
    guard = Guard(others, playbook, now, "outbound", factor, claiming=True)
    return guard.trips(Candidate(action, contact.channel))


def stamp(customer: Customer, playbook: Playbook, now: int) -> tuple[str | None, str | None]:
    """(local day, zone) to write on a claim made now: ("2026-05-04", "Europe/Berlin"), as far as known."""
    calendar = calendar_of(customer, playbook, now)
    if calendar is None:
        return None, None
    return date.fromordinal(calendar.day(now)).isoformat(), calendar.zone.key


def _withdrawn(text: str) -> Trip:
    return Trip("action withdrawn", text, None)
