"""Nudges: triggers become decisions as interactions arrive and by the timer, once each, and wait in the outbox."""

import asyncio
import json
import threading

import nudge_world
import orjson
import pytest
from nudge_world import START, row, told
from test_webhooks import SECRET, Site

from features.clock import DAY, HOUR, isoformat
from features.workspace import WorkspaceError
from serving.decisions.many import Board
from serving.nudges import commands, delivery, fetching, signing
from serving.problems import Problem
from serving.schemas import DecideRequest
from serving.store.protocol import Conflict

DEFER = nudge_world.POLICY + "on_cap: defer\n"


@pytest.fixture
def engine(tmp_path):
    found = nudge_world.engine(nudge_world.workspace(tmp_path / "shop"))
    yield found
    found.close()


@pytest.fixture
def putting_off(tmp_path):
    found = nudge_world.engine(nudge_world.workspace(tmp_path / "shop", DEFER))
    yield found
    found.close()


def outbox(engine, **asked):
    return fetching.page(engine, asked.get("channel"), asked.get("after", 0), asked.get("limit", 100))["entries"]


def sweep(engine, hooks=()):
    return asyncio.run(commands.round_(engine, list(hooks)))


def at(engine, moment):
    engine.clock.at = moment


def test_what_arrives_sets_off_a_nudge_behind_the_answer(engine):
    answer = told(engine, row(1, "purchase", hours=1))
    assert answer["accepted"] == 1
    (entry,) = outbox(engine)
    assert (entry["action"], entry["channel"], entry["kind"]) == ("welcome", "mail", "stage")
    assert entry["customer_id"] == "C1"
    assert entry["occasion"] == isoformat(START - HOUR)
    decision = orjson.loads(engine.store.decision(entry["decision_id"]))
    assert decision["only"] == "welcome"
    assert {fate["action"] for fate in decision["candidates"]} == {"welcome"}
    assert engine.store.contact(entry["contact_id"]).state == "reserved"


def test_an_action_left_to_its_trigger_is_offered_by_nothing_else(tmp_path):
    """Inbound, outbound, by one channel or any, one customer or an audience: only the trigger brings it up."""
    shop = nudge_world.workspace(tmp_path / "shop")
    file = shop.folder / "actions.yaml"
    file.write_text(file.read_text().replace("after: 4h}, again", "after: 4h}, only: true, again"))
    engine = nudge_world.engine(shop)
    try:
        told(engine, row(1, "add_to_cart", hours=5))
        (entry,) = outbox(engine)
        assert (entry["action"], entry["channel"]) == ("basket", "email")
        for direction, channel in [("inbound", "email"), ("outbound", "email"), ("outbound", None)]:
            asked = DecideRequest(customer_id="C2", channel=channel, direction=direction)
            answer = asyncio.run(engine.decide(asked))
            found = {fate["action"] for fate in answer["candidates"]}
            assert "voucher" in found
            assert "basket" not in found
        assert {each.action.name for each in Board.of(engine.playbook, "email").candidates} == {"voucher"}
        assert {each.action.name for each in Board.of(engine.playbook).candidates} == {"welcome", "voucher"}
    finally:
        engine.close()


def test_the_timer_finds_what_time_brings_and_each_occasion_counts_once(engine):
    told(engine, row(1, "add_to_cart", hours=1))
    assert outbox(engine) == []
    at(engine, START + 3 * HOUR - 1)
    assert sweep(engine)["made"] == 0
    at(engine, START + 3 * HOUR)
    assert sweep(engine)["made"] == 1
    assert [entry["action"] for entry in outbox(engine)] == ["basket"]
    for later in (0, HOUR, 2 * DAY, 4 * DAY):
        at(engine, START + 3 * HOUR + later)
        assert sweep(engine)["made"] == 0


def test_a_basket_that_was_bought_or_is_too_old_nudges_nobody(engine):
    told(engine, row(1, "add_to_cart", hours=1), row(2, "add_to_cart", hours=100, customer="C2"))
    told(engine, row(3, "purchase", hours=0))
    at(engine, START + 10 * HOUR)
    sweep(engine)
    assert {entry["action"] for entry in outbox(engine)} == {"welcome"}


def test_two_who_look_at_the_same_moment_make_one_contact(engine):
    told(engine, row(1, "add_to_cart", hours=1))
    at(engine, START + 5 * HOUR)

    async def both():
        await asyncio.gather(*(engine.nudger.consider("C1") for _ in range(8)))

    asyncio.run(both())
    assert len(outbox(engine)) == 1


def test_again_is_the_least_gap_between_two(engine):
    told(engine, row(1, "add_to_cart", hours=1))
    at(engine, START + 5 * HOUR)
    assert sweep(engine)["made"] == 1
    at(engine, START + 10 * DAY + 5 * HOUR)
    told(engine, row(2, "add_to_cart", hours=-10 * 24))
    assert sweep(engine)["made"] == 0
    at(engine, START + 31 * DAY + 5 * HOUR)
    told(engine, row(3, "add_to_cart", hours=-31 * 24))
    assert len(outbox(engine)) == 1


def test_nothing_passes_a_cap_and_what_is_dropped_is_not_tried_again(engine):
    assert told(engine, row(1, "contact", hours=1, channel="email", direction="outbound"))["accepted"] == 1
    told(engine, row(2, "add_to_cart", hours=5))
    assert outbox(engine) == []
    at(engine, START + 47 * HOUR)
    assert sweep(engine)["made"] == 0
    decisions = engine.store.export("decisions", 0)
    assert len(decisions) == 1, "one occasion, one decision"
    assert decisions[0]["candidates"][0]["stage"] == "guard"


def test_the_claim_still_judges(engine):
    told(engine, row(1, "add_to_cart", hours=5))
    (entry,) = outbox(engine)
    told(engine, row(2, "opted_out", hours=0, channel="email"))
    with pytest.raises(Problem, match="opted out"):
        asyncio.run(engine.claim(entry["contact_id"]))


def test_what_a_cap_refuses_is_put_off_to_the_next_allowed_moment(putting_off):
    engine = putting_off
    told(engine, row(1, "contact", hours=1, channel="email", direction="outbound"))
    told(engine, row(2, "add_to_cart", hours=5))
    assert outbox(engine) == []
    passes = START - HOUR + 2 * DAY + 1
    at(engine, passes - 1)
    assert sweep(engine) == {"customers": 1}
    at(engine, passes)
    assert sweep(engine)["made"] == 1
    (entry,) = outbox(engine)
    assert entry["action"] == "basket"
    assert sweep(engine)["made"] == 0


def test_what_was_put_off_is_forgotten_where_its_occasion_is_over(putting_off):
    engine = putting_off
    told(engine, row(1, "contact", hours=1, channel="email", direction="outbound"))
    told(engine, row(2, "add_to_cart", hours=5))
    at(engine, START + 3 * DAY)
    told(engine, row(3, "purchase", hours=-10))
    done = sweep(engine)
    assert (done["lapsed"], done["made"]) == (1, 0)
    assert {entry.body["trigger"] for entry in engine.store.outbox_due(START + 400 * DAY)} == {"welcome"}


def test_a_nudge_put_off_again_and_again_ends_within_again(putting_off):
    engine = putting_off
    told(engine, row(0, "contact", hours=1, channel="email", direction="outbound"))
    told(engine, row(1, "add_to_cart", hours=5))
    turns = 0
    for day in range(1, 60):
        at(engine, START + day * DAY)
        told(engine, row(f"c{day}", "contact", hours=-24 * day, channel="email", direction="outbound"))
        turns += sweep(engine)["deferred"]
    assert 5 < turns <= 15  # every two or three days for thirty
    assert outbox(engine) == []
    assert engine.store.outbox_due(START + 400 * DAY) == []


def test_channels_fetch_pages_and_acknowledge(engine):
    told(engine, *(row(i, "purchase", hours=1, customer=f"C{i}") for i in range(5)))
    told(engine, row(9, "add_to_cart", hours=5, customer="C9"))
    assert len(outbox(engine)) == 6
    assert [entry["customer_id"] for entry in outbox(engine, channel="email")] == ["C9"]
    first = fetching.page(engine, "mail", 0, 3)
    rest = fetching.page(engine, "mail", first["after"], 3)
    ids = [entry["outbox_id"] for entry in first["entries"] + rest["entries"]]
    assert len(set(ids)) == 5
    assert fetching.page(engine, "mail", rest["after"], 3) == {"entries": [], "after": rest["after"]}
    acknowledged = [asyncio.run(fetching.acknowledge(engine, ids[0]))["acknowledged"] for _ in range(2)]
    assert acknowledged == [True, False]
    assert [entry["outbox_id"] for entry in outbox(engine, channel="mail")] == ids[1:]
    with pytest.raises(Problem, match="no such entry"):
        asyncio.run(fetching.acknowledge(engine, "nothing"))
    with pytest.raises(Problem):
        fetching.page(engine, "emial", 0, 3)


def test_what_was_claimed_or_lapsed_is_not_shown(engine):
    told(engine, row(1, "purchase", hours=1), row(2, "purchase", hours=1, customer="C2"))
    first, second = outbox(engine)
    asyncio.run(engine.claim(first["contact_id"]))
    assert [entry["outbox_id"] for entry in outbox(engine)] == [second["outbox_id"]]
    at(engine, START + 25 * HOUR)
    assert outbox(engine) == []
    assert sweep(engine)["lapsed"] == 2
    with pytest.raises(Conflict):
        engine.store.claim(second["contact_id"], START + 25 * HOUR, lambda *_: None).result()


def test_without_triggers_nobody_is_looked_at(engine, monkeypatch):
    monkeypatch.setattr(engine.nudger, "actions", list)
    told(engine, row(1, "purchase", hours=1))
    assert outbox(engine) == []
    assert sweep(engine)["customers"] == 0


def test_a_store_that_is_away_costs_the_nudge_not_the_answer(engine, monkeypatch, caplog):
    def away(_customer):
        raise Problem("not-ready", "the store is away")

    monkeypatch.setattr(engine, "read", away)
    assert told(engine, row(1, "purchase", hours=1, customer="C-secret"))["accepted"] == 1
    assert "the store is away" in caplog.text
    assert "C-secret" not in caplog.text


@pytest.fixture
def site():
    import http.server

    handler = type("Handler", (Site,), {"came": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        handler.url = f"http://127.0.0.1:{server.server_port}/hook"
        yield handler
        server.shutdown()
        thread.join()


@pytest.fixture
def called(tmp_path, site, monkeypatch):
    """An engine whose e-mail is called; mail fetches."""
    monkeypatch.setenv("HOOK", SECRET.decode())
    hook = f"\nwebhooks: [{{url: '{site.url}', channels: [email], secret_env: HOOK, private: true}}]\n"
    found = nudge_world.engine(nudge_world.workspace(tmp_path / "hooked", settings=hook))
    yield found
    found.close()


def test_webhooks_are_called_with_what_waits_for_their_channels(called, site):
    told(called, row(1, "add_to_cart", hours=5), row(2, "purchase", hours=1, customer="C2"))
    hooks = delivery.receivers(called.workspace)
    assert sweep(called, hooks)["delivered"] == 1
    ((_, headers, body),) = site.came
    assert signing.verify(SECRET, headers, body, int(headers["Tactful-Timestamp"])) is None
    sent = json.loads(body)
    assert (sent["action"], sent["channel"], sent["customer_id"]) == ("basket", "email", "C1")
    assert headers["Tactful-Delivery"] == sent["outbox_id"] == sent["contact_id"]
    assert [entry["channel"] for entry in outbox(called)] == ["mail"]
    sweep(called, hooks)
    assert len(site.came) == 1
    assert asyncio.run(called.claim(sent["contact_id"]))["state"] == "claimed"


def test_a_failed_call_is_repeated_later_and_ends_with_the_reservation(called, site):
    site.status = 500
    told(called, row(1, "add_to_cart", hours=5))
    hooks = delivery.receivers(called.workspace)
    assert sweep(called, hooks)["failed"] == 1
    assert sweep(called, hooks)["failed"] == 0, "not at once"
    at(called, START + 60_000_000)
    assert sweep(called, hooks)["failed"] == 1
    (entry,) = outbox(called)
    assert entry["tries"] == 2
    site.status = 200
    at(called, START + HOUR)
    assert sweep(called, hooks)["delivered"] == 1
    ids = {headers["Tactful-Delivery"] for _, headers, _ in site.came}
    assert len(site.came) == 3
    assert len(ids) == 1, "the same for every try"


def test_a_call_that_never_gets_through_lapses(called, site):
    site.status = 503
    told(called, row(1, "add_to_cart", hours=5))
    hooks = delivery.receivers(called.workspace)
    for hour in range(24):
        at(called, START + hour * HOUR)
        sweep(called, hooks)
    at(called, START + 24 * HOUR)
    assert sweep(called, hooks)["lapsed"] == 1
    assert called.store.outbox_due(START + 400 * DAY) == []


def test_a_missing_secret_is_told_at_the_start(called, monkeypatch):
    monkeypatch.delenv("HOOK")
    with pytest.raises(WorkspaceError, match="HOOK should hold"):
        delivery.receivers(called.workspace)


@pytest.mark.parametrize(("text", "found"), [("30s", 30), ("5m", 300), ("1h", 3600)])
def test_pauses_are_written_plainly(text, found):
    assert commands.seconds(text) == found


@pytest.mark.parametrize("text", ["", "0s", "5", "1d", "-1s", "1.5m", "999999s"])
def test_and_what_is_none_is_told(text):
    with pytest.raises(WorkspaceError, match="30s, 5m, 1h"):
        commands.seconds(text)
