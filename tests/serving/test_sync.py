"""Store to history and history to store: every row once, whatever is killed and whatever is lost."""

import asyncio

import market
import orjson
import pytest

from features import clock, decision_log
from features.history import History
from serving import absorb, sync
from serving.privacy import erasing, restricting
from serving.schemas import DecideRequest, OutcomeRequest
from serving.store import open_store
from serving.store.protocol import Outgoing


async def live(engine):
    """Interactions, a decision with its contact sent, an outcome; returns the decision."""
    await engine.record([market.interaction(f"s-{i}", "sam", value=float(i)) for i in range(5)])
    decision = await engine.decide(DecideRequest(customer_id="sam", channel="email"))
    await engine.claim(decision["contact_id"])
    await engine.sent(decision["contact_id"])
    await engine.outcome(OutcomeRequest(decision_id=decision["decision_id"], outcome="accepted", value=40.0))
    return decision


def test_everything_live_reaches_history_once(shop, engine):
    decision = asyncio.run(live(engine))
    done = sync.sync(shop, engine.store)
    assert {log: receipt.accepted for log, receipt in done.items()} == {
        "interactions": 7,  # five, the contact that was sent, the outcome
        "decisions": 1,
        "contacts": 3,
        "attributes": 0,
        "identifiers": 0,
    }
    history = History(shop)
    rows = history.interactions(customers=["sam"]).to_pylist()
    assert {row["type"] for row in rows} == {"purchase", "contact", "accepted"}
    outcome = next(row for row in rows if row["type"] == "accepted")
    assert (outcome["decision_id"], outcome["action"], outcome["value"]) == (
        decision["decision_id"],
        decision["action"],
        40.0,
    )
    logged = history.decisions().to_pylist()[0]
    document = orjson.loads(logged["document"])
    assert logged["decision_id"] == decision["decision_id"]
    assert document["candidates"] == decision["candidates"]
    assert len(document["features"]) == len(engine.vectors.catalogue.names)
    assert "uniform" in document
    assert [row["status"] for row in history.contacts().to_pylist()] == ["reserved", "claimed", "sent"]
    assert {receipt.received for receipt in sync.sync(shop, engine.store).values()} == {0}


def test_a_sync_that_was_killed_before_it_noted_its_position_is_repeated_without_harm(shop, engine, monkeypatch):
    asyncio.run(live(engine))
    monkeypatch.setattr(engine.store, "mark_synced", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sync.sync(shop, engine.store)
    monkeypatch.undo()
    done = sync.sync(shop, engine.store)
    assert done["decisions"].duplicates == 1
    assert sync.sync(shop, engine.store)["decisions"].received == 0
    assert len(History(shop).decisions()) == 1


def test_what_was_synced_is_not_absorbed_again(shop, engine):
    asyncio.run(live(engine))
    sync.sync(shop, engine.store)
    assert absorb.pending(History(shop), engine.store) == []


def forget(shop):
    """The store's file is gone."""
    for file in shop.store_path.parent.glob(shop.store_path.name + "*"):
        file.unlink()


def test_a_lost_store_gets_its_interactions_back_from_history(shop, engine):
    asyncio.run(live(engine))
    sync.sync(shop, engine.store)
    before = engine.store.read("sam").state
    engine.close()
    forget(shop)
    store = open_store(shop)
    told = []
    receipt = absorb.absorb(shop, store, lambda batch, rows: told.append((batch.source, rows)))
    assert receipt.accepted == History(shop).interactions().num_rows == sum(rows for _, rows in told)
    assert store.read("sam").state == before
    store.close()


def test_the_commands(shop):
    from typer.testing import CliRunner

    from serving.commands import app

    forget(shop)
    result = CliRunner().invoke(app, ["sync", "--workspace", str(shop.folder)])
    assert result.exit_code == 0
    assert "interactions: 0 received" in result.output
    assert "live store: 1,500 interactions taken in" in result.output
    assert "taken in" not in CliRunner().invoke(app, ["sync", "--workspace", str(shop.folder)]).output


def lost(shop, engine):
    """The store's file is gone; another one made from history."""
    engine.close()
    forget(shop)
    store = open_store(shop)
    absorb.absorb(shop, store)
    return store


def test_a_store_made_anew_knows_who_is_restricted_and_who_no_longer_is(shop, engine):
    for customer, on in (("sam", True), ("kim", True), ("kim", False), ("lee", True)):
        restricting.restrict(shop, engine.store, customer, on, engine.clock.now())
    assert absorb.absorb(shop, engine.store).received == 0
    store = lost(shop, engine)
    restricted = {who: store.read(who).customer.restricted for who in ("sam", "kim", "lee", "ann")}
    assert restricted == {"sam": True, "kim": False, "lee": True, "ann": False}
    absorb.absorb(shop, store)
    store.restrict("sam", False, 0).result()
    absorb.absorb(shop, store)
    assert not store.read("sam").customer.restricted, "what was taken in once is not taken in again"
    store.close()


def test_a_restriction_lifted_and_asked_for_again_stands_though_the_lifting_was_killed(shop, engine, monkeypatch):
    """Killed between history and the store's note of it, a row is taken in anew: nothing later is undone by it."""

    def killed(*_):
        raise KeyboardInterrupt

    now = engine.clock.now()
    restricting.restrict(shop, engine.store, "kim", True, now)
    with monkeypatch.context() as patch:
        patch.setattr(engine.store, "bulk_load", killed)
        with pytest.raises(KeyboardInterrupt):
            restricting.restrict(shop, engine.store, "kim", False, now + 1)
    restricting.restrict(shop, engine.store, "kim", True, now + 2)
    restricting.absorb(History(shop), engine.store)
    assert engine.store.read("kim").customer.restricted


def test_whoever_was_erased_leaves_no_restriction_behind(shop, engine):
    erasing.erase(shop, engine.store, ["sam"], engine.clock.now())
    restricting.restrict(shop, engine.store, "sam", True, engine.clock.now())
    assert History(shop).logs["restrictions"].batches() == []
    restricting.restrict(shop, engine.store, "kim", True, engine.clock.now())
    erasing.erase(shop, engine.store, ["kim"], engine.clock.now())
    assert History(shop).logs["restrictions"].read().num_rows == 0
    store = lost(shop, engine)
    assert store.export_customer(["sam", "kim"])["customers"] == []
    store.close()


def test_a_store_made_anew_keeps_everyone_in_the_arm_that_they_had(shop, engine):
    """The arm is drawn by the id that was decided about first, whoever is merged with it later."""

    async def live(engine):
        for who in ("zoe", "amy"):
            await engine.decide(DecideRequest(customer_id=who, channel="email"))

    asyncio.run(live(engine))
    link = {"link_id": "l1", "identifier": "zoe", "kind": "customer", "customer_id": "amy",
            "valid_from": engine.clock.now(), "received_at": engine.clock.now(), "op": "link"}  # fmt: skip
    engine.store.record_links([link]).result()
    assert engine.store.read("amy").customer.arm_id == "zoe"
    sync.sync(shop, engine.store)
    store = lost(shop, engine)
    assert [store.read(who).customer.arm_id for who in ("amy", "zoe")] == ["zoe", "zoe"]
    store.close()


def test_the_outbox_is_rid_of_what_was_done_a_month_ago(shop, engine):
    now = engine.clock.now()
    for name, done in (("old", now - sync.OUTBOX_KEPT - clock.HOUR), ("new", now - sync.OUTBOX_KEPT + clock.HOUR)):
        engine.store.outbox_add([Outgoing(name, "sam", None, {}, due_at=now)]).result()
        engine.store.outbox_done([name], done).result()
    sync.sync(shop, engine.store)
    assert engine.store.outbox_add([Outgoing("old", "sam", None, {}, due_at=now)]).result() == 1, "it is no more"
    assert engine.store.outbox_add([Outgoing("new", "sam", None, {}, due_at=now)]).result() == 0


def test_many_decisions_are_read_in_pieces_and_written_together(shop, engine, monkeypatch):
    async def live():
        for i in range(23):
            await engine.decide(DecideRequest(customer_id=f"c{i}", channel="email"))

    asyncio.run(live())
    monkeypatch.setattr(sync, "DECISIONS_AT_ONCE", 4)
    monkeypatch.setattr(sync, "PIECE", 8)
    told = []
    assert sync.sync(shop, engine.store, told.append)["decisions"].accepted == 23
    assert told[:3] == [8, 8, 7]
    log = decision_log.read(History(shop))
    assert sorted(log["customer_id"].to_pylist()) == sorted(f"c{i}" for i in range(23))
    for entry in log.to_pylist():
        logged = orjson.loads(entry["document"])
        assert entry["distribution"] == logged["distribution"]
        assert [each["expected_value"] for each in entry["candidates"]] == [
            each.get("factors", {}).get("expected_value") for each in logged["candidates"]
        ]
        assert [each["stage"] for each in entry["candidates"]] == [each["stage"] for each in logged["candidates"]]
        assert entry["features"] == logged["features"]
        assert entry["probability"] == max(cell["probability"] for cell in entry["distribution"])
