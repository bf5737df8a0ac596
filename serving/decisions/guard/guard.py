"""Every rule about one customer at one instant. What several candidates share is worked out once.

Pure: it sees what was read and says what it thinks; the store makes it binding by compare-and-swap.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from serving.decisions.arms import arms
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact, Customer, Evidence
from serving.decisions.fate import Trip
from serving.decisions.guard import consent, rests, signals
from serving.decisions.guard.calendar import Calendar, zone
from serving.decisions.guard.counting import NO_ZONE, Full
from serving.decisions.guard.gates import HORIZON, Asked, Found, Gate, day, gated, joined, refused, together
from serving.decisions.guard.plan import Bound, plan_of
from serving.decisions.guard.pressure import Weighing, pressed
from serving.decisions.guard.quiet import QuietTime, known_country
from serving.decisions.guard.standing import standing
from serving.decisions.policy import Playbook, Signal
from serving.decisions.request import Direction


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
        #: Names of actions and groups of which something is known that is about them alone.
        self.personal = rests.concerned(customer, playbook.actions)
        self._full: Full | None = None
        self._shared: dict[int, Found] = {}
        self._whole: dict[tuple[str, str], Found] = {}
        self._asked: Asked = {}
        self._moments: dict[tuple[int, int, tuple[Gate, ...]], int | None] = {}
        self._selling: list[Found] | None = None
        self._rest: Found | None = None
        self._weighed: Weighing | None = None
        self._calendar: Calendar | None = None
        self._zoned = False

    # verdicts

    def trips(self, candidate: Candidate) -> tuple[Trip, ...]:
        """Every rule that refuses this candidate, each with the earliest instant at which it would pass."""
        return self._of(candidate).trips

    def all_trips(self, candidates: Sequence[Candidate]) -> list[tuple[Trip, ...]]:
        """The same for each. With no cap full, treatments of a kind are alike but for what concerns their action."""
        full, bound, shared, personal = self._full or self._fill(), self.plan.bound, self._shared, self.personal
        if full.any:
            return [self._of(candidate).trips for candidate in candidates]
        found = []
        for candidate in candidates:
            of = bound.get(candidate.key)
            alike = None if of is None or of.reveals or of.names & personal else shared.get(of.kind)
            found.append((alike or self._of(candidate)).trips)
        return found

    def passes_at(self, candidate: Candidate, start: int = 0) -> int | None:
        """The earliest instant, from now and from `start` on, at which every rule passes if nothing else happens.

        None where there is none.
        """
        _, until, gates = self._of(candidate)
        if until is None:
            return None
        begin = max(self.now, start)
        key = begin, max(begin, until), gates
        if key not in self._moments:
            self._moments[key] = together(gates, key[1], begin + HORIZON, self._asked)
        return self._moments[key]

    def evidence(self, signal: Signal) -> Evidence:
        """What an action that reveals this may rest on."""
        return signals.evidence(self.customer, signal, self.policy.signals, self.now)

    def pressure(self) -> int:
        """How many contacts stand in the policy's recent past, for what one more is expected to harm."""
        since = self.now - self.policy.harm.length
        return sum(contact.at >= since for contact in self.contacts)

    # rules

    def _of(self, candidate: Candidate) -> Found:
        key = candidate.key
        bound = self.plan.bound.get(key) or self._learn(candidate)
        full = self._full or self._fill()
        shared = self._shared.get(bound.shape if full.any else bound.kind) or self._share(bound, full)
        personal = bool(bound.names & self.personal)
        if not (personal or bound.reveals or (full.any and bound.own_caps)):
            return shared
        found = self._whole.get(key)
        if found is None:
            own = [*self._own(bound, personal), *full.of(bound.own_caps)]
            found = self._whole[key] = joined([shared, *own]) if own else shared
        return found

    def _learn(self, candidate: Candidate) -> Bound:
        """A treatment that the playbook does not know: what was counted so far may lack what it counts by."""
        self._full = None
        return self.plan.add(candidate)

    def _share(self, bound: Bound, full: Full) -> Found:
        """What all treatments of one kind have in common; where caps are full, all of one shape."""
        found = self._shared.get(bound.kind)
        if found is None:
            found = self._shared[bound.kind] = joined(self._of_kind(bound))
        if not full.any:
            return found
        capped = {id(part): part for part in full.of(bound.caps)}  # an unknown zone is told once
        if NO_ZONE.trips[0] in found.trips:
            capped.pop(id(NO_ZONE), None)
        found = self._shared[bound.shape] = joined([found, *capped.values()]) if capped else found
        return found

    def _own(self, bound: Bound, personal: bool) -> Iterator[Found]:
        if personal:
            profile, actions = self.customer.profile, self.playbook.actions
            for trip in rests.after_rejection(profile, actions, self.policy.cool_down, bound.action, self.now):
                yield refused(trip)
            for trip in rests.withheld(self.customer, bound.action.name, self.now):
                yield refused(trip)
        if bound.reveals:
            yield from map(refused, self._unfounded(bound.action.reveals))

    def _of_kind(self, bound: Bound) -> Iterator[Found]:
        """Consent, rests and quiet: whatever the action, but for its purpose and whether it sells."""
        channel, policy, profile = bound.channel, self.policy, self.customer.profile
        purpose = bound.action.purpose
        no = consent.refusal(self.customer, policy.consent, channel, purpose, self.now, self.direction)
        if no is not None:
            yield refused(no)
        if self.customer.restricted and (self.outbound or bound.sells):
            yield refused(Trip("restricted", "processing of this customer's data is restricted", None))
        if bound.sells:
            yield from self._sales_rests()
        if not self.outbound:
            return
        if policy.quiet is not None and policy.quiet.binds(channel):
            yield self.quiet()
        if bound.exempt:
            return
        if profile.paused is not None and self.now < profile.paused.until:
            text = f"asked on {day(profile.paused.at)} to be left alone until {day(profile.paused.until)}"
            yield refused(Trip("paused", text, profile.paused.until))
        ignored = policy.cool_down.after_ignored
        if ignored is not None and len(self.contacts) >= ignored.count:
            gate = rests.unheard(ignored, channel, self.contacts, profile)
            yield from () if gate is None else (gated(gate, self.now),)
        if policy.pressure is not None:
            if self._weighed is None:
                self._weighed = Weighing(policy.pressure, self.contacts, self.now)
            if (trip := pressed(policy.pressure, channel, self._weighed, self.factor)) is not None:
                yield refused(trip)

    def _sales_rests(self) -> list[Found]:
        if self._selling is None:
            profile, policy = self.customer.profile, self.policy
            trips = [*rests.open_cases(profile, policy, self.now)]
            trips += rests.after_complaint(profile, policy.cool_down, self.now)
            self._selling = [refused(trip) for trip in trips]
        return self._selling

    def quiet(self) -> Found:
        """One for all channels."""
        if self._rest is None:
            self._rest = self._quiet_time()
        return self._rest

    def _quiet_time(self) -> Found:
        rule, calendar, profile = self.policy.quiet, self._local(), self.customer.profile
        assert rule is not None
        if calendar is None:
            return NO_ZONE
        country = subdivision = None
        if rule.holidays:
            stated, part = profile.fact("country", self.now), profile.fact("subdivision", self.now)
            country = known_country(stated.value if stated is not None else rule.country)
            if country is None and self.policy.unknown_zone == "refuse":
                text = "the customer's country is unknown, and so are its public holidays"
                return refused(Trip("country", text, None))
            subdivision = part.value if part is not None and isinstance(part.value, str) else None
        return gated(QuietTime(rule, calendar, country, subdivision), self.now)

    def _unfounded(self, reveals: Sequence[Signal]) -> Iterator[Trip]:
        """An action may show what it reveals only where each signal stands on something shown knowingly."""
        for signal in reveals:
            found = self.evidence(signal)
            if found.newest_usable_at is None:
                yield Trip("signal", f"reveals {signals.described(signal)}: {found.why_not}", found.passes_at)

    def _fill(self) -> Full:
        caps = self.plan.caps if self.outbound else []
        calendar = self._local() if caps and self.plan.calendar else None
        self._full = Full(caps, self.plan.counted, self.contacts, self.factor, self.now, calendar)
        return self._full

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
    return Guard(customer, playbook, now, direction, factor).all_trips(candidates)


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
    standing_in = arms(customer.arm_id, playbook.policy)
    if not standing_in.may(action, playbook.policy):  # since ids were merged, or the policy holds out more
        return (Trip("holdout", "the customer is in an arm that nothing is sold to", None),)
    guard = Guard(others, playbook, now, "outbound", standing_in.factor, claiming=True)
    return guard.trips(Candidate(action, contact.channel))


def stamp(customer: Customer, playbook: Playbook, now: int) -> tuple[str | None, str | None]:
    """(local day, zone) to write on a claim made now: ("2026-05-04", "Europe/Berlin"), as far as known."""
    calendar = calendar_of(customer, playbook, now)
    if calendar is None:
        return None, None
    return date.fromordinal(calendar.day(now)).isoformat(), calendar.zone.key


def _withdrawn(text: str) -> Trip:
    return Trip("action withdrawn", text, None)
