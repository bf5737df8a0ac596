"""What is counted is what happened, and no label grows with what clients send."""

import logging
import re

import market
import pytest
from awaited import until
from mounted import KEY, mounted
from running import Running
from starlette.testclient import TestClient

from serving import access, auth
from serving.access import Addresses, Refusals
from serving.auth import hashed, new_key
from serving.engine import Engine
from serving.store.protocol import Key


@pytest.fixture(scope="module")
def engine(shop_template, tmp_path_factory):
    found = Engine.open(market.copy(shop_template, tmp_path_factory.mktemp("metrics") / "shop"))
    found.warm()
    yield found
    found.close()


@pytest.fixture(scope="module")
def scraper():
    return new_key()


@pytest.fixture(scope="module")
def client(engine, scraper):
    headers = {"Authorization": f"Bearer {KEY}"}
    app = mounted(engine, (Key("scraper", hashed(scraper), "metrics", 0),))
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client


def samples(client):
    """{series with its labels: value} as Prometheus reads them."""
    answer = client.get("/v1/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    found = {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}
    assert len(found) == len(lines), "no series is said twice"
    return found


def grown(before, after):
    """What was counted in between, without histograms and creation times."""
    changes = {series: value - before.get(series, 0.0) for series, value in after.items()}
    return {series: change for series, change in changes.items() if change and "_total{" in series}


def test_decisions_refusals_contacts_rows_and_outcomes_are_counted(client):
    before = samples(client)
    rows = [market.interaction(f"metered-{i}", "metered") for i in range(3)]
    client.post("/v1/interactions", json={"interactions": [*rows, rows[0], 7]})
    first = client.post("/v1/decide", json={"customer_id": "metered", "channel": "email", "request_id": "m1"}).json()
    client.post("/v1/decide", json={"customer_id": "metered", "channel": "email", "request_id": "m1"})
    for _ in range(2):
        client.post(f"/v1/contacts/{first['contact_id']}/claim", json={"claim_id": "c1"})
    for _ in range(3):
        client.post(f"/v1/contacts/{first['contact_id']}/sent")
    for _ in range(2):
        client.post("/v1/outcomes", json={"decision_id": first["decision_id"], "outcome": "rejected"})
    silent = client.post("/v1/decide", json={"customer_id": "metered", "channel": "phone"}).json()
    assert silent["action"] is None
    found = grown(before, samples(client))
    assert found['tactful_rows_total{kind="interactions",result="accepted"}'] == 3
    assert found['tactful_rows_total{kind="interactions",result="duplicates"}'] == 1
    assert found['tactful_rows_total{kind="interactions",result="quarantined"}'] == 1
    chosen = f'tactful_decisions_total{{action="{first["action"]}",arm="treated",direction="outbound"}}'
    assert found[chosen] == 1, "a repeated request is no second decision"
    assert found['tactful_decisions_total{action="(silence)",arm="treated",direction="outbound"}'] == 1
    assert found['tactful_candidates_refused_total{rule="consent",stage="guard"}'] >= 1
    assert not [series for series in found if 'rule="other"' in series]
    assert found['tactful_contacts_total{channel="email",state="claimed"}'] == 1
    assert found['tactful_contacts_total{channel="email",state="sent"}'] == 1
    assert found['tactful_outcomes_total{outcome="rejected"}'] == 1
    assert found['tactful_requests_total{method="POST",route="/v1/decide",status="200"}'] == 3
    assert found['tactful_requests_total{method="POST",route="/v1/contacts/{contact_id}/claim",status="200"}'] == 2


def test_what_a_live_channel_claims_with_its_decision_is_counted(client):
    before = samples(client)
    asked = {"customer_id": "live", "channel": "email", "claim": True}
    answer = client.post("/v1/decide", json=asked).json()
    assert answer["claimed"]
    client.post(f"/v1/contacts/{answer['contact_id']}/failed")
    client.post(f"/v1/contacts/{answer['contact_id']}/failed", json={"detail": "again"})
    found = grown(before, samples(client))
    assert found['tactful_contacts_total{channel="email",state="claimed"}'] == 1
    assert found['tactful_contacts_total{channel="email",state="failed"}'] == 1


def test_a_send_without_a_claim_is_a_breach_by_its_channel(client):
    before = samples(client)
    decision = client.post("/v1/decide", json={"customer_id": "breached", "channel": "email"}).json()
    client.post(f"/v1/contacts/{decision['contact_id']}/sent")
    assert grown(before, samples(client))['tactful_breaches_total{channel="email"}'] == 1


def test_labels_stay_bounded_whatever_is_asked(client, monkeypatch):
    monkeypatch.setattr(auth, "GUESSES", 0.0)
    client.get("/v1/nowhere")
    before = samples(client)
    for n in range(60):
        client.get(f"/v1/{n}")
        client.post(f"/elsewhere/{n}", headers={"X-API-Key": f"wrong-{n}"})
        client.request(f"VERB{n}", f"/v1/contacts/{n}/claim")
        client.post(f"/v1/contacts/never-{n}/claim")
    new = set(samples(client)) - set(before)
    assert not [series for series in new if re.search(r"\d{2,}.*\}", re.sub(r'(le|status)="[^"]*"', "", series))]
    assert len(new) < 80, sorted(new)


def test_what_is_true_now_is_said_once(client, engine, monkeypatch):
    found = samples(client)
    assert found["tactful_ready"] == 1
    assert found["tactful_policy_broken"] == 0
    assert found[f'tactful_policy_info{{version="{engine.playbook.version}"}}'] == 1
    assert found['tactful_model_info{model="churn",version="1"}'] == 1
    monkeypatch.setattr(engine, "policy_problem", "caps: broken")
    found = samples(client)
    assert found["tactful_policy_broken"] == 1
    assert len([series for series in found if series.startswith("tactful_policy_info")]) == 1


def test_metrics_need_a_key_made_for_them(client, scraper):
    with_key = lambda key: {"Authorization": f"Bearer {key}"}  # noqa: E731
    assert client.get("/v1/metrics", headers={"Authorization": ""}).status_code == 401
    assert client.get("/v1/metrics", headers=with_key(scraper)).status_code == 200
    refused = client.post("/v1/decide", json={"customer_id": "a"}, headers=with_key(scraper))
    assert refused.status_code == 403
    assert refused.json()["scopes"] == ["decide"]


def test_an_address_is_known_before_it_is_routed():
    known = Addresses(["/v1/decide", "/v1/contacts/{contact_id}/claim"])
    template = lambda path: known.template({"path": path})  # noqa: E731
    assert template("/v1/contacts/d-1.1/claim") == "/v1/contacts/{contact_id}/claim"
    assert template("/v1/decide") == "/v1/decide"
    assert template("/v1/decide/more") == "(elsewhere)"
    assert template("/readyz") == "/readyz"


def test_the_same_refusal_is_logged_once_in_a_while_and_then_counted(caplog, monkeypatch):
    now = [0.0]
    refusals = Refusals(lambda: now[0])
    monkeypatch.setattr(logging.getLogger("tactful"), "propagate", True)
    caplog.set_level(logging.INFO, "tactful.access")
    for _ in range(1000):
        refusals.note(401, "POST /v1/decide", "no known key, from 10.0.0.1")
    refusals.note(403, "POST /v1/decide", "key 'till', from 10.0.0.1")
    assert len(caplog.records) == 2
    now[0] += access.QUIET
    refusals.note(401, "POST /v1/decide", "no known key, from 10.0.0.1")
    assert "999 more since the last line" in caplog.records[-1].getMessage()
    for n in range(2 * access.MOST):
        refusals.note(401, "POST /v1/decide", f"no known key, from host {n}")
    assert len(refusals._since) <= access.MOST + 1


@pytest.mark.slow
def test_workers_add_up(shop):
    """Two processes answer, and whichever is asked tells of both."""
    from serving.client import create_key

    key = create_key(shop, "everything", ["admin"])
    service = Running(shop, key, workers=2)
    try:
        service.wait()
        asked = 0
        for _ in range(40):
            with service.client() as client:  # a connection each: the kernel deals them out
                assert client.post("/v1/score", json={"customer_id": "C1"}).status_code in (200, 503)
                asked += 1
        series = 'tactful_requests_total{method="POST",route="/v1/score",status='

        def counted():
            with service.client() as client:
                if client.get("/v1/metrics").status_code == 503:  # this one has not opened the store yet
                    return None
                found = samples(client)
            return sum(value for name, value in found.items() if name.startswith(series))

        until(lambda: counted() == asked)  # the last one is counted once its answer is gone
        assert {counted() for _ in range(8)} - {None} == {asked}
    finally:
        service.kill()
