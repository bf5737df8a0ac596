"""Store and guard together against a naive ledger: thousands of steps, and the same verdict at each of them.

The ledger keeps what happened to one customer as plain lists and asks the naive guard (guard_oracle). It shares no code
with the store: not the profile, not the packed state, not the life of a contact.
"""

import itertools
from dataclasses import replace
from typing import Any

import guard_oracle as oracle
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from stores import Place
from worlds import ACTIONS, CHANNELS, EXEMPT, NOW, flat, policy, request

from features.clock import DAY, HOUR
from features.hashing import hash_string
from serving.decisions.customer import Contact, Touch
from serving.decisions.decide import decide
from serving.decisions.decision import Candidate
from serving.decisions.guard import judge_claim
from serving.decisions.policy import Playbook
from serving.decisions.profile import Told
from serving.store import Store
from serving.store.protocol import Conflict

BOOK = Playbook(
    ACTIONS,
    policy(
        exempt=EXEMPT,
        consent={"unknown": "denied", "assumed": ["email", "phone"]},
        caps=[
            {"scope": "total", "max": 4, "window": "7d"},
            {"scope": "channel", "name": "phone", "max": 1, "window": "3d"},
            {"scope": "group", "max": 3, "window": "5d"},
            {"scope": "action", "max": 1, "window": "1d"},
        ],
        cool_down={"after_rejection": {"action": "2d", "group": "1d"}, "after_complaint": "1d"},
        open_case={"without_case": "1d"},
        exploration={"epsilon": 0.7},
        reservation={"expires": "12h"},
    ),
)
numbers = itertools.count(1)


class Ledger(RuleBasedStateMachine):
    """One customer of a store that all examples share."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.customer_id = f"customer-{next(numbers)}"
        self.clock = self.seen = NOW
        self.told: list[Told] = []
        self.touches: list[Touch] = []
        self.contacts: dict[str, Contact] = {}

    @property
    def now(self) -> int:
        return max(self.clock, self.seen)

    def refused(self, candidate: Candidate, now: int, inbound: bool = False, claiming: bool = False) -> bool:
        selling = candidate.action.issue != "service"
        contacts = [c for c in self.contacts.values() if not (claiming and c.state == "reserved")]
        capped = not inbound and candidate.action.exempt is None
        return (
            oracle.consent_denied(candidate.channel, self.told, BOOK.policy, inbound)
            or (selling and oracle.has_open_case(self.told, BOOK.policy, now))
            or (selling and oracle.rests_after_complaint(self.told, BOOK.policy, now))
            or oracle.rests_after_rejection(candidate, self.told, ACTIONS, BOOK.policy, now)
            or (capped and bool(oracle.caps_tripped(candidate, contacts, self.touches, ACTIONS, BOOK.policy, now)))
        )

    @rule(step=st.sampled_from([1, HOUR, 6 * HOUR, 12 * HOUR, DAY, 3 * DAY]))
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
        if (contact := decision.contact) is not None:
            self.contacts[contact.contact_id] = contact
            self.seen = max(self.seen, now)

    @precondition(lambda self: self.contacts)
    @rule(data=st.data())
    def claims(self, data: st.DataObject) -> None:
        contact = self.contacts[data.draw(st.sampled_from(sorted(self.contacts)))]
        now, candidate = self.now, Candidate(ACTIONS.by_name[contact.action], contact.channel)
        lapsed = contact.state != "reserved" or now >= contact.expires_at
        if lapsed or self.refused(candidate, now, claiming=True):
            with pytest.raises(Conflict):
                self.store.claim(contact.contact_id, self.clock, recheck).result()
            return
        self.store.claim(contact.contact_id, self.clock, recheck).result()
        self.contacts[contact.contact_id] = replace(contact, state="claimed", touched_at=now)
        self.seen = max(self.seen, now)

    @precondition(lambda self: self.contacts)
    @rule(data=st.data(), other_tool=st.booleans())
    def reports_sent(self, data: st.DataObject, other_tool: bool) -> None:
        """By the channel, or by another tool's log that names our decision: the same contact, once."""
        contact = self.contacts[data.draw(st.sampled_from(sorted(self.contacts)))]
        if other_tool:
            told = {"decision_id": contact.decision_id, "action": contact.action}
            self._record(type="sent", direction="outbound", channel=contact.channel, **told)
        else:
            self.store.sent(contact.contact_id, self.clock).result()
        if contact.state != "sent":
            self.seen = max(self.seen, self.clock)
            touched = contact.touched_at if contact.state == "claimed" else self.clock
            self.contacts[contact.contact_id] = replace(contact, state="sent", touched_at=touched)

    @precondition(lambda self: self.contacts)
    @rule(data=st.data())
    def reports_failed(self, data: st.DataObject) -> None:
        contact = self.contacts[data.draw(st.sampled_from(sorted(self.contacts)))]
        if contact.state == "sent":
            with pytest.raises(Conflict):
                self.store.failed(contact.contact_id, self.clock).result()
            return
        self.store.failed(contact.contact_id, self.clock).result()
        self.contacts[contact.contact_id] = replace(contact, state="failed")

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

    @rule(channel=st.sampled_from(CHANNELS), action=st.sampled_from([None, "a", "notice"]), failed=st.booleans())
    def another_tool_contacts(self, channel: str, action: str | None, failed: bool) -> None:
        kind = "failed" if failed else "email_sent"
        self._record(type=kind, direction="outbound", channel=channel, action=action)
        self.touches.append(Touch(self.clock, channel, kind, action))

    def _record(self, **changes: Any) -> str:
        row = {
            "interaction_id": f"{self.customer_id}-{next(numbers)}",
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


def recheck(customer: Any, contact: Contact, now: int) -> str | None:
    return "; ".join(trip.text for trip in judge_claim(customer, contact, BOOK, now)) or None


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
