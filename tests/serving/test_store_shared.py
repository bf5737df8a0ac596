"""What any store must do for several processes at once: quotas, the outbox, nudges, and logs read to their end."""

import threading
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_store import ask, numbers, row
from worlds import NOW, flat, playbook, request

from features.clock import DAY, HOUR
from serving.decisions.decide import decide
from serving.store.protocol import Outgoing


def nudge(store, customer_id="C1", trigger="basket", channel="email"):
    """A decision that goes to the outbox."""
    customer = store.read(customer_id).customer
    asked = request(customer_id, next(numbers), channel=channel)
    decision = decide(asked, customer, flat(), playbook(), customer.now(NOW), 0.5)
    return replace(decision, outbox={"trigger": trigger, "text": "come back"})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=12), most=st.integers(0, 30))
def test_leases_never_pass_the_day(store, asked, most):
    action, held = f"a{next(numbers)}", 0
    for back, number in asked:
        if back:
            given_back = min(number, held)
            store.unlease(action, "2026-05-04", given_back).result()
            held -= given_back
        else:
            granted = store.lease(action, "2026-05-04", number, most).result()
            assert granted == min(number, most - held)
            held += granted
    assert store.lease(action, "2026-05-05", 99, most).result() == most, "the next day is another"


def test_processes_that_lease_at_once_share_one_volume(opened):
    racing, granted = [opened() for _ in range(4)], []

    def run(store):
        granted.extend(store.lease("a", "2026-05-04", 7, 200).result() for _ in range(15))

    threads = [threading.Thread(target=run, args=(store,)) for store in racing]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 200


def test_two_processes_asked_the_same_at_once_give_one_answer(opened):
    """A client's retry may reach another instance while the first is still writing."""
    stores, quiet = (opened(), opened()), playbook(consent={"unknown": "denied"})
    for number in range(30):
        asked = [request(f"R{number}", next(numbers), request_id=f"same-{number}") for _ in stores]
        customer = stores[0].read(f"R{number}").customer
        decisions = [decide(each, customer, flat(), quiet, NOW, 0.5) for each in asked]
        written = [store.commit_decision(each) for store, each in zip(stores, decisions, strict=True)]
        told = [future.result().status for future in written]
        assert sorted(told)[0] == "committed"
        assert sorted(told)[1] in ("lost", "repeated")
        again = stores[told.index("committed")].commit_decision(decisions[1 - told.index("committed")]).result()
        assert (again.status, again.first) == ("repeated", decisions[told.index("committed")].to_bytes())


def test_a_nudge_is_in_the_outbox_exactly_when_its_contact_is_reserved(store, opened):
    decision = nudge(store)
    assert store.outbox() == []
    assert store.nudged("C1", "basket") is None
    assert store.commit_decision(decision).result().status == "committed"
    (entry,) = opened().outbox()
    assert (entry.outbox_id, entry.channel, entry.body["text"]) == (decision.contact.contact_id, "email", "come back")
    assert (entry.customer_id, entry.decision_id, entry.due_at) == ("C1", decision.decision_id, NOW)
    assert store.nudged("C1", "basket") == NOW
    assert store.nudged("C1", "birthday") is None
    stale = replace(nudge(store), judged_version=0)
    assert store.commit_decision(stale).result().status == "lost"
    assert len(store.outbox()) == 1


def test_the_outbox_by_channel_in_order_until_it_is_done(store):
    for number, channel in enumerate(["email", "phone", "email", "email"]):
        store.commit_decision(nudge(store, f"C{number}", channel=channel)).result()
    mails = store.outbox(channel="email")
    assert [entry.customer_id for entry in mails] == ["C0", "C2", "C3"]
    assert [entry.customer_id for entry in store.outbox(after=mails[0].position, limit=1, channel="email")] == ["C2"]
    assert [entry.customer_id for entry in store.outbox()] == ["C0", "C1", "C2", "C3"]
    done = [mails[0].outbox_id, mails[1].outbox_id]
    assert store.outbox_done(done, NOW).result() == 2
    assert store.outbox_done(done, NOW).result() == 0
    assert [entry.customer_id for entry in store.outbox(channel="email")] == ["C3"]
    assert {entry.customer_id for entry in store.outbox_due(NOW)} == {"C1", "C3"}


def test_what_was_done_long_ago_leaves_the_outbox_and_what_waits_stays(place):
    store = place.open()
    store.outbox_add([Outgoing(f"n{number}", "C1", None, {}, due_at=NOW) for number in range(3)]).result()
    store.outbox_done(["n0"], NOW).result()
    store.outbox_done(["n1"], NOW + DAY).result()
    assert store.outbox_expire(NOW + DAY).result() == 1
    assert place.query("SELECT outbox_id FROM outbox ORDER BY 1") == [("n1",), ("n2",)]


def test_what_is_put_off_is_due_later_and_retries_are_counted(store):
    later = Outgoing("n1", "C1", None, {"trigger": "basket"}, due_at=NOW + HOUR)
    assert store.outbox_add([later, later]).result() == 1
    assert store.outbox_add([replace(later, due_at=0)]).result() == 0
    assert store.outbox() == [], "nothing for a channel to fetch"
    assert store.outbox_due(NOW) == []
    (entry,) = store.outbox_due(NOW + HOUR)
    assert (entry.body, entry.tries, entry.error) == ({"trigger": "basket"}, 0, None)
    store.outbox_retry("n1", NOW + DAY, "timed out").result()
    assert store.outbox_due(NOW + HOUR) == []
    (entry,) = store.outbox_due(NOW + DAY)
    assert (entry.tries, entry.error) == (1, "timed out")


def test_customers_are_paged_one_id_a_person(store):
    store.record([row(number, customer_id=f"P{number}") for number in range(5)]).result()
    link = {"link_id": "l", "identifier": "P3", "kind": "customer", "customer_id": "P1", "valid_from": 1,
            "op": "link", "received_at": 1}  # fmt: skip
    store.record_links([link]).result()
    pages, after = [], ""
    while page := store.candidates_for_nudge(after, limit=2):
        pages.append(page)
        after = page[-1]
    assert pages == [["P0", "P1"], ["P2", "P4"]]


def test_whose_interactions_are_new_since(store):
    position, names = store.changed_customers(0)
    assert names == []
    store.record([row(1), row(2), row(3, customer_id="C2")]).result()
    reached, names = store.changed_customers(position)
    assert names == ["C1", "C2"]
    assert store.changed_customers(reached) == (reached, [])
    assert store.changed_customers(0, limit=1)[1] == ["C1"]


def test_a_log_read_while_others_write_misses_nothing(opened):
    """Positions are given before they are committed: a reader must not step over one that is still on its way."""
    writers, reader, stop = [opened() for _ in range(3)], opened(), threading.Event()

    def write(store, name):
        for number in range(60):
            store.record([row(f"{name}-{number}", customer_id=f"{name}-{number % 7}")]).result()

    threads = [threading.Thread(target=write, args=(store, name)) for store, name in zip(writers, "abc", strict=True)]
    for thread in threads:
        thread.start()
    seen, position = [], 0
    while not stop.is_set():
        if not any(thread.is_alive() for thread in threads):
            stop.set()  # and read once more
        for each in reader.export("interactions", position, limit=10):
            seen.append(each["interaction_id"])
            position = each["position"]
    while rest := reader.export("interactions", position):
        seen += [each["interaction_id"] for each in rest]
        position = rest[-1]["position"]
    for thread in threads:
        thread.join()
    assert len(seen) == len(set(seen)) == 180


def test_a_person_is_nudged_once_whichever_id_it_was_under(store):
    store.commit_decision(nudge(store, "C2")).result()
    link = {"link_id": "l", "identifier": "C2", "kind": "customer", "customer_id": "C1", "valid_from": 1,
            "op": "link", "received_at": 1}  # fmt: skip
    store.record_links([link]).result()
    assert store.nudged("C1", "basket") == store.nudged("C2", "basket") == NOW
    assert ask(store, playbook(), customer_id="C1").judged_customer == "C1"
