"""What any store must do about persons: arms that stay, erasure, restriction, everything on request."""

import itertools
from dataclasses import replace

import orjson
import pyarrow as pa
import pytest
from test_identity_store import Link, links
from test_store import ask, contact_id, row
from worlds import NOW, playbook

from features.clock import DAY, HOUR
from features.interactions import SCHEMA

SALT = b"salt of a test"
MERGE = links(Link("a@b", "email", "C1", 1), Link("a@b", "email", "C2", 2))
numbers = itertools.count(1)


def test_the_id_that_was_decided_about_first_names_the_arm_whoever_is_merged(store):
    assert store.read("C2").customer.arm_id == "C2"
    ask(store, playbook(), customer_id="C2")
    ask(store, playbook(), now=NOW + HOUR, customer_id="C1")
    store.record_links(MERGE).result()
    merged = store.read("a@b").customer
    assert (merged.customer_id, merged.arm_id) == ("C1", "C2")
    ask(store, playbook(), now=NOW + 2 * HOUR, customer_id="a@b")
    store.record_links(links(Link("a@b", "email", "C2", 3, "unlink"))).result()
    assert [store.read(each).customer.arm_id for each in ("C1", "C2", "a@b")] == ["C1", "C2", "C1"]


def test_an_erased_person_is_nowhere_and_does_not_come_back(place):
    store = place.open()
    store.record([row(1, case_id="secret-case"), row(2, customer_id="C2"), row(3, customer_id="stranger")]).result()
    store.record_links(MERGE).result()
    reserved = ask(store, playbook(), customer_id="C1")
    ask(store, playbook(), customer_id="stranger")
    kept = {table: place.query(f"SELECT count(*) FROM {table}")[0][0] for table in ("interactions", "decisions")}
    gone = store.erase(["C1", "C2", "a@b"], SALT, NOW).result()
    assert (gone["interactions"], gone["decisions"], gone["contacts"]) == (2, 1, 1)
    assert (gone["identifiers"], gone["contact_log"], gone["customers"] >= 2) == (2, 1, True)
    assert set(store.erase(["nobody"], SALT, NOW).result().values()) == {0}
    store.load_arms("b1", [("in an arm alone", NOW)])
    assert store.erase(["in an arm alone"], SALT, NOW).result()["customers"] == 1
    left = {table: place.query(f"SELECT count(*) FROM {table}")[0][0] for table in kept}
    assert left == {"interactions": kept["interactions"] - 2, "decisions": kept["decisions"] - 1}
    assert store.tombstoned(["C1", "C2", "a@b", "stranger"]) == {"C1", "C2", "a@b"}
    assert store.erased(["C1", "stranger"]) == {"C1"}
    assert store.record([row(4), row(5, customer_id="stranger")]).result().accepted == 1
    assert store.record_links(links(Link("a@b", "email", "C3", 9))).result().accepted == 0
    replayed = [row(6), row(7, customer_id="stranger")]
    table = pa.table([[each[name] for each in replayed] for name in SCHEMA.names], SCHEMA.names).cast(SCHEMA)
    assert store.bulk_load("replayed", [table]).accepted == 1
    store.restrict("C2", True, NOW).result()
    read = store.read("C1")
    assert read.state == b""
    assert not read.customer.profile.said("email").granted
    assert store.read("a@b").customer.customer_id == "a@b"
    assert store.contact(contact_id(reserved)) is None
    tables = [
        name
        for (name,) in place.query(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            if place.kind == "sqlite"
            else "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        )
    ]
    for name in tables:
        for line in place.query(f"SELECT * FROM {name}"):
            text = repr(line)
            assert not [each for each in ("'C1'", "'C2'", "a@b") if each in text], (name, line)
            assert b"secret-case" not in line, name


def test_a_decision_judged_before_an_erasure_is_lost(store):
    from test_store import decide, flat, request

    store.record([row(1)]).result()
    judged = store.read("C1").customer
    decision = decide(request(number=9_001), judged, flat(), playbook(), NOW, 0.5)
    assert decision.contact is not None
    store.erase(["C1"], SALT, NOW).result()
    assert store.commit_decision(decision).result().status == "lost"
    assert ask(store, playbook()).contact is None


def test_a_decision_about_a_stranger_judged_before_an_erasure_is_lost_and_leaves_no_row(place):
    from test_store import decide, flat, request

    store = place.open()
    stranger = store.read("C1").customer
    decision = decide(request("C1"), stranger, flat(), playbook(), NOW, 0.5)
    assert (stranger.version, len(decision.contacts)) == (0, 1)
    store.erase(["C1"], SALT, NOW).result()
    assert store.commit_decision(decision).result().status == "lost"
    for table in ("customers", "contacts", "contact_log", "decisions"):
        assert place.query(f"SELECT * FROM {table}") == []


def test_whoever_asks_about_who_was_erased_brings_nothing_back(place):
    store = place.open()
    store.record([row(1)]).result()
    ask(store, playbook(), request_id="before")
    store.erase(["C1"], SALT, NOW).result()
    decision = ask(store, playbook(), request_id="after")
    assert decision.chosen is None
    for table in ("customers", "decisions", "contacts"):
        assert place.query(f"SELECT * FROM {table}") == []
    assert store.find_decision("after") is None
    ask(store, playbook(), customer_id="C2")
    assert place.query("SELECT customer_id FROM decisions") == [("C2",)]


def test_everything_of_a_person_on_request(store):
    store.record([row(1), row(2, customer_id="C2", type="opted_out"), row(3, customer_id="stranger")]).result()
    store.record_links(MERGE).result()
    ask(store, playbook(), customer_id="stranger")
    decision = ask(store, playbook(), customer_id="C1", channel="phone")
    found = store.export_customer(["C2"])
    assert [each["customer_id"] for each in found["customers"]] == ["C1", "C2", "a@b"]
    assert [each["interaction_id"] for each in found["interactions"]] == ["i1", "i2"]
    assert [each["decision_id"] for each in found["decisions"]] == [decision.decision_id]
    assert len(found["contacts"]) == len(decision.contacts)
    assert len(found["identifiers"]) == 2
    assert found["customers"][0]["known_interactions"][0]["type"] == "purchase"
    assert "stranger" not in orjson.dumps(found).decode()


def test_a_restriction_holds_for_the_whole_person_until_it_is_lifted(store):
    store.record_links(MERGE).result()
    before = store.read("C1")
    store.restrict("C2", True, NOW).result()
    assert [store.read(each).customer.restricted for each in ("C1", "C2", "a@b", "stranger")] == [
        True,
        True,
        True,
        False,
    ]
    assert store.read("C1").version > before.version, "what was judged before is judged again"
    store.restrict("C1", False, NOW).result()
    assert not store.read("C2").customer.restricted


def test_only_what_is_in_history_and_old_expires(store):
    store.record([row(1, occurred_at=NOW - 9 * DAY), row(2, occurred_at=NOW - 8 * DAY), row(3)]).result()
    store.mark_synced("interactions", 1).result()
    ask(store, playbook())
    gone = store.expire_logs({"interactions": NOW - DAY, "decisions": NOW + DAY, "contacts": NOW + DAY}).result()
    assert gone == {"interactions": 1, "decisions": 0, "contacts": 0}
    assert [each["interaction_id"] for each in store.export("interactions", 0)] == ["i2", "i3"]
    assert store.record([row(1)]).result().duplicates == 1, "what was seen stays seen"


def test_a_lost_answer_to_a_claim_may_be_asked_again(store, opened):
    from serving.store.protocol import Conflict, Verdict

    asked = contact_id(ask(store, playbook()))
    stamp = Verdict(local_day="2026-05-04", zone="Europe/Berlin")
    first = store.claim(asked, NOW, lambda *_: stamp, "claim-1").result()
    assert (first.state, first.local_day, first.zone) == ("claimed", "2026-05-04", "Europe/Berlin")
    assert opened().claim(asked, NOW + HOUR, lambda *_: "is never asked", "claim-1").result() == first
    for other in ("claim-2", None):
        with pytest.raises(Conflict, match="is claimed"):
            store.claim(asked, NOW + HOUR, lambda *_: None, other).result()
    assert store.read("C1").customer.contacts == (first,)


def test_a_ghost_holds_no_slot_is_seen_until_its_window_is_over_and_is_never_sent(store):
    from serving.store.protocol import Conflict

    decision = ask(store, playbook())
    other = ask(store, playbook(), customer_id="C2", channel="phone")
    slot = other.slots[0]
    ghost = slot.contact._replace(
        contact_id="g1", state="ghost", respond_by=NOW + DAY, customer_id="C3", decision_id="d-g"
    )
    withheld = replace(
        other, request=replace(other.request, decision_id="d-g", customer_id="C3", request_id=None),
        slots=(replace(slot, contact=ghost),), judged_customer="C3", judged_version=0, arm_id="C3",
    )  # fmt: skip
    assert store.commit_decision(withheld).result().status == "committed"
    assert [each.state for each in store.read("C3").customer.contacts] == ["ghost"]
    for move in (store.claim("g1", NOW, lambda *_: None), store.failed("g1", NOW)):
        with pytest.raises(Conflict, match="withheld"):
            move.result()
    store.record([row(7, customer_id="C3", occurred_at=NOW + 2 * DAY, received_at=NOW + 2 * DAY)]).result()
    assert store.read("C3").customer.contacts == ()
    assert decision.contact is not None


def test_many_are_read_as_each_of_them_is(store):
    store.record([row(number, customer_id=f"C{number}") for number in range(1, 7)]).result()
    store.record_links(MERGE).result()
    ask(store, playbook(), customer_id="C3")
    store.restrict("C4", True, NOW).result()
    store.erase(["C5"], SALT, NOW).result()
    wanted = ["C6", "a@b", "C1", "C5", "stranger", "C3", "C2", "C4", "C3"]
    for found, each in zip(store.read_many(wanted), wanted, strict=True):
        alone = store.read(each)
        plain = replace(found.customer, sightings=None), found.state
        assert plain == (replace(alone.customer, sightings=None), alone.state), each
        assert store.fetch(each).result(timeout=60).state == alone.state
    assert store.read_many([]) == []
