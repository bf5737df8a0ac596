"""Nudges, wishes and erasures on PostgreSQL: the same as on the embedded store."""

import asyncio

import nudge_world
import pytest
import stores
from nudge_world import START, row, told

from features.clock import DAY, HOUR
from features.history import History
from serving import preferences, sync
from serving.nudges import commands, fetching
from serving.privacy import erasing, exporting
from serving.schemas_people import PreferencesRequest

pytestmark = pytest.mark.slow


@pytest.fixture
def engine(tmp_path):
    place = stores.place("postgres", tmp_path)
    settings = f"\nstore: {{url: '{place.url}'}}\nretention: {{decisions: 400d}}\n"
    found = nudge_world.engine(
        nudge_world.workspace(tmp_path / "shop", nudge_world.POLICY + "on_cap: defer\n", settings)
    )
    yield found
    found.close()
    place.close()


def sweep(engine):
    return asyncio.run(commands.round_(engine, []))


def test_a_nudge_is_put_off_made_once_fetched_and_taken_over(engine):
    told(engine, row(1, "contact", 1, channel="email", direction="outbound"))
    told(engine, row(2, "add_to_cart", 5), row(3, "purchase", 1, "C2"))
    (entry,) = fetching.page(engine, None, 0, 10)["entries"]
    assert entry["customer_id"] == "C2"
    assert asyncio.run(fetching.acknowledge(engine, entry["outbox_id"]))["acknowledged"]
    engine.clock.at = START - HOUR + 2 * DAY + 1
    assert sweep(engine)["made"] == 1
    (entry,) = fetching.page(engine, "email", 0, 10)["entries"]
    assert sweep(engine)["made"] == 0
    assert asyncio.run(engine.claim(entry["contact_id"]))["state"] == "claimed"


def test_two_who_look_at_the_same_moment_make_one_contact(engine):
    told(engine, row(1, "add_to_cart", 1))
    engine.clock.at = START + 5 * HOUR

    async def both():
        await asyncio.gather(*(engine.nudger.consider("C1") for _ in range(8)))

    asyncio.run(both())
    assert len(fetching.page(engine, None, 0, 10)["entries"]) == 1


def test_wishes_bind_and_an_erasure_leaves_nothing(engine):
    told(engine, row(1, "purchase", 1))
    asyncio.run(preferences.tell(engine, PreferencesRequest(customer_id="C1", contact="less_often")))
    assert preferences.shown(engine, "C1")["contact"] == "less_often"
    link = {"identifier": "a@b", "kind": "email", "customer_id": "C1"}
    asyncio.run(engine.record_links([link]))
    sync.sync(engine.workspace, engine.store)
    assert exporting.export(engine.workspace, engine.store, "a@b")["ids"] == ["C1", "a@b"]
    assert erasing.erase(engine.workspace, engine.store, ["a@b"], START).ids == 2
    engine.store.scrub()
    assert not any(engine.store.export_customer(["C1", "a@b"]).values())
    assert History(engine.workspace).interactions().num_rows == 0
    assert asyncio.run(engine.record([nudge_world.row(9, "purchase")]))["quarantined"] == 1
