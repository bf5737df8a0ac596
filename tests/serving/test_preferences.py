"""Wishes of customers: over HTTP, binding at once, also for what is reserved; kept as interactions."""

import nudge_world
import pytest
from mounted import KEY, mounted
from nudge_world import START, row, told
from starlette.testclient import TestClient

from features.clock import DAY, isoformat
from features.history import History
from serving import sync

MANY = nudge_world.POLICY.replace("max: 1", "max: 4").replace("unknown: granted", "unknown: granted, purposes: true")


@pytest.fixture
def engine(tmp_path):
    found = nudge_world.engine(nudge_world.workspace(tmp_path / "shop", MANY))
    yield found
    found.close()


@pytest.fixture
def client(engine):
    with TestClient(mounted(engine), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def wish(client, status=200, **body):
    answer = client.post("/v1/preferences", json={"customer_id": "C1"} | body)
    assert answer.status_code == status, answer.text
    return answer.json()


def shown(client, customer="C1"):
    found = client.get("/v1/preferences", params={"customer_id": customer}).json()
    return {(each["channel"], each["purpose"]): each["granted"] for each in found["consent"]}, found


def decide(client, customer="C1", channel="email"):
    body = {"customer_id": customer, "channel": channel}
    answer = client.post("/v1/decide", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_stranger_wished_nothing(client):
    assert shown(client)[1] == {
        "customer_id": "C1",
        "consent": [],
        "contact": "as_usual",
        "paused_until": None,
        "restricted": False,
    }


def test_a_no_binds_at_once_also_what_is_reserved(client):
    reserved = decide(client)["contact_id"]
    assert reserved
    wish(client, consent=[{"channels": ["email"], "granted": False}])
    assert decide(client)["action"] is None
    claim = client.post(f"/v1/contacts/{reserved}/claim")
    assert claim.status_code == 409
    assert "opted out of email" in claim.json()["detail"]
    assert shown(client)[0] == {("email", "all"): False}
    wish(client, consent=[{"channels": ["email"], "granted": True}])
    assert decide(client)["action"] is not None


def test_a_narrower_yes_outlasts_a_wider_no_of_the_same_call(client):
    consent = [{"channels": ["email"], "granted": True}, {"channels": "all", "granted": False}]
    wish(client, consent=consent)
    assert shown(client)[0] == {("all", "all"): False, ("email", "all"): True}
    assert decide(client)["action"] is not None
    assert decide(client, channel="mail")["action"] is None


def test_a_no_to_a_purpose_leaves_the_others(client):
    wish(client, consent=[{"channels": "all", "purposes": ["marketing"], "granted": False}])
    assert decide(client)["action"] is None
    wish(client, customer_id="C2", consent=[{"channels": "all", "purposes": ["surveys"], "granted": False}])
    assert decide(client, "C2")["action"] is not None


def test_a_pause_ends_by_itself_and_as_usual_ends_it_before(client, engine):
    reserved = decide(client)["contact_id"]
    found = wish(client, pause_until=isoformat(START + 2 * DAY))
    assert found["paused_until"] == isoformat(START + 2 * DAY)
    assert decide(client)["action"] is None
    assert client.post(f"/v1/contacts/{reserved}/claim").status_code == 409
    engine.clock.at = START + 2 * DAY
    assert decide(client)["action"] is not None
    wish(client, pause_until=isoformat(START + 5 * DAY))
    assert wish(client, contact="as_usual")["paused_until"] is None
    assert decide(client)["action"] is not None


def test_less_often_halves_what_caps_allow(client):
    assert wish(client, contact="less_often")["contact"] == "less_often"
    made = [decide(client)["contact_id"] for _ in range(4)]
    assert [bool(contact) for contact in made] == [True, True, False, False]
    assert wish(client, contact="as_usual")["contact"] == "as_usual"
    assert decide(client)["contact_id"]


def test_the_same_wish_counts_once_and_is_in_history(client, engine):
    body = {"preference_id": "form-1", "consent": [{"channels": ["email"], "granted": False}], "contact": "less_often"}
    first, again = wish(client, **body), wish(client, **body)
    assert (first["accepted"], again["accepted"], again["duplicates"]) == (2, 0, 2)
    sync.sync(engine.workspace, engine.store)
    types = History(engine.workspace).interactions().column("type").to_pylist()
    assert sorted(types) == ["contact_less_often", "opted_out"]


def test_a_lost_store_gets_wishes_back(client, engine, tmp_path):
    wish(client, consent=[{"channels": ["email"], "purposes": ["marketing"], "granted": False}], contact="less_often")
    wish(client, pause_until=isoformat(START + 9 * DAY))
    before = shown(client)[1]
    sync.sync(engine.workspace, engine.store)
    engine.store.close()
    for file in engine.workspace.store_path.parent.glob("tactful.db*"):
        file.unlink()
    fresh = nudge_world.engine(engine.workspace)
    try:
        from serving import preferences

        assert preferences.shown(fresh, "C1") == before
    finally:
        fresh.close()


def test_all_ids_of_a_person_share_their_wishes(client):
    link = {"identifier": "a@b", "kind": "email", "customer_id": "C1"}
    assert client.post("/v1/identifiers", json={"identifiers": [link]}).json()["accepted"] == 1
    wish(client, customer_id="a@b", consent=[{"channels": ["email"], "granted": False}])
    assert decide(client, "C1")["action"] is None
    assert shown(client, "C1")[0] == {("email", "all"): False}


@pytest.mark.parametrize(
    ("body", "field", "what"),
    [
        ({}, "whole body", "says nothing"),
        ({"contact": "never"}, "contact", "less_often"),
        ({"contact": "as_usual", "pause_until": "2027-01-01"}, "whole body", "send one of them"),
        ({"consent": [{"channels": ["emial"], "granted": False}]}, "consent.0.channels", "no channel here"),
        ({"consent": [{"channels": [], "granted": False}]}, "consent.0.channels", ""),
        ({"consent": [{"channels": "some", "granted": False}]}, "consent.0.channels", ""),
        ({"consent": [{"channels": ["email"], "granted": "no"}]}, "consent.0.granted", ""),
        ({"consent": [{"channels": ["email"], "granted": yes} for yes in (True, False)]}, "whole body", "two things"),
        ({"contact": "as_usual", "channel": "emial"}, "channel", "no channel here"),
        ({"contact": "as_usual", "occurred_at": "2099-01-01"}, "occurred_at", "future"),
        ({"pause_until": "soon"}, "pause_until", "not a date"),
        ({"contact": "as_usual", "more": 1}, "more", ""),
    ],
)
def test_what_cannot_be_taken_says_why(client, body, field, what):
    problem = wish(client, 422, **body)
    assert any(field in error["field"] and what in error["what"] for error in problem["errors"]), problem["errors"]
    assert shown(client)[0] == {}


def test_nothing_is_taken_of_who_was_erased(client, engine):
    engine.store.erase(["C1"], b"salt" * 8, START).result()
    problem = wish(client, 422, contact="less_often")
    assert problem["errors"][0]["what"] == "was erased"


def test_a_wish_stops_what_waits_in_the_outbox(client, engine):
    told(engine, row(1, "purchase", hours=1))
    (entry,) = client.get("/v1/outbox", params={"channel": "mail"}).json()["entries"]
    assert entry["action"] == "welcome"
    wish(client, consent=[{"channels": "all", "granted": False}])
    assert client.post(f"/v1/contacts/{entry['contact_id']}/claim").status_code == 409
    assert client.post(f"/v1/outbox/{entry['outbox_id']}/ack").json()["acknowledged"] is True
    assert client.get("/v1/outbox").json()["entries"] == []
