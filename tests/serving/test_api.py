"""The API over ASGI: what comes in wrong is answered in one shape, what comes in right is on disk."""

import gzip
import html
import json
import re

import market
import pytest
from mounted import KEY, mounted
from starlette.testclient import TestClient

from serving.engine import Engine
from serving.problems import KINDS

PROBLEM = {"type", "title", "status", "detail", "instance", "errors"}


@pytest.fixture(scope="module")
def engine(shop_template, tmp_path_factory):
    found = Engine.open(market.copy(shop_template, tmp_path_factory.mktemp("api") / "shop"))
    found.warm()
    yield found
    found.close()


@pytest.fixture(scope="module")
def client(engine):
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(mounted(engine), headers=headers, raise_server_exceptions=False) as client:
        yield client


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) >= PROBLEM
    assert body["status"] == status
    assert body["type"].removeprefix("/v1/docs#") in KINDS
    assert all(set(error) == {"field", "what", "fix"} and all(error.values()) for error in body["errors"])
    return body


def test_the_circle(client):
    rows = [market.interaction(f"circle-{i}", "circle") for i in range(3)]
    receipt = client.post(
        "/v1/interactions", json={"interactions": [*rows, rows[0], {**rows[1], "value": "ten"}]}
    ).json()
    assert (receipt["received"], receipt["accepted"], receipt["duplicates"], receipt["quarantined"]) == (5, 3, 1, 1)
    assert receipt["quarantine"][0]["errors"][0]["field"] == "interactions.4.value"
    decision = client.post("/v1/decide", json={"customer_id": "circle", "channel": "email", "request_id": "c1"}).json()
    assert decision["action"] in ("voucher", "winback")
    assert {fate["action"]: fate["stage"] for fate in decision["candidates"]}[decision["action"]] == "chosen"
    assert sum(cell["probability"] for cell in decision["distribution"]) == pytest.approx(1)
    assert set(decision["versions"]["models"]) == {"churn", "propensity"}
    assert (
        client.post("/v1/decide", json={"customer_id": "circle", "channel": "email", "request_id": "c1"}).json()
        == decision
    )
    contact = decision["contact_id"]
    assert client.post(f"/v1/contacts/{contact}/claim").json()["state"] == "claimed"
    body = problem(client.post(f"/v1/contacts/{contact}/claim"), 409)
    assert "claimed" in body["detail"]
    assert client.post(f"/v1/contacts/{contact}/sent").json()["state"] == "sent"
    outcome = {"decision_id": decision["decision_id"], "outcome": "rejected"}
    assert client.post("/v1/outcomes", json=outcome).json()["accepted"] is True
    assert client.post("/v1/outcomes", json=outcome).json()["accepted"] is False
    again = client.post("/v1/decide", json={"customer_id": "circle", "channel": "email"}).json()
    fate = next(fate for fate in again["candidates"] if fate["action"] == decision["action"])
    rules = {trip["rule"] for trip in fate["suppressed_by"]}
    assert len(rules) >= 2, "the cap and the cool-down both tripped, and both are said"
    assert all(trip["passes_at"] for trip in fate["suppressed_by"])


def test_an_opt_out_stops_a_contact_that_is_reserved(client):
    decision = client.post("/v1/decide", json={"customer_id": "leaver", "channel": "email"}).json()
    assert decision["contact_id"]
    told = market.interaction("optout", "leaver", channel="email", type="opted_out", value=None)
    assert client.post("/v1/interactions", json={"interactions": [told]}).json()["accepted"] == 1
    problem(client.post(f"/v1/contacts/{decision['contact_id']}/claim"), 409)
    assert client.post("/v1/decide", json={"customer_id": "leaver", "channel": "email"}).json()["action"] is None


def test_a_failed_contact_gives_its_slot_back(client):
    decision = client.post("/v1/decide", json={"customer_id": "bouncer", "channel": "email"}).json()
    body = {"detail": "bounced"}
    assert client.post(f"/v1/contacts/{decision['contact_id']}/failed", json=body).json()["state"] == "failed"
    assert client.post("/v1/decide", json={"customer_id": "bouncer", "channel": "email"}).json()["action"]


def test_score_changes_nothing_and_can_show_features(client):
    first = client.post("/v1/score", json={"customer_id": "C7", "features": True}).json()
    assert first["known"] is True
    assert 0 < first["churn"] < 1
    assert {(t["action"], t["channel"]) for t in first["treatments"]} >= {("voucher", "email"), ("winback", "phone")}
    assert any(isinstance(value, str) for value in first["features"].values()), "a category comes as its label"
    stranger = client.post("/v1/score", json={"customer_id": "nobody"}).json()
    assert stranger["known"] is False


BAD = [
    (b"", 422, ""),
    (b"{", 400, "whole body"),
    (b'{"customer_id": NaN}', 400, "whole body"),
    (b"[" * 5000, 400, "whole body"),
    (b'{"customer_id": "\\ud800"}', 400, "whole body"),
    (b"\xff\xfe", 400, "whole body"),
    (b"[]", 422, "whole body"),
    (b"null", 422, ""),
    (b'"x"', 422, "whole body"),
    (b"{}", 422, "customer_id"),
    (b'{"customer_id": 7}', 422, "customer_id"),
    (b'{"customer_id": ""}', 422, "customer_id"),
    (b'{"customer_id": "a\\u0000b"}', 422, "customer_id"),
    (b'{"customer_id": "' + b"x" * 5000 + b'"}', 422, "customer_id"),
    (b'{"customer_id": "a", "channel": "fax"}', 422, "channel"),
    (b'{"customer_id": "a", "chanel": "email"}', 422, "chanel"),
    (b'{"customer_id": "a", "direction": "up"}', 422, "direction"),
    (b'{"customer_id": "a", "context": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}", 422, "context"),
    (b'{"customer_id": "a", "context": {"x": "' + b"y" * 20000 + b'"}}', 422, "context"),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD, ids=range(len(BAD)))
def test_a_bad_body_names_the_field_and_the_fix(client, body, status, field):
    answer = client.post("/v1/decide", content=body, headers={"Content-Type": "application/json"})
    found = problem(answer, status)
    assert found["instance"] == "/v1/decide"
    assert field in json.dumps(found["errors"])


@pytest.mark.parametrize(
    ("asked", "what", "fix"),
    [
        ({"limit": 21}, "should be less than or equal to 20 (found 21)", "send a value less than or equal to 20"),
        ({"limit": 1.5}, "should be a valid integer (found 1.5)", "send a valid integer"),
        ({"direction": "up"}, "should be 'outbound' or 'inbound' (found 'up')", "send 'outbound' or 'inbound'"),
        ({"request_id": ""}, "is empty", "send at least one character, or leave the field out where it may be"),
        (
            {"limit": 2, "placements": [{"name": "hero"}]},
            "takes either `limit` or `placements`, not both; send one of them",
            "send one of them",
        ),
        (
            {"placements": [{"name": "hero"}, {"name": "hero"}]},
            "two have the same name; give each a name of its own",
            "give each a name of its own",
        ),
    ],
)
def test_what_is_wrong_and_what_to_send_are_told_in_plain_words(client, asked, what, fix):
    [error] = problem(client.post("/v1/decide", json={"customer_id": "a"} | asked), 422)["errors"]
    assert (error["what"], error["fix"]) == (what, fix)


def test_other_refusals_have_the_same_shape(client):
    problem(client.get("/v1/nowhere"), 404)
    problem(client.get("/v1/decide"), 405)
    problem(client.post("/v1/contacts/none/claim"), 404)
    problem(client.post("/v1/outcomes", json={"decision_id": "none", "outcome": "accepted"}), 404)
    problem(client.post("/v1/decide", content=b'{"customer_id": "a"}', headers={"Content-Type": "text/plain"}), 415)
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for path in ("decide", "interactions"):
        refused = problem(client.post(f"/v1/{path}", content=gzip.compress(b"{}"), headers=packed), 415)
        assert refused["errors"][0]["field"] == "Content-Encoding"
    assert "contact_id" in problem(client.post("/v1/contacts/" + "x" * 300 + "/claim"), 422)["detail"]
    body = {"customer_id": "one", "channel": "email", "request_id": "same"}
    assert client.post("/v1/decide", json=body).status_code == 200
    found = problem(client.post("/v1/decide", json=body | {"customer_id": "two"}), 422)
    assert found["errors"][0]["field"] == "request_id"


def test_a_body_that_is_too_large_is_not_read(client):
    problem(client.post("/v1/decide", content=b" " * (5 << 20), headers={"Content-Type": "application/json"}), 413)

    def chunks():
        for _ in range(6):
            yield b" " * (1 << 20)

    problem(client.post("/v1/decide", content=chunks(), headers={"Content-Type": "application/json"}), 413)


QUARANTINED = [
    ({"occurred_at": "2026-02-30T00:00:00Z"}, "occurred_at"),
    ({"occurred_at": "2199-01-01T00:00:00Z"}, "occurred_at"),
    ({"occurred_at": "1066-10-14T00:00:00Z"}, "occurred_at"),
    ({"occurred_at": 1700000000}, "occurred_at"),
    ({"occurred_at": None}, "occurred_at"),
    ({"customer_id": None}, "customer_id"),
    ({"channel": "carrier_pigeon"}, "channel"),
    ({"direction": "sideways"}, "direction"),
    ({"value": "12"}, "value"),
    ({"value": True}, "value"),
    ({"satisfaction": 1.5}, "satisfaction"),
    ({"received_at": "2026-05-04T11:00:00Z"}, "received_at"),
    ({"attributes": [1]}, "attributes"),
    ({"type": "x\ny"}, "type"),
]


@pytest.mark.parametrize(("change", "field"), QUARANTINED)
def test_a_bad_row_is_kept_with_its_reason_and_the_others_are_taken(client, engine, change, field):
    rows = [
        market.interaction(f"good-{field}-{len(str(change))}"),
        market.interaction(f"bad-{field}", **change),
        7,
        None,
    ]
    answer = client.post("/v1/interactions", json={"interactions": rows})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["received"] == body["accepted"] + body["duplicates"] + body["quarantined"] == 4
    assert body["quarantined"] == 3
    assert body["quarantine"][0]["errors"][0]["field"] == f"interactions.1.{field}"
    kept = [
        json.loads(line)
        for file in engine.workspace.quarantine.rglob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    assert any(line["position"] == 1 and line["row"] == rows[1] for line in kept)


def test_extreme_numbers_are_stored_and_scored(client):
    rows = [
        market.interaction(f"huge-{i}", "huge", value=value) for i, value in enumerate((1e308, -1e308, 2**63, 5e-324))
    ]
    assert client.post("/v1/interactions", json={"interactions": rows}).json()["accepted"] == 4
    found = client.post("/v1/score", json={"customer_id": "huge", "features": True})
    assert found.status_code == 200
    assert client.post("/v1/decide", json={"customer_id": "huge", "channel": "email"}).status_code == 200


def test_a_deep_row_is_quarantined(client):
    deep = '{"a":' * 600 + "1" + "}" * 600
    body = '{"interactions": [' + deep + "]}"
    answer = client.post("/v1/interactions", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["quarantined"] == 1


def test_no_key_no_answer(client):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "\xff"}, {"Authorization": "Basic abc"}):
        bare = {"Authorization": ""} | headers
        for path in ("/v1/decide", "/v1/nowhere", "/elsewhere"):
            answer = client.post(path, json={}, headers={k: v.encode("latin-1") for k, v in bare.items()})
            problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert client.post(
        "/v1/score", json={"customer_id": "a"}, headers={"Authorization": "", "X-API-Key": KEY}
    ).is_success


def test_the_api_page_needs_no_network(client):
    page = client.get("/v1/docs", headers={"Authorization": ""})
    assert page.status_code == 200
    assert "https://" not in page.text.split("<script")[0]
    for path in ("/v1/decide", "/v1/interactions", "/v1/contacts/", "curl -X POST"):
        assert path in page.text
    for slug in KINDS:
        assert f'id="{slug}"' in page.text


def test_every_worked_example_works(client):
    page = html.unescape(client.get("/v1/docs").text)
    statuses = {}
    for path, body in re.findall(r"curl -X POST \$TACTFUL(\S+) .*?(?: -d '(.*?)')?</code>", page, re.DOTALL):
        answer = client.post(path, json=json.loads(body) if body else None)
        statuses[path.rsplit("/", 1)[-1]] = answer.status_code
        if path.endswith("interactions"):
            assert answer.json()["accepted"] == 1
    answered, never_made = (
        (
            "decide",
            "explain",
            "score",
            "interactions",
            "attributes",
            "identifiers",
            "preferences",
            "export",
            "restrict",
            "erase",
        ),
        ("outcomes", "claim", "sent", "failed", "ack"),
    )
    assert statuses == dict.fromkeys(answered, 200) | dict.fromkeys(never_made, 404)


def test_every_error_is_documented(client):
    document = client.get("/v1/openapi.json").json()
    for path, methods in document["paths"].items():
        for call in methods.values():
            assert {"200", "400", "401", "413", "422", "503"} <= set(call["responses"])
            assert call["responses"]["422"]["content"].keys() == {"application/problem+json"}
            assert call["description"], path
    assert "ProblemDetails" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_without_an_engine_it_says_so():
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(mounted(None), headers=headers) as client:
        answer = client.post("/v1/decide", json={"customer_id": "a"})
        assert answer.headers["retry-after"]
        problem(answer, 503)


def test_a_mistake_of_ours_is_a_problem_too(client, engine, monkeypatch):
    monkeypatch.setattr(engine, "score", lambda _: 1 / 0)
    found = problem(client.post("/v1/score", json={"customer_id": "a"}), 500)
    assert "ZeroDivision" not in found["detail"]
