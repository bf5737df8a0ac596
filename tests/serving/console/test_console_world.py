"""The world that the console's tests look at has what they look for."""

import console_world
import pyarrow.compute as pc
import pytest

from features.history import History
from serving.store import open_store

pytestmark = pytest.mark.slow


def test_the_world_has_what_pages_show(world):
    with open_store(world) as store:
        assert "case-1" in store.read(console_world.COMPLAINER).customer.profile.cases
    history = History(world)
    statuses = set(history.logs["contacts"].read()["status"].to_pylist())
    assert {"reserved", "claimed", "sent", "failed"} <= statuses
    decisions = history.logs["decisions"].read()
    assert pc.count(decisions["ghost"]).as_py() > 20
    assert set(decisions["arm"].to_pylist()) >= {"treated", "holdout"}
    rows = history.interactions(["customer_id", "topic", "type"])
    assert console_world.EVIL in rows["customer_id"].to_pylist()
    assert {console_world.EVIL_TOPIC, console_world.FORMULA} <= set(rows["topic"].to_pylist())
