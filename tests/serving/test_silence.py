"""Response windows that end without a response: an outcome, once, that later responses and the guard agree with."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_store import ask, contact_id, numbers, recheck, row
from worlds import NOW, playbook

from features.clock import DAY, HOUR
from features.history import History
from serving import silence, sync
from serving.decisions.guard.rests import Ignored
from serving.decisions.guard.standing import standing
from serving.decisions.policy import AfterIgnored
from serving.nudges import commands
from serving.schemas import DecideRequest, OutcomeRequest

BOOK = playbook()
WINDOW = 7 * DAY


def sent(store, customer_id="C1", now=NOW, report=True, **asked):
    """A contact that went out, or that was only claimed."""
    made = contact_id(ask(store, BOOK, now, customer_id, **asked))
    store.claim(made, now, recheck(BOOK)).result()
    return store.sent(made, now).result() if report else store.contact(made)


def outcomes(store, kind="no_response"):
    return [line for line in store.export("interactions", 0) if line["type"] == kind]


def test_a_window_that_ends_without_a_response_is_an_outcome_once(store):
    contact = sent(store)
    assert silence.settle(store, NOW + WINDOW - 1) == 0
    assert silence.settle(store, NOW + WINDOW) == 1
    assert silence.settle(store, NOW + WINDOW + DAY) == 0
    (told,) = outcomes(store)
    assert (told["decision_id"], told["action"], told["channel"]) == (contact.decision_id, contact.action, "email")
    assert (told["occurred_at"], told["received_at"]) == (contact.respond_by, NOW + WINDOW)
    assert (told["customer_id"], told["direction"]) == ("C1", "outbound")


@pytest.mark.parametrize("report", ["sent", "failed"])
def test_a_claim_has_no_response_only_once_it_is_known_to_have_gone_out(store, report):
    """Reported late as failed, it keeps no outcome of a contact that never was."""
    made = sent(store, report=False).contact_id
    assert silence.settle(store, NOW + WINDOW) == 0
    getattr(store, report)(made, NOW + WINDOW + DAY).result()
    assert silence.settle(store, NOW + WINDOW + DAY) == (report == "sent")
    assert len(outcomes(store)) == (report == "sent")


@pytest.mark.parametrize("state", ["reserved", "failed", "expired"])
def test_what_did_not_go_out_is_answered_by_nobody(store, state):
    made = contact_id(ask(store, BOOK))
    if state == "failed":
        store.failed(made, NOW).result()
    if state == "expired":
        ask(store, BOOK, NOW + 2 * DAY)
        assert store.contact(made).state == "expired"
    assert silence.settle(store, NOW + WINDOW) == 0


@pytest.mark.parametrize(
    ("told", "silent"),
    [
        ({"type": "clicked"}, 0),
        ({"type": "rejected"}, 0),
        ({"type": "purchase"}, 1),  # no reaction to the contact
        ({"type": "clicked", "channel": "phone"}, 1),
        ({"type": "clicked", "occurred_at": NOW - 1}, 1),  # to what came before
        ({"type": "accepted", "occurred_at": NOW + WINDOW + HOUR}, 0),  # late, but before anyone looked
    ],
)  # fmt: skip
def test_a_reaction_on_the_channel_ends_the_silence(store, told, silent):
    sent(store)
    store.record([row(next(numbers), **({"occurred_at": NOW + HOUR, "received_at": NOW + HOUR} | told))]).result()
    assert silence.settle(store, NOW + WINDOW + 2 * HOUR) == silent
    assert silence.settle(store, NOW + 3 * WINDOW) == 0


def test_a_response_to_the_decision_counts_for_its_channel_wherever_it_came(store):
    contact = sent(store)
    late = row(next(numbers), type="accepted", channel="web", occurred_at=NOW + HOUR, decision_id=contact.decision_id)
    store.record([late]).result()
    assert silence.settle(store, NOW + WINDOW) == 0


def test_an_answer_under_another_id_of_the_person_is_an_answer(store):
    sent(store, "C1")
    link = {"link_id": "l1", "identifier": "C2", "kind": "customer", "customer_id": "C1", "valid_from": NOW,
            "received_at": NOW, "op": "link"}  # fmt: skip
    store.record_links([link]).result()
    store.record([row(next(numbers), customer_id="C2", type="clicked", occurred_at=NOW + HOUR)]).result()
    assert silence.settle(store, NOW + WINDOW) == 0


def test_whoever_was_erased_meanwhile_is_silent_for_good(store):
    sent(store)
    waiting = store.unsettled(NOW + WINDOW)
    rows = silence._silent(store, waiting, NOW + WINDOW)
    store.erase(["C1"], b"salt", NOW + HOUR).result()
    assert store.settle([each.contact_id for each in waiting], rows, NOW + WINDOW).result() == 0
    assert outcomes(store) == []


def test_more_than_a_page_are_all_settled(store, monkeypatch):
    monkeypatch.setattr(silence, "PAGE", 3)
    for i in range(8):
        sent(store, f"C{i}")
    assert silence.settle(store, NOW + WINDOW) == 8
    assert len(outcomes(store)) == 8


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["contact", "clicked", "purchase", "settle"]), st.integers(0, 3)),
        min_size=2, max_size=12,
    )
)  # fmt: skip
def test_what_is_recorded_is_what_the_guard_counts_as_ignored(store, steps):
    """Whenever the timer comes by: those without a response are the ones that close the channel, as known by then."""
    customer_id, now = f"C{next(numbers)}", NOW
    for kind, hours in [*steps, ("settle", 10)]:
        now += hours * 20 * HOUR
        if kind == "contact":
            sent(store, customer_id, now)
        elif kind == "settle":
            before = recorded(store, customer_id)
            silence.settle(store, now)
            assert recorded(store, customer_id) == before | closed(store, customer_id, now)
        else:
            told = row(next(numbers), customer_id=customer_id, type=kind, occurred_at=now, received_at=now)
            store.record([told]).result()


def closed(store, customer_id, now):
    """When each of the contacts closed that the guard takes for ignored by now."""
    customer = store.read(customer_id).customer
    gate = Ignored(AfterIgnored(count=1, rest="1d"), "email", standing(customer, BOOK, now),
                   customer.profile.answered.get("email"))  # fmt: skip
    return {at for at in gate.closes if at <= now}


def recorded(store, customer_id):
    return {line["occurred_at"] for line in outcomes(store) if line["customer_id"] == customer_id}


async def reached(engine):
    decision = await engine.decide(DecideRequest(customer_id="sam", channel="email"))
    await engine.claim(decision["contact_id"], None)
    await engine.sent(decision["contact_id"])
    return decision


def shift(engine, monkeypatch, by):
    engine.clock = replace(engine.clock, anchor=engine.clock.anchor - by)
    monkeypatch.setattr(type(engine.workspace), "clock", lambda _: engine.clock)


def test_sync_settles_and_history_gets_it(shop, engine, monkeypatch):
    decision = asyncio.run(reached(engine))
    shift(engine, monkeypatch, 8 * DAY)
    sync.sync(shop, engine.store)
    kinds = [line["type"] for line in History(shop).interactions(customers=["sam"]).to_pylist()]
    assert sorted(kinds) == ["contact", "no_response"]
    late = asyncio.run(engine.outcome(OutcomeRequest(decision_id=decision["decision_id"], outcome="accepted")))
    assert late["accepted"]
    profile = engine.read("sam").customer.profile
    assert profile.answered["email"].at > decision_time(engine, decision)
    again = asyncio.run(engine.outcome(OutcomeRequest(decision_id=decision["decision_id"], outcome="no_response")))
    assert not again["accepted"], "the channel tells what we know"
    sync.sync(shop, engine.store)
    kinds = [line["type"] for line in History(shop).interactions(customers=["sam"]).to_pylist()]
    assert sorted(kinds) == ["accepted", "contact", "no_response"]


def decision_time(engine, decision):
    return engine.store.contact(decision["contact_id"]).touched_at


def test_the_timer_settles(engine, monkeypatch):
    asyncio.run(reached(engine))
    shift(engine, monkeypatch, 8 * DAY)
    assert asyncio.run(commands.round_(engine, []))["silent"] == 1
    assert asyncio.run(commands.round_(engine, []))["silent"] == 0


def test_a_channel_that_told_of_the_silence_itself_is_not_told_again(engine, monkeypatch):
    decision = asyncio.run(reached(engine))
    asyncio.run(engine.outcome(OutcomeRequest(decision_id=decision["decision_id"], outcome="no_response")))
    shift(engine, monkeypatch, 8 * DAY)
    assert silence.settle(engine.store, engine.clock.now()) == 0


def test_contacts_of_one_decision_have_outcomes_of_their_own(store):
    decision = ask(store, BOOK, limit=2, channel=None)
    for each in decision.contacts:
        store.claim(each.contact_id, NOW, recheck(BOOK)).result()
        store.sent(each.contact_id, NOW).result()
    assert len(decision.contacts) == 2
    assert silence.settle(store, NOW + 2 * WINDOW) == 2
    assert {line["action"] for line in outcomes(store)} == {each.action for each in decision.contacts}
