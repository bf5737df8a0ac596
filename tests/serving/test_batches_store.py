"""What a store makes of decisions that are committed together: on every store there is."""

import threading

import numpy as np
import orjson
import pytest
from test_identity_store import MERGE
from test_store import ONE_A_WEEK, numbers, row
from worlds import NOW, flat, playbook

from features.clock import DAY
from serving.decisions.decide import decide
from serving.decisions.many import blocks
from serving.decisions.request import Request
from serving.store import decisions
from serving.store.protocol import Batched

BOOK = playbook(**ONE_A_WEEK)


def packed(decisions):
    """A line of the log for some decisions, their candidates left out."""
    none = {name: np.zeros((len(decisions), 0)) for name in ("p", "chance")}
    none["order"] = np.zeros((len(decisions), 0), np.uint16)
    own = {"fates": "", "rise": 1.0, "stated": [], "told": {}, "tripped": [[], {}], "number": 0, "silence": 1.0,
           "meant": None}  # fmt: skip
    left_out = ("candidates", "distribution", "intended", "features")
    rows = [
        {key: value for key, value in orjson.loads(each.to_bytes()).items() if key not in left_out} | own
        for each in decisions
    ]
    features = {"features": np.array([[float(i), np.nan] for i in range(len(decisions))])}
    return blocks.packed({"columns": {"action": [], "channel": [], "withheld": []}}, rows, none | features)


def judged(store, job, customer_id, book=BOOK, now=NOW):
    name = f"{job}/{customer_id}"
    asked = Request(customer_id, f"d-{next(numbers)}", "email", request_id=name)
    customer = store.read(customer_id).customer
    return decide(asked, customer, flat(), book, customer.now(now), 0.5)


def batched(job, decisions):
    return Batched(job, decisions, lambda places: packed([decisions[place] for place in places]))


def committed(store, job, decisions):
    return [each.status for each in store.commit_batch(batched(job, decisions)).result()]


def decided(store, job, customers, **changes):
    decisions = [judged(store, job, each, **changes) for each in customers]
    assert committed(store, job, decisions) == ["committed"] * len(decisions)
    return decisions


PEOPLE = [f"C{i}" for i in range(7)]


def test_each_is_found_by_its_id_by_its_request_and_by_its_customer(store):
    store.record([row(i, customer_id=who) for i, who in enumerate(PEOPLE[:5])]).result()
    made = decided(store, "spring", PEOPLE)
    assert [len(each.contacts) for each in made] == [1] * 7
    for i, each in enumerate(made):
        document = orjson.loads(store.decision(each.decision_id))
        assert document["customer_id"] == PEOPLE[i]
        assert document["features"] == [float(i), None]
        assert document["candidates"] == []
        fingerprint, again = store.find_decision(f"spring/{PEOPLE[i]}")
        assert (fingerprint, orjson.loads(again)) == (each.request.fingerprint, document)
        assert store.export_customer([PEOPLE[i]])["decisions"] == [document]
        assert store.read(PEOPLE[i]).customer.contacts == each.contacts
        assert store.read(PEOPLE[i]).version == each.judged_version + 1
    exported = store.export("decisions", 0)
    assert [line["customer_id"] for line in exported] == PEOPLE
    assert len({line["position"] for line in exported}) == 1
    assert len(store.export("contacts", 0)) == 7
    assert store.decision("d-unknown") is None
    assert store.find_decision("spring/C99") is None


def test_who_changed_since_is_lost_and_who_was_answered_gets_that_answer(store):
    store.record([row(1, customer_id="C1")]).result()
    made = [judged(store, "spring", each) for each in PEOPLE]
    store.record([row(2, customer_id="C1"), row(3, customer_id="C2")]).result()
    assert committed(store, "spring", made) == ["committed", "lost", "lost"] + ["committed"] * 4
    assert store.decision(made[1].decision_id) is None
    assert store.read("C1").customer.contacts == ()
    again = [judged(store, "spring", each, now=NOW + 9 * DAY) for each in PEOPLE]
    assert committed(store, "spring", again) == ["repeated", "committed", "committed"] + ["repeated"] * 4
    assert len(store.export("decisions", 0)) == 7
    assert [len(store.read(each).customer.contacts) for each in PEOPLE] == [1] * 7
    other = Request("C0", "d-other", "phone", request_id="spring/C0")
    asked = [decide(other, store.read("C0").customer, flat(), BOOK, NOW, 0.5)]
    (answer,) = store.commit_batch(batched("spring", asked)).result()
    assert answer.status == "conflict"
    assert orjson.loads(answer.first)["decision_id"] == made[0].decision_id
    assert store.commit_decision(asked[0]).result().status == "conflict", "whoever asks"


@pytest.mark.parametrize("job", ["spring", "spring/late"])
def test_who_asks_with_the_name_of_a_decision_that_a_batch_is_just_making_gets_the_batchs_answer(store, opened, job):
    decided(store, "before", ["C0"])
    mine, theirs = judged(store, job, "C0"), judged(store, job, "C0")
    assert not mine.contacts, "silence: nobody's version changes, so only the name is common"
    inside, go_on = threading.Event(), threading.Event()

    def pack(_):
        inside.set()
        assert go_on.wait(60)
        return packed([mine])

    batch = opened().commit_batch(Batched(job, [mine], pack))
    assert inside.wait(60)
    single = store.commit_decision(theirs)
    with pytest.raises(TimeoutError):
        single.result(0.2)  # it is not known yet who answered first
    go_on.set()
    assert [each.status for each in batch.result()] == ["committed"]
    answer = single.result()
    assert (answer.status, orjson.loads(answer.first)["decision_id"]) == ("repeated", mine.decision_id)
    assert [line["decision_id"] for line in store.export("decisions", 0)][1:] == [mine.decision_id]


def test_a_batch_finds_what_is_just_being_answered_under_its_name(store, opened, monkeypatch):
    decided(store, "before", ["C0"])
    mine, theirs = judged(store, "spring", "C0"), judged(store, "spring", "C0")
    inside, go_on, honest = threading.Event(), threading.Event(), decisions._write

    def slow(*some):
        inside.set()
        assert go_on.wait(60)
        return honest(*some)

    monkeypatch.setattr(decisions, "_write", slow)
    single = opened().commit_decision(theirs)
    assert inside.wait(60)
    batch = store.commit_batch(batched("spring", [mine]))
    with pytest.raises(TimeoutError):
        batch.result(0.2)
    go_on.set()
    assert single.result().status == "committed"
    (answer,) = batch.result()
    assert (answer.status, orjson.loads(answer.first)["decision_id"]) == ("repeated", theirs.decision_id)
    assert [line["decision_id"] for line in store.export("decisions", 0)][1:] == [theirs.decision_id]


def test_of_two_ids_of_a_person_one_is_contacted(store):
    store.record_links(MERGE).result()
    made = [judged(store, "spring", each) for each in ("C1", "C2", "C3")]
    assert sorted(committed(store, "spring", made)) == ["committed", "committed", "lost"]
    assert len(store.export("contacts", 0)) == 2


def test_the_arm_is_settled_by_who_was_decided_about_first(store):
    decided(store, "spring", ["C2"])
    store.record_links(MERGE).result()
    assert store.read("C1").customer.arm_id == "C2"


def test_who_is_erased_is_taken_out_of_the_line_that_others_are_in(store, place):
    made = decided(store, "spring", PEOPLE)
    salt = bytes(16)
    gone = store.erase(["C3"], salt, NOW).result()
    assert (gone["decisions"], gone["contacts"]) == (1, 1)
    assert store.decision(made[3].decision_id) is None
    assert store.find_decision("spring/C3") is None
    assert [line["customer_id"] for line in store.export("decisions", 0)] == [*PEOPLE[:3], *PEOPLE[4:]]
    documents = [orjson.loads(store.decision(each.decision_id)) for each in made if each is not made[3]]
    assert [each["features"] for each in documents] == [[float(i), None] for i in (0, 1, 2, 4, 5, 6)]
    for (body,) in place.query("SELECT body FROM decisions"):
        assert "C3" not in str(blocks.Packed(bytes(body))._rows)
        assert blocks.Packed(bytes(body)).document(3) is None
    later = judged(store, "spring", "C3", book=playbook())
    assert not later.contacts
    assert committed(store, "spring", [later]) == ["committed"]
    assert store.decision(later.decision_id) is None, "silence, of which nothing is kept"
    store.erase([each for each in PEOPLE if each != "C3"], salt, NOW).result()
    assert store.export("decisions", 0) == []
    assert place.query("SELECT count(*) FROM decisions") == place.query("SELECT count(*) FROM placed") == [(0,)]


@pytest.mark.parametrize("together", [True, False])
def test_who_was_erased_after_they_were_judged_leaves_no_trace(store, place, together):
    store.record([row(1, customer_id="C1")]).result()
    made = [judged(store, "spring", each) for each in PEOPLE[:3]]
    store.erase(["C1", "C2"], bytes(16), NOW).result()
    singles = [store.commit_decision(each) for each in made] if not together else []
    answers = committed(store, "spring", made) if together else [each.result().status for each in singles]
    assert answers == ["committed", "lost", "lost"]
    assert place.query("SELECT customer_id FROM customers") == [("C0",)]


def test_what_is_in_history_and_old_goes_with_its_places(store, place):
    decided(store, "spring", PEOPLE[:4])
    decided(store, "summer", PEOPLE[:2], now=NOW + 30 * DAY)
    position = max(line["position"] for line in store.export("decisions", 0))
    assert store.expire_logs({"decisions": NOW + DAY}).result() == {"decisions": 0}, "it is not in history"
    store.mark_synced("decisions", position).result()
    assert store.expire_logs({"decisions": NOW + DAY}).result() == {"decisions": 4}
    assert place.query("SELECT count(*) FROM placed") == [(2,)]
    assert store.find_decision("spring/C1") is None
    assert store.find_decision("summer/C1") is not None


@pytest.mark.parametrize("limit", [1, 3, 5, 100])
def test_the_log_is_read_line_by_line_in_bounded_pieces(store, limit):
    for job in ("a", "b", "c"):
        decided(store, job, PEOPLE[:3], now=NOW + 30 * DAY * ord(job))
        single = decide(Request("C1", f"d-{job}", "email"), store.read("C1").customer, flat(), BOOK, NOW, 0.5)
        store.commit_decision(single).result()
    position, found, sizes = 0, [], []
    while page := store.export("decisions", position, limit):
        position, sizes = page[-1]["position"], [*sizes, len(page)]
        found += [line["decision_id"] for line in page]
    assert len(set(found)) == len(found) == 12
    assert max(sizes) <= limit + 2


def test_jobs_and_customers_may_have_strokes(store):
    decided(store, "a/b", ["c", "b"])
    assert committed(store, "a", [judged(store, "a", "b/c")]) == ["conflict"], "one request_id, two questions"
    decided(store, "a", ["b/d"])
    assert {name: store.find_decision(name) is None for name in ("a/b/c", "a/b/d", "a/b/b", "a/b", "a/c", "b/d")} == {
        "a/b/c": False, "a/b/d": False, "a/b/b": False, "a/b": True, "a/c": True, "b/d": True,
    }  # fmt: skip


def test_outcomes_know_the_action_of_a_batch(store):
    (made,) = decided(store, "spring", ["C1"])
    told = row("o", type="clicked", decision_id=made.decision_id)
    store.record([told]).result()
    (kept,) = store.export("interactions", 0)
    assert kept["action"] == made.chosen.action.name


def test_a_line_of_several_is_nobodys_and_no_decision(store):
    made = decided(store, "spring", PEOPLE)
    assert store.decision(f"b-{made[0].decision_id}") is None
    assert store.ids_of([""]) == []
    assert store.export_customer([""])["decisions"] == []
    assert store.erase([""], bytes(16), NOW).result()["decisions"] == 0
    assert len(store.export("decisions", 0)) == len(PEOPLE)
