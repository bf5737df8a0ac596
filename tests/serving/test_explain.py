"""Explaining: over HTTP and on the command line everything is said, and nothing is left behind."""

import asyncio

import pytest
from market import interaction
from mounted import KEY, mounted
from starlette.testclient import TestClient
from store_contents import contents

from features import clock
from serving.engine import Engine
from serving.problems import Problem
from serving.schemas import DecideRequest, ExplainRequest
from serving.store.protocol import Store


def explain(engine, customer="C1", **more):
    return engine.explain(ExplainRequest(customer_id=customer, **more))


def decide(engine, customer="C1", **more):
    return asyncio.run(engine.decide(DecideRequest(customer_id=customer, **more)))


def test_explaining_and_dry_runs_leave_the_store_as_it_was(engine, shop):
    decide(engine, "C2", channel="email")
    before = contents(shop)
    for number in range(5):
        explain(engine, f"C{number}", limit=3)
        explain(engine, "nobody-yet", direction="inbound", placements=[{"name": "hero", "channel": "web"}])
        explain(engine, at=clock.isoformat(engine.clock.now() + clock.DAY))
        dry = decide(engine, f"C{number}", dry_run=True, request_id="asked-once")
        assert (dry["dry_run"], dry["contact_id"]) == (True, None)
    assert contents(shop) == before
    decide(engine, "C1", channel="email", request_id="asked-once")
    assert contents(shop) != before, "the test can tell"


class ReadOnly:
    """A store that refuses whatever is not reading."""

    MAY = frozenset({"read", "fetch", "vocabulary", "decision", "find_decision", "ready", "close"})

    def __init__(self, store: Store) -> None:
        self.store = store

    def __getattr__(self, name):
        assert name in self.MAY, f"explaining called {name}"
        return getattr(self.store, name)


def test_explaining_asks_the_store_for_nothing_but_reading(engine):
    store, engine.store = engine.store, ReadOnly(engine.store)
    engine.volumes._store = engine.store
    explain(engine, limit=3)
    with pytest.raises(AssertionError, match="commit_decision"):
        decide(engine)
    engine.store = engine.volumes._store = store


def test_every_candidate_has_its_fate_every_rule_that_tripped_and_its_figures(engine):
    for _ in range(2):
        decide(engine, "C1")
    told = explain(engine, "C1")
    asyncio.run(engine.record([interaction("out", "C1", type="opted_out", channel="email")]))
    told = explain(engine, "C1")
    fates = {(fate["action"], fate["channel"]): fate for fate in told["candidates"]}
    assert set(fates) == {
        ("voucher", "email"),
        ("voucher", "mail"),
        ("winback", "email"),
        ("winback", "phone"),
        ("help_call", "phone"),
        ("help_call", "web"),
    }
    rules = {trip["rule"] for trip in fates["voucher", "email"]["suppressed_by"]}
    assert {"opt-out", "cap total: 2 per 7d"} <= rules
    assert fates["voucher", "email"]["passes_at"] is None, "an opt-out does not pass by itself"
    for fate in fates.values():
        named = {"p", "share", "u", "learned", "c", "v", "lever", "cost", "harm", "expected_value", "positives"}
        assert set(fate["factors"]) == named, "who asks why is told of those refused, too"
    capped = fates["help_call", "web"]
    assert capped["stage"] == "guard"
    later = explain(engine, "C1", at=capped["passes_at"])
    stages = {(fate["action"], fate["channel"]): fate["stage"] for fate in later["candidates"]}
    assert stages["help_call", "web"] != "guard"


def test_another_moment_may_not_lie_before_what_is_known(engine):
    asyncio.run(engine.record([interaction("i1", "C1", occurred_at=clock.isoformat(engine.clock.now()))]))
    with pytest.raises(Problem) as caught:
        explain(engine, at="2020-01-01T00:00:00Z")
    assert caught.value.errors[0].field == "at"


def test_what_is_asked_for_twice_is_refused(engine):
    with pytest.raises(ValueError, match="either `limit` or `placements`"):
        DecideRequest(customer_id="C1", limit=2, placements=[{"name": "a"}])
    with pytest.raises(ValueError, match="two have the same name"):
        DecideRequest(customer_id="C1", placements=[{"name": "a"}, {"name": "a"}])
    with pytest.raises(Problem, match="hologram"):
        decide(engine, placements=[{"name": "a", "channel": "hologram"}])


def test_several_slots_are_several_contacts(engine):
    answer = decide(engine, "C1", limit=2)
    assert len({slot["contact_id"] for slot in answer["slots"]}) == 2
    assert len({slot["action"] for slot in answer["slots"]}) == 2
    assert (answer["action"], answer["contact_id"]) == (answer["slots"][0]["action"], answer["slots"][0]["contact_id"])
    for slot in answer["slots"]:
        assert asyncio.run(engine.claim(slot["contact_id"]))["state"] == "claimed"
    again = decide(engine, "C1", limit=2)
    assert [slot["action"] for slot in again["slots"]] == [None, None], "two a week"


def test_a_volume_is_kept_by_all_processes_together(shop):
    file = shop.folder / "actions.yaml"
    file.write_text(file.read_text().replace("value: 40", "value: 40, volume: 5"))
    first, second = Engine.open(shop), Engine.open(shop)
    try:
        for each in (first, second):
            each.warm()
        asked = [(first, second)[i % 2] for i in range(12)]
        answers = [decide(each, f"new-{i}", channel="mail") for i, each in enumerate(asked)]
        assert [answer["action"] for answer in answers].count("voucher") == 5
        refused = answers[-1]["candidates"][0]
        assert refused["suppressed_by"][0]["rule"] == "volume voucher: 5 a day"
        assert refused["passes_at"].startswith("2026-05-05T00:00:00")
    finally:
        first.close()
        second.close()


def test_over_http_what_is_wrong_with_slots_is_said_field_by_field(engine):
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(mounted(engine), headers=headers) as client:

        def wrong(**asked) -> dict:
            answer = client.post("/v1/decide", json={"customer_id": "C1"} | asked)
            assert answer.status_code == 422
            return answer.json()["errors"][0]

        assert wrong(limit=0)["field"] == "limit"
        assert wrong(limit=21)["field"] == "limit"
        assert wrong(placements=[{"name": "a", "channel": "hologram"}])["field"] == "channel"
        assert "two have the same name" in wrong(placements=[{"name": "a"}, {"name": "a"}])["what"]
        assert "not both" in wrong(placements=[{"name": "a"}], limit=2)["what"]
        told = client.post("/v1/explain", json={"customer_id": "C1", "limit": 2, "direction": "inbound"}).json()
        assert [slot["contact_id"] for slot in told["slots"]] == [None, None]
        assert (told["dry_run"], told["agent"]["help_first"]) == (True, False)
