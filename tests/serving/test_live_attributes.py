"""Customer attributes live: recorded once, read as of now, the same as from history, whatever is lost."""

import asyncio

import market
import numpy as np
import pytest
from mounted import KEY, mounted
from starlette.testclient import TestClient

from features import attributes, batch, clock
from features.catalogue import Catalogue, of
from features.history import History
from features.kinds import AttributeLabel, AttributeNumber, Count
from features.workspace import Workspace
from serving import absorb, sync
from serving.engine import Engine
from serving.store import open_store

DECLARED = "attributes: {age: number, segment: [gold, silver]}\n"
SMALL = """
from features.definitions import ANY
from features.kinds import Count
CATALOGUE = [Count(ANY, 30)]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A workspace with a small catalogue, two declared attributes and a log, without models; read only."""
    workspace = market.found(tmp_path_factory.mktemp("attributes") / "shop")
    (workspace.folder / "catalogue.py").write_text(SMALL)
    History(workspace).append(market.history(n=200), "test")
    return market.taken_in(declare(workspace, DECLARED))


@pytest.fixture
def shop(template, tmp_path):
    return market.copy(template, tmp_path / "shop")


def declare(workspace: Workspace, section: str) -> Workspace:
    (workspace.folder / "tactful.yaml").write_text(market.SETTINGS + section)
    return Workspace.open(workspace.folder)


def forget(shop):
    """The store's file is gone."""
    for file in shop.store_path.parent.glob(shop.store_path.name + "*"):
        file.unlink()


@pytest.fixture
def engine(shop):
    found = Engine.open(shop)
    yield found
    found.close()


def record(customer="C1", valid_from="2026-05-01T00:00:00Z", **stated):
    return {"customer_id": customer, "valid_from": valid_from, "attributes": stated}


def post(engine, *records):
    return asyncio.run(engine.record_attributes(list(records)))


def known(engine, customer="C1", at=None):
    """What the service would give rules and models."""
    read = engine.store.read(customer)
    named = engine.vectors.named(engine.vectors.of(read.state, at or engine.clock.now()))
    return {name: value for name, value in named.items() if name.startswith(("count", "attribute"))}


def test_a_record_is_a_feature_at_once_and_counts_once(engine):
    version = engine.store.read("C1").version
    before = known(engine)["count_any_30d"]
    assert post(engine, record(age=41, segment="gold"), record("new", age="7")) == {
        "received": 2, "accepted": 2, "duplicates": 0, "quarantined": 0, "quarantine": []
    }  # fmt: skip
    assert known(engine) == {"count_any_30d": before, "attribute_age": 41.0, "attribute_segment": "gold"}
    assert known(engine, "new") == {"count_any_30d": 0.0, "attribute_age": 7.0, "attribute_segment": None}
    assert engine.store.read("C1").version == version + 1, "a decision that was judged without it starts again"
    assert post(engine, record(segment="gold", age=41))["duplicates"] == 1
    assert engine.store.read("C1").version == version + 1


def test_interactions_and_attributes_live_side_by_side(engine):
    post(engine, record(segment="silver"))
    before = known(engine)
    asyncio.run(engine.record([market.interaction(1)]))
    assert known(engine) == {**before, "count_any_30d": before["count_any_30d"] + 1}
    assert before["attribute_segment"] == "silver"


def test_what_holds_later_is_not_known_now(engine):
    tomorrow = clock.isoformat(engine.clock.now() + clock.DAY)
    post(engine, record(segment="silver"), record(valid_from=tomorrow, segment="gold"))
    now = engine.clock.now()
    assert known(engine, at=now)["attribute_segment"] == "silver"
    assert known(engine, at=now + clock.DAY)["attribute_segment"] == "gold"
    assert known(engine, at=now - clock.DAY)["attribute_segment"] is None, "it had not been received by then"


def test_history_gives_the_same_as_the_service(shop, engine):
    post(engine, record(age=41, segment="gold"), record("C2", age=30), record("C3", segment="bronze"))
    post(engine, record(valid_from="2026-05-02T00:00:00Z", segment="silver"), record("C2", age=None))
    asyncio.run(engine.record([market.interaction(1), market.interaction(2, "C9")]))
    done = sync.sync(shop, engine.store)
    assert done["attributes"].accepted == 5
    assert sync.sync(shop, engine.store)["attributes"].received == 0
    who, now = ["C1", "C2", "C3", "C9", "nobody"], engine.clock.now()
    past = batch.compute_at(History(shop).past(), who, np.full(5, now), of(shop), shop.settings)
    live = np.array([engine.vectors.of(engine.store.read(name).state, now) for name in who])
    np.testing.assert_array_equal(live, past.values)
    assert past.to_pandas()["attribute_segment"].tolist()[0] == "silver"


def test_a_person_is_what_the_records_of_all_their_ids_say_and_an_erased_one_nothing(shop, engine):
    post(engine, record("C1", age=41), record("ann@example.com", "2026-05-02T00:00:00Z", segment="gold", age=42))
    link = {"identifier": "ann@example.com", "kind": "email", "customer_id": "C1", "valid_from": "2026-05-01T00:00:00Z"}
    assert asyncio.run(engine.record_links([link]))["accepted"] == 1
    person = known(engine, "C1")
    assert (person["attribute_age"], person["attribute_segment"]) == (42.0, "gold")
    assert known(engine, "ann@example.com") == person
    sync.sync(shop, engine.store)
    now = np.array([engine.clock.now()])
    past = batch.compute_at(History(shop).past(), ["C1"], now, of(shop), shop.settings).to_pandas()
    assert past[list(person)].iloc[0].tolist() == list(person.values())
    gone = {"identifier": "C1", "kind": "customer", "op": "erase", "valid_from": "2026-05-04T00:00:00Z"}
    assert asyncio.run(engine.record_links([gone]))["accepted"] == 1
    assert post(engine, record("C1", age=43))["quarantined"] == 1
    absorb.absorb(shop, engine.store)
    assert known(engine, "C1")["attribute_age"] is None


def test_what_was_ingested_reaches_the_states_and_a_lost_store_gets_it_back(shop, engine):
    day = clock.parse_instant("2026-05-01")
    told = [{"customer_id": f"C{i}", "valid_from": day, "attributes": {"age": i}} for i in range(30)]
    History(shop).append_attributes(attributes.records(told), "crm")
    post(engine, record("C1", segment="gold"))
    absorb.absorb(shop, engine.store)
    assert known(engine, "C7")["attribute_age"] == 7.0
    sync.sync(shop, engine.store)
    states = {name: engine.store.read(name).state for name in ("C1", "C7")}
    version = engine.store.read("C7").version
    absorb.absorb(shop, engine.store)
    assert engine.store.read("C7").version == version, "nothing changes twice"
    engine.close()
    forget(shop)
    with open_store(shop) as store:
        absorb.absorb(shop, store)
        assert {name: store.read(name).state for name in states} == states


def test_an_attribute_that_is_declared_later_is_found_in_history_and_in_the_live_log(shop, engine):
    History(shop).append_attributes(
        attributes.records([{"customer_id": "C1", "valid_from": 0, "attributes": {"shoe": 43}}]), "crm"
    )
    post(engine, record("C2", shoe=38, age=5))
    engine.close()
    wider = Engine.open(declare(shop, "attributes: {age: number, shoe: number}"))
    try:
        assert known(wider, "C1")["attribute_shoe"] == 43.0
        assert known(wider, "C2") == {"count_any_30d": known(wider, "C2")["count_any_30d"],
                                      "attribute_age": 5.0, "attribute_shoe": 38.0}  # fmt: skip
    finally:
        wider.close()


def test_without_declared_attributes_nothing_is_kept_in_the_state(shop, engine):
    engine.close()
    plain = Engine.open(declare(shop, ""))
    try:
        assert post(plain, record("stranger", age=41))["accepted"] == 1
        assert plain.store.read("stranger").state == b""
    finally:
        plain.close()


def test_the_service_gives_what_the_catalogue_asks_for(shop):
    """Own features on attributes need no declaration."""
    from features.definitions import ANY

    own = "from features.kinds import AttributeNumber\nCATALOGUE = [AttributeNumber('shoe')]"
    (shop.folder / "catalogue.py").write_text(own)
    forget(shop)
    engine = Engine.open(declare(shop, ""))
    try:
        post(engine, record(shoe=43))
        assert known(engine) == {"attribute_shoe": 43.0}
    finally:
        engine.close()
    assert Catalogue((Count(ANY, 30), AttributeNumber("a"), AttributeLabel("b", ("x",)))).attributes == ("a", "b")


BAD = [
    (record(customer=""), "customer_id"),
    (record(customer=7, age=1), "customer_id"),
    (record(), "attributes"),
    ({"customer_id": "a", "attributes": "gold"}, "attributes"),
    ({"customer_id": "a", "attributes": {"a": 1}, "valid_form": "2026-01-01"}, "valid_form"),
    (record(valid_from="soon", age=1), "valid_from"),
    (record(valid_from="1850-01-01", age=1), "valid_from"),
    (record(valid_from="2126-01-01", age=1), "valid_from"),
    (record(age="x" * 20_000), "attributes"),
    (None, "whole"),
]


def test_a_bad_record_costs_only_itself(shop, engine):
    rows = [record(age=41), *(row for row, _ in BAD)]
    with TestClient(mounted(engine), headers={"X-API-Key": KEY}) as client:
        answer = client.post("/v1/attributes", json={"records": rows}).json()
        assert (answer["received"], answer["accepted"], answer["quarantined"]) == (len(rows), 1, len(BAD))
        for told, (row, field) in zip(answer["quarantine"], BAD, strict=True):
            place = told["errors"][0]["field"]
            assert place.startswith(f"records.{told['position']}"), place
            assert field in place or row is None
        assert client.post("/v1/attributes", json={"records": []}).status_code == 422
        assert client.post("/v1/attributes", json={}).status_code == 422
    kept = list((shop.quarantine / "live").rglob("*.jsonl"))
    assert sum(len(path.read_bytes().splitlines()) for path in kept) == len(BAD)
    assert known(engine)["attribute_age"] == 41.0
