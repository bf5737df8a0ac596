"""Who is who, live: linked over the API, the same after a sync and in a store made anew; erased customers stay out."""

import asyncio

import market
import pytest
from mounted import KEY, mounted
from starlette.testclient import TestClient

from features import batch, clock
from features.catalogue import of
from features.history import History
from features.ingest_identifiers import ingest_identifiers
from features.workspace import Workspace
from serving import absorb, sync
from serving.commands import absorb_new
from serving.engine import Engine
from serving.store import open_store

SMALL = """
from features.definitions import ANY
from features.kinds import Count, LifetimeCount
CATALOGUE = [Count(ANY, 30), LifetimeCount(ANY)]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A workspace with a small catalogue and a log, without models; read only."""
    workspace = market.found(tmp_path_factory.mktemp("identifiers") / "shop")
    (workspace.folder / "catalogue.py").write_text(SMALL)
    History(workspace).append(market.history(n=300), "test")
    return market.taken_in(workspace)


@pytest.fixture
def shop(template, tmp_path):
    return market.copy(template, tmp_path / "shop")


@pytest.fixture
def engine(shop):
    found = Engine.open(shop)
    yield found
    found.close()


def post(engine, *links):
    return asyncio.run(engine.record_links(list(links)))


def link(identifier, customer, kind="email", **more):
    return {"identifier": identifier, "kind": kind, "customer_id": customer} | more


def total(engine, customer):
    read = engine.store.read(customer)
    return engine.vectors.named(engine.vectors.of(read.state, engine.clock.now()))["lifetime_count_any"]


def test_linked_at_once_and_split_again(engine):
    one, two = total(engine, "C1"), total(engine, "C2")
    assert one
    assert two
    answer = post(engine, link("a@b", "C1"), link("a@b", "C2"), link("unknown", "C3", "cookie"))
    assert (answer["received"], answer["accepted"], answer["quarantined"]) == (3, 2, 1)
    assert answer["quarantine"][0]["errors"] == [
        {"field": "identifiers.2.identifier", "what": "'unknown' stands for an unknown one",
         "fix": "linking by it would merge strangers"}
    ]  # fmt: skip
    assert [total(engine, each) for each in ("C1", "C2", "a@b")] == [one + two] * 3
    assert post(engine, link("a@b", "C1"))["duplicates"] == 1, "the same login, once more"
    assert post(engine, link("a@b", "C2", op="unlink"))["accepted"] == 1
    assert [total(engine, each) for each in ("C1", "C2", "a@b")] == [one, two, one]


def test_history_and_a_store_made_anew_agree(engine, shop):
    post(engine, link("a@b", "C1"), link("a@b", "C2"), link("dev", "C3", "device"), link("dev", "C4", "device"))
    post(engine, {"identifier": "C5", "op": "erase"})
    asyncio.run(engine.record([market.interaction(1) | {"customer_id": "dev"}]))
    now = engine.clock.now()
    expected = {each: total(engine, each) for each in ("C1", "C2", "C3", "C4", "a@b", "dev")}
    done = sync.sync(shop, engine.store)
    assert done["identifiers"].accepted == 5
    assert sync.sync(shop, engine.store)["identifiers"].received == 0
    matrix = batch.compute_at(
        History(shop).past(), list(expected), [now + 10**9] * len(expected), of(shop), shop.settings
    )
    column = matrix.catalogue.names.index("lifetime_count_any")
    assert dict(zip(expected, matrix.values[:, column].tolist(), strict=True)) == expected
    again = shop.folder / "state" / "again.db"
    engine.store.path.rename(again)
    with open_store(shop) as anew:
        absorb.absorb(shop, anew)
        assert anew.read("C2").customer.customer_id == "C1"
        assert anew.read("C5").state == b""
        assert anew.erased(["C5", "C6"]) == {"C5"}
        absorb.absorb(shop, anew)
        assert anew.read("C2").customer.customer_id == "C1"


def test_an_erased_customer_is_told_and_not_kept(engine, shop):
    post(engine, {"identifier": "C5", "op": "erase"})
    answer = asyncio.run(engine.record([market.interaction(1) | {"customer_id": "C5"}]))
    assert (answer["accepted"], answer["quarantined"]) == (0, 1)
    assert answer["quarantine"][0]["errors"][0]["what"] == "was erased"
    stated = {"customer_id": "C5", "attributes": {"age": 7}}
    assert asyncio.run(engine.record_attributes([stated]))["quarantined"] == 1
    assert post(engine, link("x@y", "C5"))["quarantined"] == 1
    kept = b"".join(path.read_bytes() for path in shop.quarantine.rglob("*.jsonl"))
    assert b"was erased" in kept
    assert b"C5" not in kept


def test_over_http(engine):
    with TestClient(mounted(engine), headers={"Authorization": f"Bearer {KEY}"}) as client:
        rows = [link("a@b", "C1", valid_from="2026-05-01T00:00:00Z"), link("x", "C1", kind="fax"), 7]
        answer = client.post("/v1/identifiers", json={"identifiers": rows})
        assert answer.status_code == 200
        assert (answer.json()["accepted"], answer.json()["quarantined"]) == (1, 2)
        assert client.post("/v1/identifiers", json={"identifiers": rows[:1]}).json()["duplicates"] == 1
        assert client.post("/v1/identifiers", json={"identifiers": []}).status_code == 422


def test_an_ingested_file_is_live_at_once(engine, shop, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("identifier,kind,customer_id,valid_from\na@b,email,C1,2026-01-01\na@b,email,C2,2026-01-02\n")
    ingest_identifiers(shop, [path])
    absorb_new(shop, engine.store)
    assert engine.store.read("C2").customer.customer_id == "C1"


def test_attributes_are_the_persons_too(shop):
    (shop.folder / "tactful.yaml").write_text(market.SETTINGS + "attributes: {age: number, segment: [gold]}\n")
    shop.store_path.unlink()
    declared = Workspace.open(shop.folder)
    engine = Engine.open(declared)
    try:
        told = [("C1", "2026-05-01", {"age": 30, "segment": "gold"}), ("C2", "2026-05-02", {"age": 31})]
        rows = [{"customer_id": who, "valid_from": since, "attributes": says} for who, since, says in told]
        assert asyncio.run(engine.record_attributes(rows))["accepted"] == 2
        post(engine, link("a@b", "C1"), link("a@b", "C2"))
        now = engine.clock.now() + 10**9
        for who in ("C1", "C2", "a@b"):
            found = engine.vectors.named(engine.vectors.of(engine.store.read(who).state, now))
            assert (found["attribute_age"], found["attribute_segment"]) == (31.0, "gold")
        sync.sync(declared, engine.store)
    finally:
        engine.close()
    early, late = clock.parse_instant("2026-05-03"), now
    frame = batch.compute_at(History(declared).past(), ["C1", "C2", "C2"], [late, late, early], of(declared),
                             declared.settings).to_pandas()  # fmt: skip
    assert frame["attribute_age"].tolist()[:2] == [31.0, 31.0]
    assert frame["attribute_segment"].tolist()[:2] == ["gold", "gold"]
    assert frame["attribute_segment"].isna().tolist() == [False, False, True], "before they were one, and heard of"
