"""What any store must do; run on every store there is."""

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import orjson
import pyarrow as pa
import pytest
import stores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import NOW, flat, playbook, request

from features.clock import DAY, HOUR
from features.interactions import SCHEMA
from features.state import State
from serving.decisions.decide import decide
from serving.decisions.decision import Decision
from serving.decisions.guard import judge_claim
from serving.decisions.policy import Playbook
from serving.decisions.request import Placement
from serving.store import Store
from serving.store.protocol import Conflict, Key, Unknown

ONE_A_WEEK = {"caps": [{"scope": "total", "max": 1, "window": "7d"}]}
numbers = itertools.count(1)


def row(number: int | str, **changes: Any) -> dict[str, Any]:
    """An interaction of the contract."""
    plain = dict.fromkeys(SCHEMA.names) | {
        "interaction_id": f"i{number}",
        "customer_id": "C1",
        "occurred_at": NOW - HOUR,
        "received_at": NOW - HOUR,
        "channel": "email",
        "direction": "inbound",
        "type": "purchase",
        "identified": True,
        "provenance": "observed",
    }
    return plain | changes


def ask(store: Store, book: Playbook, now: int = NOW, customer_id: str = "C1", **changes: Any) -> Decision:
    """Decides and commits, again after a lost race."""
    number = next(numbers)
    while True:
        customer = store.read(customer_id).customer
        asked = request(customer_id, number, **changes)
        decision = decide(asked, customer, flat(), book, customer.now(now), 0.5)
        if store.commit_decision(decision).result().status == "committed":
            return decision


def recheck(book: Playbook) -> Callable[..., str | None]:
    def judged(customer: Any, contact: Any, now: int) -> str | None:
        return "; ".join(t.text for t in judge_claim(customer, contact, book, now)) or None

    return judged


def contact_id(decision: Decision) -> str:
    assert decision.contact is not None
    return decision.contact.contact_id


# customers and interactions


def test_a_stranger_reads_as_nothing(store):
    read = store.read("nobody")
    assert (read.version, read.state, read.customer.contacts, read.customer.touches) == (0, b"", (), ())


def test_an_id_counts_once_however_often_it_comes(store, opened):
    first = store.record([row(1), row(2), row(1)]).result()
    assert (first.received, first.accepted, first.duplicates, first.fresh) == (3, 2, 1, (True, True, False))
    again = opened().record([row(2, value=99.0), row(3)]).result()
    assert (again.accepted, again.fresh) == (1, (False, True))
    assert len(State.from_bytes(store.read("C1").state).items) == 3
    assert len(store.export("interactions", 0)) == 3


def test_every_recorded_row_is_exported_whole(store):
    store.record([row(1, value=2.5, topic="delivery", case_id="x", satisfaction=0.5, attributes='{"a": 1}')]).result()
    (exported,) = store.export("interactions", 0)
    assert {name: exported[name] for name in SCHEMA.names} == row(
        1, value=2.5, topic="delivery", case_id="x", satisfaction=0.5, attributes='{"a": 1}'
    )
    assert store.export("interactions", exported["position"]) == []


def test_a_bad_row_undoes_its_own_operation_alone(store):
    bad = store.record([row(1), {"interaction_id": "i2"}])
    good = store.record([row(3, type="never seen before")])
    with pytest.raises(KeyError):
        bad.result()
    assert good.result().accepted == 1
    assert store.record([row(1)]).result().accepted == 1  # nothing of the failed operation stayed
    assert [entry[2] for entry in store.vocabulary().entries] == ["never seen before", "purchase"]


def test_codes_given_by_another_process_are_noticed(store, opened):
    other = opened()
    store.record([row(1, type="alpha")]).result()
    other.record([row(2, type="beta")]).result()
    store.record([row(3, type="gamma"), row(4, type="beta")]).result()
    assert [entry[2] for entry in other.vocabulary().entries] == ["alpha", "beta", "gamma"]
    words = store.vocabulary()
    other.record([row(5, type="delta", direction="outbound")]).result()
    assert [touch.type for touch in store.read("C1").customer.touches] == ["delta"]
    assert len(words) == 4  # the same object grew by the read alone
    assert State.from_bytes(store.read("C1").state).top == 3


def test_sensitive_topics_never_enter_a_state_but_count_as_contacts(store):
    store.record([row(1, topic=" Health "), row(2, topic="health", direction="outbound", type="email_sent")]).result()
    read = store.read("C1")
    assert read.state == b""
    assert [touch.type for touch in read.customer.touches] == ["email_sent"]


# consent and what the customer told us


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_latest_word_on_consent_wins_in_any_order(store, order):
    rows = [
        row(1, type="opted_out", occurred_at=NOW - 3 * DAY),
        row(2, type="consent_given", occurred_at=NOW - 2 * DAY),
        row(3, type="opted_out", occurred_at=NOW - DAY, channel="phone", attributes='{"channels": "all"}'),
    ]
    for position in order:
        store.record([rows[position]]).result()
    profile = store.read("C1").customer.profile
    assert not profile.said("email").granted
    assert not profile.said("web").granted
    store.record([row(4, type="consent_given", occurred_at=NOW, attributes={"channels": ["email"]})]).result()
    profile = store.read("C1").customer.profile
    assert profile.said("email").granted
    assert not profile.said("phone").granted


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("everywhere", [False, True])
def test_of_a_yes_and_a_no_at_one_instant_the_no_stands_in_any_order(store, number, everywhere):
    scope = '{"channels": "all"}' if everywhere else None
    yes = row(f"yes{number}", type="consent_given", occurred_at=NOW - DAY)
    no = row(f"no{number}", type="opted_out", occurred_at=NOW - DAY, attributes=scope)
    store.record([yes]).result()
    store.record([no]).result()
    store.record([row(f"{kind}b", customer_id="C2", **told) for kind, told in (("n", _plain(no)), ("y", _plain(yes)))])
    store.record([]).result()
    assert not store.read("C1").customer.profile.said("email").granted
    assert not store.read("C2").customer.profile.said("email").granted


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("type", "occurred_at", "attributes")}


@pytest.mark.parametrize("late", [False, True])
def test_a_crowd_of_visits_hides_no_contact_of_another_tool(store, late):
    """A state holds 4,096 interactions; caps look further."""
    told = [
        row(i, direction="outbound", type="call", occurred_at=NOW - 2 * DAY, action=a) for i, a in ((1, "x"), (2, None))
    ]
    visits = [row(f"v{i}", type="page_view", occurred_at=NOW - DAY + i) for i in range(4_200)]
    for rows in (visits, told) if late else (told, visits):
        table = pa.Table.from_pylist(rows, schema=pa.schema([(f.name, _instants(f.type)) for f in SCHEMA]))
        (store.bulk_load("batch", [table.cast(SCHEMA)]) if rows is visits else store.record(rows).result())
    read = store.read("C1").customer
    assert sorted((t.at, t.channel, t.type, t.action or "") for t in read.touches) == [
        (NOW - 2 * DAY, "email", "call", ""),
        (NOW - 2 * DAY, "email", "call", "x"),
    ]


def _instants(kind: pa.DataType) -> pa.DataType:
    return pa.int64() if pa.types.is_timestamp(kind) else kind


def test_what_a_refusal_was_about_is_logged_with_it(store):
    """A store made anew from history has no decisions to look it up in."""
    decision = ask(store, playbook())
    store.record([row(1, type="rejected", decision_id=decision.decision_id)]).result()
    assert store.export("interactions", 0)[-1]["action"] == decision.chosen.action.name


def test_an_opt_out_binds_at_once_even_what_is_reserved(store):
    book = playbook()
    reserved = ask(store, book)
    store.record([row(1, type="opted_out", occurred_at=NOW)]).result()
    with pytest.raises(Conflict, match="opted out of email"):
        store.claim(contact_id(reserved), NOW, recheck(book)).result()
    assert ask(store, book).chosen is None


def test_a_decision_judged_before_an_opt_out_is_lost(store):
    judged = store.read("C1").customer
    decision = decide(request(number=next(numbers)), judged, flat(), playbook(), NOW, 0.5)
    store.record([row(1, type="opted_out")]).result()
    assert store.commit_decision(decision).result().status == "lost"
    assert store.find_decision("nothing") is None
    assert store.decision(decision.decision_id) is None


def test_an_open_complaint_suppresses_selling_until_its_case_is_closed(store):
    book = playbook()
    store.record([row(1, type="complaint", case_id="x", channel="phone", occurred_at=NOW - 2 * HOUR)]).result()
    helped = ask(store, book)
    assert helped.chosen is not None
    assert helped.chosen.action.issue == "service"
    store.record([row(2, type="case_closed", case_id="x", occurred_at=NOW - HOUR)]).result()
    sold = ask(store, book)
    assert sold.chosen is not None
    assert sold.chosen.action.issue != "service"


def test_a_rejection_cools_the_action_that_the_decision_made(store):
    book = playbook()
    first = ask(store, book, direction="inbound")
    assert first.chosen is not None
    told = row(1, type="rejected", decision_id=first.decision_id, occurred_at=NOW)
    store.record([told]).result()
    second = ask(store, book, now=NOW + HOUR, direction="inbound")
    rule = {fate.candidate.action.name: [t.rule for t in fate.trips] for fate in second.fates}
    assert rule[first.chosen.action.name] == ["cool-down after rejection"]


# the life of a contact


def test_reserved_claimed_sent(store):
    book = playbook(**ONE_A_WEEK)
    decision = ask(store, book)
    assert ask(store, book).chosen is None
    claimed = store.claim(contact_id(decision), NOW + HOUR, recheck(book)).result()
    assert (claimed.state, claimed.touched_at, claimed.breach) == ("claimed", NOW + HOUR, False)
    with pytest.raises(Conflict, match="is claimed"):
        store.claim(contact_id(decision), NOW + HOUR, recheck(book)).result()
    sent = store.sent(contact_id(decision), NOW + 2 * HOUR).result()
    assert (sent.state, sent.touched_at, sent.closed_at, sent.breach) == ("sent", NOW + HOUR, NOW + 2 * HOUR, False)
    assert store.sent(contact_id(decision), NOW + 3 * HOUR).result() == sent
    assert [line["state"] for line in store.export("contacts", 0)] == ["reserved", "claimed", "sent"]
    with pytest.raises(Conflict, match="reported sent"):
        store.failed(contact_id(decision), NOW).result()


def test_sent_is_also_an_outbound_interaction_and_counts_once(store):
    book = playbook(caps=[{"scope": "total", "max": 2, "window": "7d"}])
    decision = ask(store, book)
    store.claim(contact_id(decision), NOW, recheck(book)).result()
    store.sent(contact_id(decision), NOW).result()
    (touch,) = store.export("interactions", 0)
    assert (touch["type"], touch["direction"], touch["action"]) == ("contact", "outbound", decision.chosen.action.name)
    # the e-mail tool reports the same contact under an id of its own: still one
    store.record([row(1, direction="outbound", type="email_sent", decision_id=decision.decision_id)]).result()
    assert len(State.from_bytes(store.read("C1").state).items) == 2
    assert store.read("C1").customer.touches == ()
    assert ask(store, book).chosen is not None
    assert ask(store, book).chosen is None


def test_contacts_of_other_tools_count_and_once(store):
    book = playbook(caps=[{"scope": "group", "name": "g", "max": 1, "window": "7d"}])
    other = row(1, direction="outbound", type="email_sent", action="a", decision_id="theirs-1")
    store.record([other, other | {"interaction_id": "i2", "type": "delivered"}]).result()
    assert len(store.read("C1").customer.touches) == 1
    fates = {fate.candidate.action.name: fate.stage for fate in ask(store, book).fates}
    assert fates["b"] == "guard"  # another action of the same group
    assert fates["c"] == "chosen"


def test_what_was_shown_inbound_is_no_contact(store):
    shown = ask(store, playbook(), direction="inbound")
    store.record([row(1, direction="outbound", type="impression", decision_id=shown.decision_id)]).result()
    assert store.read("C1").customer.touches == ()


def test_failed_gives_the_slot_back(store):
    book = playbook(**ONE_A_WEEK)
    decision = ask(store, book)
    store.claim(contact_id(decision), NOW, recheck(book)).result()
    assert store.failed(contact_id(decision), NOW, "bounced").result().state == "failed"
    assert store.failed(contact_id(decision), NOW).result().state == "failed"
    assert store.export("contacts", 0)[-1]["detail"] == "bounced"
    assert ask(store, book).chosen is not None


def test_an_expired_reservation_gives_the_slot_back_and_cannot_be_claimed(store):
    book = playbook(reservation={"expires": "2h"}, **ONE_A_WEEK)
    lapsed = ask(store, book)
    assert ask(store, book, now=NOW + 2 * HOUR - 1).chosen is None
    with pytest.raises(Conflict, match="expired"):
        store.claim(contact_id(lapsed), NOW + 2 * HOUR, recheck(book)).result()
    assert ask(store, book, now=NOW + 2 * HOUR).chosen is not None
    assert store.contact(contact_id(lapsed)).state == "expired"
    # a process whose clock lags cannot revive it: the customer's own time has moved on
    with pytest.raises(Conflict, match="is expired"):
        store.claim(contact_id(lapsed), NOW, recheck(book)).result()


def test_a_claim_that_is_never_reported_keeps_counting(store):
    book = playbook(reservation={"expires": "2h"}, **ONE_A_WEEK)
    decision = ask(store, book)
    store.claim(contact_id(decision), NOW + HOUR, recheck(book)).result()
    assert ask(store, book, now=NOW + HOUR + 7 * DAY).chosen is None
    assert ask(store, book, now=NOW + HOUR + 7 * DAY + 1).chosen is not None


@pytest.mark.parametrize("before", ["reserved", "failed", "expired"])
def test_sent_without_a_claim_is_recorded_counted_and_flagged(store, before):
    book = playbook(reservation={"expires": "2h"}, **ONE_A_WEEK)
    decision, at = ask(store, book), NOW
    if before == "failed":
        store.failed(contact_id(decision), NOW).result()
    if before == "expired":
        at = NOW + 3 * HOUR
    went = store.sent(contact_id(decision), at).result()
    assert (went.state, went.touched_at, went.breach) == ("sent", at, True)
    assert ask(store, book, now=at + DAY).chosen is None


def test_a_report_from_the_channels_log_moves_the_contact(store):
    book = playbook(**ONE_A_WEEK)
    decision = ask(store, book)
    store.claim(contact_id(decision), NOW, recheck(book)).result()
    told = {"direction": "outbound", "decision_id": decision.decision_id, "occurred_at": NOW}
    store.record([row(1, type="sent", **told), row(2, type="failed", **told)]).result()
    assert store.contact(contact_id(decision)).state == "sent"
    assert ask(store, book).chosen is None


@pytest.mark.parametrize("named", [True, False])
def test_a_report_moves_the_very_contact_that_it_is_about(store, named):
    places = (Placement("letterbox", "email"), Placement("call", "phone"))
    decision = ask(store, playbook(), channel=None, placements=places)
    first, second = decision.contacts
    told = {"direction": "outbound", "decision_id": decision.decision_id, "channel": "email" if named else "phone"}
    told |= {"action": second.action} if named else {}
    store.record([row(1, type="sent", **told)]).result()
    assert store.contact(first.contact_id).state == "reserved"
    assert store.contact(second.contact_id).state == "sent"
    assert store.read("C1").customer.touches == ()
    store.claim(first.contact_id, NOW, recheck(playbook())).result()
    store.record([row(2, type="failed", **told)]).result()
    assert store.contact(first.contact_id).state == "claimed", "it was the other that was reported"
    assert [line["action"] for line in store.export("interactions", 0)] == [second.action] * 2


def test_an_unknown_contact(store):
    for move in (store.sent, store.failed):
        with pytest.raises(Unknown, match="no contact 'nope'"):
            move("nope", NOW).result()
    with pytest.raises(Unknown):
        store.claim("nope", NOW, recheck(playbook())).result()


def test_a_claim_that_loses_a_race_is_judged_again(store, opened):
    book = playbook(caps=[{"scope": "total", "max": 2, "window": "7d"}])
    decision, other, seen = ask(store, book), opened(), []

    def slow(customer: Any, contact: Any, now: int) -> str | None:
        seen.append(customer.version)
        if len(seen) == 1:
            other.record([row(1, type="page_view")]).result()
        return recheck(book)(customer, contact, now)

    assert store.claim(contact_id(decision), NOW, slow).result().state == "claimed"
    assert len(seen) == 2
    assert seen[1] == seen[0] + 1


# decisions


def test_only_the_first_of_two_decisions_on_one_version_is_committed(store, opened):
    customer = store.read("C1").customer
    first, second = (decide(request(number=next(numbers)), customer, flat(), playbook(), NOW, 0.5) for _ in range(2))
    assert store.commit_decision(first).result().status == "committed"
    assert opened().commit_decision(second).result().status == "lost"
    assert [line["decision_id"] for line in store.export("decisions", 0)] == [first.decision_id]


def test_silence_is_logged_and_needs_no_race(store):
    customer = store.read("C1").customer
    for _ in range(2):
        silent = decide(request(number=next(numbers), channel="none"), customer, flat(), playbook(), NOW, 0.5)
        assert store.commit_decision(silent).result().status == "committed"
    assert len(store.export("decisions", 0)) == 2
    assert store.read("C1").version == 0


def test_a_lost_race_draws_again_with_the_same_number(store):
    """The winner took the only slot of the action that was drawn; the same number now falls elsewhere, reproducibly."""
    book = playbook(exploration={"epsilon": 1.0}, caps=[{"scope": "action", "max": 1, "window": "7d"}])
    stale = store.read("C1").customer
    loser, winner = (decide(request(number=next(numbers)), stale, flat(), book, NOW, 0.3) for _ in range(2))
    assert store.commit_decision(winner).result().status == "committed"
    assert store.commit_decision(loser).result().status == "lost"
    customer = store.read("C1").customer
    again = decide(loser.request, customer, flat(), book, customer.now(NOW), loser.uniform)
    assert store.commit_decision(again).result().status == "committed"
    assert again.uniform == loser.uniform
    assert winner.chosen is not None
    assert again.chosen != winner.chosen
    logged = orjson.loads(store.decision(again.decision_id))
    replayed = decide(loser.request, customer, flat(), book, customer.now(NOW), logged["uniform"])
    assert orjson.loads(replayed.to_bytes()) == logged


def test_a_retried_request_returns_the_first_answer_and_a_reused_id_is_refused(store, opened):
    book = playbook()
    first = ask(store, book, request_id="r1")
    customer = store.read("C1").customer
    retry = decide(request(number=next(numbers), request_id="r1"), customer, flat(), book, NOW, 0.5)
    commit = opened().commit_decision(retry).result()
    assert commit.status == "repeated"
    assert orjson.loads(commit.first)["decision_id"] == first.decision_id
    assert store.find_decision("r1") == (first.request.fingerprint, commit.first)
    other = decide(request("C2", next(numbers), request_id="r1"), store.read("C2").customer, flat(), book, NOW, 0.5)
    assert store.commit_decision(other).result().status == "conflict"
    assert len(store.export("decisions", 0)) == 1
    assert len(store.read("C1").customer.contacts) == 1


def test_now_never_lies_before_what_was_accepted(store):
    store.record([row(1, occurred_at=NOW + HOUR)]).result()
    customer = store.read("C1").customer
    assert customer.now(NOW) == NOW + HOUR
    assert customer.now(NOW + DAY) == NOW + DAY


def test_a_claim_with_a_lagging_clock_is_stamped_no_earlier_than_what_was_accepted(store):
    decision = ask(store, playbook(), now=NOW + HOUR)
    assert store.read("C1").customer.seen_to == NOW + HOUR
    claimed = store.claim(contact_id(decision), NOW - HOUR, recheck(playbook())).result()
    assert claimed.touched_at == NOW + HOUR


# bulk loading


def history(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(
        [r | {name: int(r[name]) for name in ("occurred_at", "received_at")} for r in rows], schema=SCHEMA
    )


moments = st.integers(-60, 0).map(lambda i: NOW + i * 12 * HOUR)
rows_of_history = st.lists(
    st.builds(
        row,
        st.integers(0, 30),
        customer_id=st.sampled_from(["C1", "C2"]),
        occurred_at=moments,
        channel=st.sampled_from(["email", "web"]),
        direction=st.sampled_from(["inbound", "outbound"]),
        type=st.sampled_from(
            ["purchase", "opted_out", "consent_given", "rejected", "complaint", "case_closed", "sent"]
        ),
        topic=st.sampled_from([None, "health", "delivery"]),
        value=st.none() | st.floats(0, 100),
        case_id=st.sampled_from([None, "x"]),
        action=st.sampled_from([None, "a", "b"]),
        decision_id=st.sampled_from([None, "other-1"]),
    ).map(lambda r: r | {"received_at": r["occurred_at"]}),
    max_size=12,
    unique_by=lambda r: r["interaction_id"],
)


@pytest.fixture(params=stores.KINDS)
def loaded_and_live(request, tmp_path):
    places = [stores.place(request.param, tmp_path) for _ in range(2)]
    yield [place.open() for place in places]
    for place in places:
        place.close()


def same_in_bulk_and_live(loaded: Store, live: Store, rows: list[dict[str, Any]], data: st.DataObject) -> None:
    own = f"{next(numbers)}-"  # one pair of files serves all examples, each with customers of its own
    rows = [r | {name: own + r[name] for name in ("interaction_id", "customer_id")} for r in rows]
    cut = data.draw(st.integers(0, len(rows)))
    loaded.bulk_load(own, [history(rows[:cut]), history(rows[cut:])])
    futures = [live.record([each]) for each in data.draw(st.permutations(rows + rows[:2]))]
    assert sum(future.result().accepted for future in futures) == len(rows)
    for customer_id in (own + "C1", own + "C2"):
        one, two = loaded.read(customer_id), live.read(customer_id)
        assert one.customer.profile == two.customer.profile
        assert sorted(one.customer.touches, key=str) == sorted(two.customer.touches, key=str)
        assert one.customer.seen_to == two.customer.seen_to
        here, there = ([] if not r.state else State.from_bytes(r.state).items.id.tolist() for r in (one, two))
        assert here == there


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_history, data=st.data())
def test_history_loaded_in_bulk_or_recorded_live_in_any_order_ends_the_same(loaded_and_live, rows, data):
    same_in_bulk_and_live(*loaded_and_live, rows, data)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_history, data=st.data())
def test_history_in_bulk_or_live_ends_the_same_in_many_orders(loaded_and_live, rows, data):
    same_in_bulk_and_live(*loaded_and_live, rows, data)


def test_a_batch_is_absorbed_once_and_skips_what_came_live(store, opened):
    store.record([row(1, value=5.0)]).result()
    table = history([row(1, value=5.0), row(2, value=7.0), row(3, customer_id="C2")])
    told: list[int] = []
    receipt = store.bulk_load("batch-1", [table], told.append)
    assert (receipt.received, receipt.accepted, receipt.duplicates, told) == (3, 2, 1, [3])
    assert opened().absorbed() == {"batch-1"}
    again = store.bulk_load("batch-1", [table])
    assert (again.accepted, again.duplicates) == (0, 3)
    assert len(State.from_bytes(store.read("C1").state).items) == 2
    assert store.record([row(2)]).result().duplicates == 1
    assert store.export("interactions", 1) == []  # history stays in history; only the live row is in the live log


# sync, keys, the file


def test_sync_positions_only_move_forward(store, opened):
    assert store.synced("decisions") == 0
    store.mark_synced("decisions", 5).result()
    store.mark_synced("decisions", 3).result()
    assert opened().synced("decisions") == 5
    assert store.synced("contacts") == 0


def test_export_pages_through_a_log(store):
    store.record([row(i) for i in range(7)]).result()
    seen, after = [], 0
    while page := store.export("interactions", after, limit=3):
        after = page[-1]["position"]
        seen += [line["interaction_id"] for line in page]
    assert seen == [f"i{i}" for i in range(7)]


def test_keys(store, opened):
    store.add_key(Key("till", "hash-1", "all", NOW)).result()
    with pytest.raises(Conflict, match="already"):
        store.add_key(Key("till", "hash-2", "all", NOW)).result()
    other = opened()
    assert other.keys() == [Key("till", "hash-1", "all", NOW)]
    assert other.revoke_key("till", NOW + 1).result()
    assert not other.revoke_key("till", NOW + 2).result()
    assert store.keys()[0].revoked_at == NOW + 1
    store.add_key(Key("till", "hash-2", "all", NOW)).result()


def test_futures_serve_asyncio(store):
    async def both() -> list[Any]:
        futures: list[Future[Any]] = [store.record([row(i)]) for i in range(20)]
        return await asyncio.gather(*(asyncio.wrap_future(future) for future in futures))

    assert sum(receipt.accepted for receipt in asyncio.run(both())) == 20


def test_closing_finishes_what_was_asked(store, opened):
    futures = [store.record([row(i)]) for i in range(200)]
    store.close()
    assert sum(future.result().accepted for future in futures) == 200
    assert store.ready() is not None
    assert len(State.from_bytes(opened().read("C1").state).items) == 200


def test_ready(store):
    assert store.ready() is None
