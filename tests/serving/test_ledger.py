"""Store and guard together against a naive ledger: thousands of steps, and the same verdict at each of them.

The ledger keeps what happened to one customer as plain lists and asks the naive guard (guard_oracle). It shares no code
with the store: not the profile, not the packed state, not the life of a contact.
"""

import itertools
from dataclasses import replace
from typing import Any

import guard_oracle as oracle
import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from stores import Place
from worlds import ACTIONS, CHANNELS, EXEMPT, flat, policy, request

from features.clock import DAY, HOUR, MINUTE, isoformat, parse_instant
from features.hashing import hash_string
from serving.decisions.customer import Contact, Touch
from serving.decisions.decide import decide
from serving.decisions.decision import Candidate
from serving.decisions.guard import judge_claim, stamp
from serving.decisions.policy import Playbook
from serving.decisions.profile import Told
from serving.store import Store
from serving.store.protocol import Conflict, Verdict

BOOK = Playbook(
    ACTIONS,
    policy(
        exempt=EXEMPT,
        consent={"unknown": "denied", "assumed": ["email", "phone"]},
        caps=[
            {"scope": "total", "max": 4, "window": "7d"},
            {"scope": "total", "limit": "3 per local week"},
            {"scope": "channel", "name": "phone", "max": 1, "window": "3d"},
            {"scope": "channel", "limit": "1 per local day"},
            {"scope": "group", "max": 3, "window": "5d"},
            {"scope": "action", "max": 1, "window": "1d"},
        ],
        cool_down={
            "after_rejection": {"action": "2d", "group": "1d"},
            "after_complaint": "1d",
            "after_ignored": {"count": 2, "rest": "2d"},
        },
        unknown_zone="company",
        quiet={"hours": "22:00-02:30", "weekdays": ["sun"], "channels": ["phone", "web"]},
        pressure={"half_life": "3d", "limit": 1.2, "weights": {"phone": 0.6}, "other": 0.3},
        open_case={"without_case": "1d"},
        exploration={"epsilon": 0.7},
        withholding={"share": 0.1},
        reservation={"expires": "12h"},
    ),
)
#: The clocks change in New York on the 8th and in Berlin on the 29th, back in Lord Howe on 4 April.
STARTS = [parse_instant(day) for day in ("2026-03-07T12:00:00Z", "2026-03-28T18:00:00Z", "2026-04-03T12:00:00Z")]
ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Nowhere/At_All"]
numbers = itertools.count(1)


class Ledger(RuleBasedStateMachine):
    """One customer of a store that all examples share."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.customer_id = f"customer-{next(numbers)}"
        self.clock = self.seen = self.named = 0
        self.told: list[Told] = []
        self.touches: list[Touch] = []
        self.records: list[tuple[int, int, dict[str, Any]]] = []
        self.contacts: dict[str, Contact] = {}

    @initialize(start=st.sampled_from(STARTS))
    def begins(self, start: int) -> None:
        self.clock = start

    @property
    def now(self) -> int:
        return max(self.clock, self.seen)

    def refused(self, candidate: Candidate, now: int, inbound: bool = False, claiming: bool = False) -> bool:
        return bool(oracle.tripped(self.world, candidate, now, inbound, reserved=not claiming))

    @property
    def world(self) -> oracle.World:
        return oracle.World(BOOK, self.told, list(self.contacts.values()), self.touches, self.records)

    @rule(step=st.sampled_from([1, 30 * MINUTE, HOUR, 6 * HOUR, 12 * HOUR, DAY, 3 * DAY]))
    def time_passes(self, step: int) -> None:
        self.clock += step

    @rule(channel=st.sampled_from([*CHANNELS, None]), inbound=st.booleans(), uniform=st.floats(0, 1, exclude_max=True))
    def asks(self, channel: str | None, inbound: bool, uniform: float) -> None:
        customer = self.store.read(self.customer_id).customer
        now = customer.now(self.clock)
        assert now == self.now
        direction = "inbound" if inbound else "outbound"
        asked = request(self.customer_id, next(numbers), channel=channel, direction=direction)
        decision = decide(asked, customer, flat(), BOOK, now, uniform)
        for fate in decision.fates:
            assert (fate.stage == "guard") == self.refused(fate.candidate, now, inbound), fate
        assert self.store.commit_decision(decision).result().status == "committed"
        for contact in decision.contacts:
            self.contacts[contact.contact_id] = contact
            self.seen = max(self.seen, now)

    @precondition(lambda self: self.contacts)
    @rule(data=st.data())
    def claims(self, data: st.DataObject) -> None:
        contact = self.contacts[data.draw(st.sampled_from(list(self.contacts)))]
        now, candidate = self.now, Candidate(ACTIONS.by_name[contact.action], contact.channel)
        lapsed = contact.state != "reserved" or now >= contact.expires_at
        if lapsed or self.refused(candidate, now, claiming=True):
            with pytest.raises(Conflict):
                self.store.claim(contact.contact_id, self.clock, recheck).result()
            return
        self.store.claim(contact.contact_id, self.clock, recheck).result()
        where = oracle.zone(self.world, now)
        today = oracle.wall(now, where).date().isoformat()
        waits = now + oracle.length(ACTIONS.by_name[contact.action].response_window)
        claimed = contact._replace(state="claimed", touched_at=now, local_day=today, zone=where.key, respond_by=waits)
        self.contacts[contact.contact_id] = claimed
        read = {each.contact_id: each for each in self.store.read(self.customer_id).customer.contacts}
        assert read[contact.contact_id] == claimed
        self.seen = max(self.seen, now)

    @precondition(lambda self: self.contacts)
    @rule(data=st.data(), other_tool=st.booleans())
    def reports_sent(self, data: st.DataObject, other_tool: bool) -> None:
        """By the channel, or by another tool's log that names our decision: the same contact, once."""
        contact = self.contacts[data.draw(st.sampled_from(list(self.contacts)))]
        if other_tool:
            told = {"decision_id": contact.decision_id, "action": contact.action}
            self._record(type="sent", direction="outbound", channel=contact.channel, **told)
        else:
            self.store.sent(contact.contact_id, self.clock).result()
        if contact.state != "sent":
            self.seen = max(self.seen, self.clock)
            went = contact._replace(state="sent")
            if contact.state != "claimed":  # nobody judged it, nobody stamped its day
                waits = self.clock + oracle.length(ACTIONS.by_name[contact.action].response_window)
                went = went._replace(touched_at=self.clock, local_day=None, zone=None, respond_by=waits)
            self.contacts[contact.contact_id] = went

    @precondition(lambda self: self.contacts)
    @rule(data=st.data())
    def reports_failed(self, data: st.DataObject) -> None:
        contact = self.contacts[data.draw(st.sampled_from(list(self.contacts)))]
        if contact.state in ("sent", "ghost"):
            with pytest.raises(Conflict):
                self.store.failed(contact.contact_id, self.clock).result()
            return
        self.store.failed(contact.contact_id, self.clock).result()
        self.contacts[contact.contact_id] = contact._replace(state="failed")

    @rule(
        type=st.sampled_from(
            ["consent_given", "opted_out", "complained", "rejected", "complaint", "case_opened", "case_closed"]
        ),
        channel=st.sampled_from(CHANNELS),
        action=st.sampled_from(["a", "b", "c"]),
        case_id=st.sampled_from([None, "x"]),
        ago=st.sampled_from([0, 0, HOUR, 2 * DAY]),
    )
    def tells(self, type: str, channel: str, action: str, case_id: str | None, ago: int) -> None:
        at = self.clock - ago
        interaction_id = self._record(type=type, channel=channel, action=action, case_id=case_id, occurred_at=at)
        self.told.append(Told(hash_string(interaction_id), at, channel, "inbound", type, case_id, action))

    @rule(
        type=st.sampled_from(["consent_given", "opted_out", "consent_given"]),
        channels=st.sampled_from([["email"], ["phone", "web"], "all"]),
        purposes=st.sampled_from([None, ["marketing"], ["service"], "all"]),
    )
    def consents(self, type: str, channels: list[str] | str, purposes: list[str] | str | None) -> None:
        about = {"channels": channels} | ({} if purposes is None else {"purposes": purposes})
        interaction_id = self._record(type=type, attributes=orjson.dumps(about).decode())
        listed = ["*"] if channels == "all" else list(channels)
        if isinstance(purposes, list):
            listed = [f"{channel}/{purpose}" for channel in listed for purpose in purposes]
        told = Told(hash_string(interaction_id), self.clock, "email", "inbound", type, scope=tuple(listed))
        self.told.append(told)

    @rule(type=st.sampled_from(["contact_less_often", "contact_as_usual", "contact_paused"]), days=st.integers(0, 3))
    def asks_for_rest(self, type: str, days: int) -> None:
        until = self.clock + days * DAY
        more = {"attributes": orjson.dumps({"until": isoformat(until)}).decode()} if type == "contact_paused" else {}
        interaction_id = self._record(type=type, **more)
        told = Told(hash_string(interaction_id), self.clock, "email", "inbound", type)
        self.told.append(replace(told, until=until) if more else told)

    @precondition(lambda self: self.contacts)
    @rule(data=st.data(), channel=st.sampled_from(CHANNELS))
    def answers(self, data: st.DataObject, channel: str) -> None:
        """Somewhere else, perhaps: the contact's own channel is listened to."""
        contact = self.contacts[data.draw(st.sampled_from(list(self.contacts)))]
        told = {"type": "clicked", "channel": channel, "decision_id": contact.decision_id}
        interaction_id = self._record(**told)
        answered = Told(hash_string(interaction_id), self.clock, channel, "inbound", "clicked", answers=contact.channel)
        self.told.append(answered)

    @rule(zone=st.sampled_from(ZONES), learned=st.sampled_from([0, HOUR]))
    def moves(self, zone: str, learned: int) -> None:
        """The company hears of it now; it is true from then on, or only in an hour."""
        row = {
            "record_id": f"{self.customer_id}-{next(numbers)}",
            "customer_id": self.customer_id,
            "valid_from": self.clock + learned,
            "received_at": self.clock,
            "attributes": orjson.dumps({"time_zone": zone}).decode(),
        }
        if any(record[:2] == (row["valid_from"], row["received_at"]) for record in self.records):
            return
        assert self.store.record_attributes([row, row]).result().accepted == 1
        self.records.append((row["valid_from"], row["received_at"], {"time_zone": zone}))

    @rule(channel=st.sampled_from(CHANNELS), action=st.sampled_from([None, "a", "notice"]), failed=st.booleans())
    def another_tool_contacts(self, channel: str, action: str | None, failed: bool) -> None:
        kind = "failed" if failed else "email_sent"
        self._record(type=kind, direction="outbound", channel=channel, action=action)
        self.touches.append(Touch(self.clock, channel, kind, action))

    def _name(self) -> str:
        """Ties at one instant go by the hash of the id: here by the order of telling, so that examples repeat."""
        self.named += 1
        ids = (f"{self.customer_id}-{self.named}-{salt}" for salt in itertools.count())
        return next(name for name in ids if hash_string(name) >> 56 == self.named)

    def _record(self, **changes: Any) -> str:
        row = {
            "interaction_id": self._name(),
            "customer_id": self.customer_id,
            "occurred_at": self.clock,
            "received_at": self.clock,
            "channel": "email",
            "direction": "inbound",
            "identified": True,
            "provenance": "observed",
        } | changes
        assert self.store.record([row, row]).result().accepted == 1
        self.seen = max(self.seen, row["occurred_at"])
        return row["interaction_id"]


def recheck(customer: Any, contact: Contact, now: int) -> Verdict:
    trips = judge_claim(customer, contact, BOOK, now)
    return Verdict("; ".join(trip.text for trip in trips) or None, *stamp(customer, BOOK, now))


def play(place: Place, examples: int, steps: int) -> None:
    with place.open() as store:
        machine = type("Played", (Ledger,), {"store": store})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_same_verdicts_as_a_naive_ledger(place):
    play(place, examples=15, steps=40)


@pytest.mark.slow
def test_same_verdicts_as_a_naive_ledger_for_thousands_of_steps(place):
    play(place, examples=150, steps=80)
