"""Persons in the store: read together whatever the order of arrival, judged together, split and erased for good."""

import itertools
import sqlite3
import sys
import threading
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st
from test_races import go, lines, start, violations
from worlds import NOW, flat, playbook, request

sys.path.append(str(Path(__file__).parents[1] / "features"))
from identity_oracle import KINDS, Link, erased, person
from interactions_for_tests import interactions
from interactions_for_tests import table as interactions_table

from features import batch, online
from features.catalogue import Catalogue
from features.clock import HOUR
from features.definitions import ANY
from features.identity.links import LINKS
from features.identity.resolution import resolve
from features.interactions import SCHEMA
from features.kinds import ActiveDays, Count, LastChannel, LifetimeCount, LifetimeSum, Recency
from features.past import Past
from features.state import State
from features.workspace import Settings
from serving.decisions.decide import decide
from serving.decisions.guard import judge_claim
from serving.decisions.profile import EVERYWHERE, Profile, Said
from serving.store import SqliteStore
from serving.store.protocol import Conflict

SETTINGS = Settings()
IDS = ["C1", "C2", "C3", "a@b", "dev"]
numbers = itertools.count(1)
SMALL = Catalogue(
    (Count(ANY, 30), Recency(ANY), LastChannel(ANY), LifetimeCount(ANY), LifetimeSum(ANY), ActiveDays(ANY, 365))
)


def links(*given):
    """Rows for the store."""
    return [
        {
            "link_id": f"{link.identifier}/{link.kind}/{link.customer}/{link.valid_from}/{link.op}/{link.received_at}",
            "identifier": link.identifier,
            "kind": link.kind,
            "customer_id": link.customer,
            "valid_from": link.valid_from,
            "op": link.op,
            "received_at": link.valid_from if link.received_at is None else link.received_at,
        }
        for link in given
    ]


def row(number, **changes):
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


def held(store, customer_id):
    """How many interactions the state of a person holds."""
    state = store.read(customer_id).state
    return len(State.from_bytes(state).items) if state else 0


@st.composite
def link_logs(draw):
    link = st.builds(
        Link,
        identifier=st.sampled_from(IDS),
        kind=st.sampled_from(["customer", "email", "email", "device", "device", "cookie"]),
        customer=st.sampled_from(IDS),
        valid_from=st.integers(1, 8),
        op=st.sampled_from(["link", "link", "link", "unlink"]),
        received_at=st.none(),
    )
    erase = st.builds(
        Link, st.sampled_from(IDS), st.just("customer"), st.none(), st.just(5), st.just("erase"), st.none()
    )
    return draw(st.lists(link, max_size=12, unique=True)) + draw(st.lists(erase, max_size=1))


class Unshuffled(Random):
    """One row after the other, in the order given."""

    def shuffle(self, x):
        pass

    def randint(self, a, b):  # noqa: ARG002
        return a


#: Someone's device that is a customer of its own elsewhere: what happens to that someone does not move it.
DEVICE_AND_CUSTOMER = [
    Link("dev", "device", "a@b", 4),
    Link("a@b", "device", "C3", 3),
    Link("dev", "customer", "C3", 2),
]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(link_logs(), st.randoms(use_true_random=False))
@example(DEVICE_AND_CUSTOMER, Unshuffled())
def test_persons_are_those_of_the_log_whatever_the_order(place, store, log, random):
    own = f"{next(numbers)}-"  # one store serves all examples, each with ids of its own
    log = [
        each._replace(identifier=own + each.identifier, customer=None if each.customer is None else own + each.customer)
        for each in log
    ]
    ids = [own + raw for raw in IDS]
    random.shuffle(log)
    note("\n".join(["the log:", *map(repr, log)]))
    rows = links(*log)
    while rows:  # in pieces of any size
        size = random.randint(1, len(rows))
        store.record_links(rows[:size]).result()
        rows = rows[size:]
    gone = erased(log)
    for raw in ids:
        read = store.read(raw)
        if raw in gone:
            assert not read.customer.profile.said("email").granted
        else:
            assert read.customer.customer_id == person(raw, log, 9), raw
    assert store.erased(ids) == gone
    table = pa.table([[row[name] for row in links(*log)] for name in LINKS.names], LINKS.names).cast(LINKS)
    mapping = resolve(table, 9, SETTINGS)
    persons = [
        each
        for each in place.query("SELECT raw, customer_id FROM persons WHERE customer_id <> ''")
        if any(name.startswith(own) for name in each)
    ]
    assert {raw: customer for raw, customer in persons if raw != customer} == mapping
    listed = {raw for raw, customer in persons if raw == customer}
    assert listed == set(mapping.values()), "every person of several ids is listed under their own, no one else"


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(interactions(customers=tuple(IDS)), link_logs(), st.randoms(use_true_random=False))
def test_now_is_what_history_will_say(tmp_path, rows, log, random):
    table = interactions_table(rows)
    steps = [("row", row) for row in rows] + [("link", link) for link in links(*log)]
    random.shuffle(steps)
    with SqliteStore(tmp_path / f"{next(numbers)}.db") as store:
        while steps:  # in pieces of any size
            size = random.randint(1, len(steps))
            piece, steps = steps[:size], steps[size:]
            store.record_links([step for what, step in piece if what == "link"]).result()
            whole = dict.fromkeys(SCHEMA.names) | {"identified": True, "provenance": "observed"}
            store.record([whole | step for what, step in piece if what == "row"]).result()
        known = pa.table([[row[name] for row in links(*log)] for name in LINKS.names], LINKS.names).cast(LINKS)
        now = max([r["occurred_at"] for r in rows] + [r["received_at"] for r in rows], default=0) + 1
        asked = [raw for raw in IDS if raw not in erased(log)]
        past = Past(table, links=known)
        expected = batch.compute_at(past, asked, np.full(len(asked), now), SMALL, SETTINGS, workers=1)
        compiled = SMALL.compile(store.vocabulary(), SETTINGS)
        for raw, theirs in zip(asked, expected.to_pandas().astype(object).to_numpy(), strict=True):
            packed = store.read(raw).state
            state = State.from_bytes(packed) if packed else State()
            for name, mine, other in zip(SMALL.names, online.compute(state, now, compiled), theirs, strict=True):
                if name in compiled.levels and mine == mine:
                    mine = compiled.levels[name][int(mine)]
                if not isinstance(other, str):
                    other = pytest.approx(other, rel=1e-6, nan_ok=True)
                assert mine == other, (raw, name)


def decided(store, book, customer_id):
    """Decides and commits, again after a lost race."""
    number = next(numbers)
    while True:
        customer = store.read(customer_id).customer
        decision = decide(request(customer_id, number), customer, flat(), book, customer.now(NOW), 0.5)
        if store.commit_decision(decision).result().status == "committed":
            return decision


ONE_A_WEEK = playbook(caps=[{"scope": "total", "max": 1, "window": "7d"}])
MERGE = links(Link("a@b", "email", "C1", 1), Link("a@b", "email", "C2", 2))


def test_contacts_of_all_ids_count_against_caps(store):
    assert decided(store, ONE_A_WEEK, "C1").contact is not None
    assert decided(store, ONE_A_WEEK, "C2").contact is not None, "two strangers"
    store.record_links(MERGE).result()
    assert decided(store, ONE_A_WEEK, "C3").contact is not None
    for either in ("C1", "C2", "a@b"):
        assert len(store.read(either).customer.contacts) == 2
        assert decided(store, ONE_A_WEEK, either).contact is None
    store.record_links(links(Link("a@b", "email", "C2", 3, "unlink"))).result()
    assert len(store.read("C2").customer.contacts) == 1, "each keeps what was sent to it"


def test_a_merge_voids_what_was_judged_before_it(store):
    before = store.read("C2").customer
    decided(store, ONE_A_WEEK, "C1")
    store.record_links(MERGE).result()
    late = decide(request("C2", next(numbers)), before, flat(), ONE_A_WEEK, NOW, 0.5)
    assert store.commit_decision(late).result().status == "lost"
    assert decided(store, ONE_A_WEEK, "C2").contact is None


def test_a_split_voids_what_was_judged_before_it(store):
    store.record_links(MERGE).result()
    before = store.read("C2").customer
    assert before.customer_id == "C1"
    store.record_links(links(Link("a@b", "email", "C2", 3, "unlink"))).result()
    late = decide(request("C2", next(numbers)), before, flat(), ONE_A_WEEK, NOW, 0.5)
    assert store.commit_decision(late).result().status == "lost"


@pytest.mark.parametrize("change", ["interaction", "reservation", "claim", "failed"])
def test_whatever_happens_to_one_id_moves_the_person(store, change):
    store.record_links(MERGE).result()
    decision = decided(store, ONE_A_WEEK, "C2")
    assert decision.contact.customer_id == "C2"
    before = store.read("C1").version
    if change == "interaction":
        store.record([row(1, customer_id="a@b")]).result()
    elif change == "reservation":
        decided(store, playbook(), "C2")
    elif change == "claim":
        store.claim(decision.contact.contact_id, NOW, lambda *_: None).result()
    else:
        store.failed(decision.contact.contact_id, NOW).result()
    assert store.read("C1").version > before


def test_processes_racing_for_one_person_share_one_slot(place):
    """Deciders on three ids of one person, while links come and go; claims never exceed the cap of the merged."""
    racing = [place.open() for _ in range(4)]
    racing[0].record_links(MERGE).result()
    book = playbook(caps=[{"scope": "total", "max": 1, "window": "7d"}])
    claimed, failures = [], []

    def recheck(customer, contact, now):
        return "; ".join(t.text for t in judge_claim(customer, contact, book, now)) or None

    def run(store, raw, seed):
        try:
            for turn in range(12):
                decision = decided(store, book, raw)
                if decision.contact is not None:
                    try:
                        store.claim(decision.contact.contact_id, NOW + turn, recheck).result()
                        claimed.append(raw)
                    except Conflict:
                        pass
        except BaseException as error:
            failures.append(error)

    def relink(store):
        for turn in range(20):
            store.record_links(links(Link("dev", "device", "C1", 10 + turn, ("link", "unlink")[turn % 2]))).result()

    threads = [threading.Thread(target=run, args=(s, raw, i))
               for i, (s, raw) in enumerate(zip(racing, ["C1", "C2", "a@b"], strict=False))]  # fmt: skip
    threads.append(threading.Thread(target=relink, args=(racing[3],)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(claimed) == 1


def test_a_shared_device_is_nobodys(store):
    store.record([row(n, customer_id=who) for n, who in enumerate(["C1", "C2", "dev", "dev"])]).result()
    store.record_links(links(Link("dev", "device", "C1", 1))).result()
    assert [held(store, who) for who in ("C1", "C2", "dev")] == [3, 1, 3]
    store.record_links(links(Link("dev", "device", "C2", 2))).result()
    assert [held(store, who) for who in ("C1", "C2", "dev")] == [1, 1, 2]
    store.record_links(MERGE).result()
    assert [held(store, who) for who in ("C1", "C2", "dev")] == [4, 4, 4], "it turned out to be one person's"


def test_an_opt_out_under_any_id_binds_the_person(store):
    store.record([row(1, type="opted_out", attributes={"channels": "all"}, customer_id="C1")]).result()
    store.record([row(2, type="consent_given", customer_id="C2", occurred_at=NOW)]).result()
    assert store.read("C2").customer.profile.said("email").granted
    store.record_links(MERGE).result()
    assert not store.read("C2").customer.profile.said("email").granted
    store.record([row(3, type="consent_given", customer_id="C1", occurred_at=NOW)]).result()
    assert store.read("C2").customer.profile.said("email").granted, "taken back where it was said"
    assert not store.read("C2").customer.profile.said("phone").granted


def test_erased_stays_erased(store, place):
    store.record([row(1), row(2, customer_id="C2")]).result()
    store.record_links(MERGE).result()
    assert held(store, "C1") == 2
    judged = store.read("C2").customer
    store.record_links(links(Link("C1", "customer", None, 5, "erase", NOW))).result()
    assert held(store, "C2") == 1
    gone = store.read("C1")
    assert gone.state == b""
    assert decided(store, playbook(), "C1").contact is None, "nothing may be sent"
    late = decide(request("C2", next(numbers)), judged, flat(), playbook(), NOW, 0.5)
    assert store.commit_decision(late).result().status == "lost"
    again = store.record([row(3), row(1)]).result()
    assert again.accepted == 0
    store.record_links(links(Link("x@y", "email", "C1", 9), Link("x@y", "email", "C2", 9))).result()
    assert held(store, "C1") == 0
    assert store.read("x@y").customer.customer_id == "C2"
    assert place.query("SELECT profile FROM customers WHERE customer_id = 'C1'") == [(None,)]
    assert place.query("SELECT count(*) FROM states WHERE customer_id = 'C1'") == [(0,)]


def test_bulk_loads_bring_nothing_erased_back(store):
    store.record_links(links(Link("C1", "customer", None, 5, "erase", NOW))).result()
    rows = pa.table([[r[name] for r in (row(1), row(2, customer_id="C2"))] for name in SCHEMA.names], SCHEMA.names)
    receipt = store.bulk_load("b1", [rows.cast(SCHEMA)])
    assert (receipt.received, receipt.accepted) == (2, 1)
    assert held(store, "C1") == 0
    assert held(store, "C2") == 1


def test_the_same_login_again_is_nothing_new(store):
    login = links(Link("a@b", "email", "C1", 1))[0]
    assert store.record_links([login]).result().accepted == 1
    again = login | {"link_id": "other", "valid_from": 2, "unless_linked": True}
    assert store.record_links([again]).result().duplicates == 1
    assert store.record_links([login]).result().duplicates == 1
    assert len(store.export("identifiers", 0)) == 1


def test_other_kinds_in_the_settings_make_other_persons(opened):
    with opened() as store:
        store.record_links(MERGE).result()
        assert store.read("C2").customer.customer_id == "C1"
    with opened(kinds={"email": "weak"}) as store:
        assert store.read("C2").customer.customer_id == "C2"
    with opened(kinds=KINDS) as store:
        assert store.read("C2").customer.customer_id == "C1"


def test_a_merged_profile_is_the_strictest():
    yes, no = Said(5, 1, True), Said(3, 2, False)
    told = Profile.merged([Profile(consent={"email": yes}), Profile(consent={EVERYWHERE: no})])
    assert [told.said(channel).granted for channel in ("email", "phone")] == [False, False]
    back = Profile.merged(
        [Profile(consent={"email": yes}), Profile(consent={EVERYWHERE: no, "email": Said(4, 1, True)})]
    )
    assert [back.said(channel).granted for channel in ("email", "phone")] == [True, False]
    assert Profile.merged([]).to_bytes() == Profile().to_bytes()


def test_an_old_store_grows_the_tables(tmp_path):
    """A store of before identifiers opens, and learns them."""
    from serving.store import schema

    path = tmp_path / "old.db"
    with sqlite3.connect(path, isolation_level=None) as plain:
        for statement in schema._statements(schema.STEPS[0]):
            plain.execute(statement)
        plain.execute("PRAGMA user_version = 1")
        plain.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    plain.close()
    with SqliteStore(path) as store:
        store.record_links(MERGE).result()
        assert store.read("C2").customer.customer_id == "C1"


@pytest.mark.slow
def test_processes_racing_for_ids_of_one_person_never_exceed_their_caps(place):
    """C0, C1 and C2 are one person, C3 and C4 another: judged from the log, each person's contacts together."""
    with place.open() as store:
        same = [Link("a@b", "email", f"C{i}", 1) for i in range(3)] + [Link("x@y", "email", f"C{i}", 1) for i in (3, 4)]
        store.record_links(links(*same)).result()
    running = start(place, 0, 150, 5, processes=3)
    go(running, 3)
    output, _ = running.communicate()
    assert running.returncode == 0
    assert sum(line["kind"] == "claim" for line in lines(output)) > 5
    place.query("UPDATE contacts SET customer_id = CASE WHEN customer_id IN ('C0', 'C1', 'C2') THEN 'A' ELSE 'B' END")
    assert violations(place) == []
