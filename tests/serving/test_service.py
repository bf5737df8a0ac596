"""The service over real HTTP: what it says before it is ready, and what it notices while it runs."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial

import httpx
import market
import psutil
import pytest
from awaited import NEVER, until
from running import Running
from typer.testing import CliRunner

from features.history import History
from serving.client import create_key
from serving.commands import app

get, post = (partial(ask, timeout=NEVER) for ask in (httpx.get, httpx.post))

#: A client of BentoML's own, in a process of its own.
NATIVE = """
import json, sys, bentoml
with bentoml.SyncHTTPClient(sys.argv[1], token=sys.argv[2]) as client:
    found = client.score(customer_id="C5", features=True)
    try:
        client.score(customer_id="")
    except bentoml.exceptions.BentoMLException as error:
        print(json.dumps([found, str(error)]))
"""


@pytest.fixture(scope="module")
def service(shop_template, tmp_path_factory):
    """A shop that has no propensity champion when its service starts."""
    import mlflow

    shop = market.copy(shop_template, tmp_path_factory.mktemp("service") / "shop")
    client = mlflow.MlflowClient(tracking_uri=shop.tracking_uri, registry_uri=shop.tracking_uri)
    client.delete_registered_model_alias("propensity", "champion")
    found = Running(shop)
    yield found
    found.kill()


@pytest.fixture
def client(service):
    with service.client() as client:
        yield client


def test_not_ready_until_every_champion_is_there(service, client):
    answer = until(lambda: (a := service.readiness()) and "propensity" in a.text and a)
    assert answer.status_code == 503
    (missing,) = answer.json()["missing"]
    assert missing.startswith("propensity: no champion model `propensity`: run `tactful train propensity`")
    assert get(f"{service.url}/livez").status_code == 200
    refused = client.post("/v1/decide", json={"customer_id": "C1", "channel": "email"})
    assert refused.status_code == 503
    assert "tactful train propensity" in refused.json()["detail"]
    assert client.post("/v1/interactions", json={"interactions": [market.interaction("early")]}).status_code == 200
    market.register(service.workspace, "propensity", seed=5)
    service.wait()


def test_a_decision_is_answered_and_repeated(client):
    body = {"customer_id": "new-here", "channel": "email", "request_id": "http-1"}
    first = client.post("/v1/decide", json=body)
    assert first.status_code == 200
    assert first.json()["action"] is not None
    assert client.post("/v1/decide", json=body).json() == first.json()


def test_the_page_and_its_parts_come_from_the_service(service):
    page = get(f"{service.url}/", follow_redirects=True)
    assert page.url.path == "/v1/docs"
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert f"/static_content/{asset}" in page.text
        assert get(f"{service.url}/static_content/{asset}").status_code == 200


def test_paths_outside_the_api_need_a_key_and_answer_in_one_shape(service, client):
    for path in ("/elsewhere", "/schema.json", "/docs.json", "/metrics"):
        assert get(service.url + path).status_code == 401
    answer = client.get("/elsewhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_bentoml_clients_score_with_the_same_keys_and_errors(service, client):
    done = subprocess.run(
        [sys.executable, "-c", NATIVE, service.url, service.key], capture_output=True, text=True, check=True
    )
    found, refused = json.loads(done.stdout)
    assert "customer_id" in refused
    ours = client.post("/v1/score", json={"customer_id": "C5", "features": True}).json()
    assert set(found) == set(ours)
    assert set(found["features"]) == set(ours["features"])
    assert found["churn"] == pytest.approx(ours["churn"], rel=1e-4), "a moment later"
    body = {"customer_id": 7}
    refused = post(f"{service.url}/score", json=body)
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    for wrong in (b"{", b"[]", b'{"customer_id": 7}', b'{"customer_id": "a", "x": NaN}'):
        headers = {"Content-Type": "application/json"}
        theirs = client.post("/score", content=wrong, headers=headers)
        assert theirs.status_code in (400, 422)
        assert theirs.content == client.post("/v1/score", content=wrong, headers=headers).content
    only = create_key(service.workspace, "recorder", ["record"])
    assert post(f"{service.url}/score", json=body, headers={"X-API-Key": only}).status_code == 403
    assert client.get("/score").status_code == 405


def test_a_new_champion_is_taken_up_while_it_serves(service, client):
    version = market.register(service.workspace, "churn", seed=9)
    score = lambda: client.post("/v1/score", json={"customer_id": "C3"}).json()  # noqa: E731
    until(lambda: score()["versions"]["models"]["churn"]["version"] == version)
    assert score()["versions"]["models"]["churn"]["run_id"] == "run-churn-9"


def test_a_changed_policy_is_taken_up_and_a_broken_one_is_not(service):
    file = service.workspace.policy_file
    readiness = lambda: get(f"{service.url}/readyz")  # noqa: E731
    version = lambda: readiness().json()["versions"]["policy"]  # noqa: E731
    after, took = version(), []
    while not took or min(took) > 3.0:  # two seconds are promised, if not of a busy machine each time
        assert len(took) < 20, took
        before, began = after, time.monotonic()
        file.write_text(f"{market.POLICY}\nreservation: {{expires: {len(took) + 2}h}}\n")
        after = until(lambda before=before: (now := version()) != before and now)
        took.append(time.monotonic() - began)
    file.write_text("caps: [{scope: galaxy}]")
    notes = until(lambda: readiness().json()["notes"])
    assert "caps" in notes[0]
    assert version() == after
    assert readiness().status_code == 200
    file.write_text(market.POLICY)
    until(lambda: not readiness().json()["notes"])


def test_a_key_made_while_it_runs_works_and_a_revoked_one_stops(service):
    from serving.store import open_store

    key = create_key(service.workspace, "late")
    headers = {"X-API-Key": key}
    ask = lambda: post(f"{service.url}/v1/score", json={"customer_id": "C1"}, headers=headers).status_code  # noqa: E731
    until(lambda: ask() == 200)
    store = open_store(service.workspace)
    store.revoke_key("late", 0).result()
    store.close()
    until(lambda: ask() == 401)


def test_the_command_line_asks_and_says_why(service):
    words = ["decide", "asked-by-hand", "--channel", "email", "--workspace", str(service.workspace.folder)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "contact d-" in result.output
    assert "drawn with probability" in result.output
    again = CliRunner().invoke(app, words)
    assert "refused by the guard" in again.output
    assert "passes at 2026-05-" in again.output
    answer = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert answer["customer_id"] == "asked-by-hand"
    wrong = CliRunner().invoke(app, [*words[:2], "--channel", "fax", *words[4:]])
    assert wrong.exit_code == 2
    assert "'fax' is no channel here" in wrong.output


def test_on_sigterm_it_finishes_and_everything_is_there(service, client):
    rows = [market.interaction(f"last-{i}", "last") for i in range(5)]
    assert client.post("/v1/interactions", json={"interactions": rows}).json()["accepted"] == 5
    assert service.stop() == 0
    from serving import sync
    from serving.store import open_store

    store = open_store(service.workspace)
    done = sync.sync(service.workspace, store)
    store.close()
    assert done["interactions"].accepted >= 6
    assert set(History(service.workspace).interactions(customers=["last"])["interaction_id"].to_pylist()) == {
        row["interaction_id"] for row in rows
    }
    log = service.log.read_text(errors="replace")
    assert "refused with 401" in log
    for customer in ("new-here", "asked-by-hand", "last-", 'C1"', "C5", '"early"'):
        assert customer not in log, "the log names no customer"


def nobody_listens(port):
    """A service that is too busy to answer is there all the same."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


@pytest.mark.slow
def test_a_killed_parent_takes_its_worker_along_and_the_port_is_free_again(shop):
    first = Running(shop)
    try:
        first.wait()
        os.kill(first.process.pid, signal.SIGKILL)  # the parent alone, as `kill -9 PID` does
        first.process.wait()
        until(lambda: nobody_listens(first.port))
        second = Running(shop, first.key, first.port)
        try:
            second.wait()
            assert psutil.Process(second.process.pid).children(), "it answers itself, not the first one's worker"
        finally:
            second.kill()
    finally:
        first.kill()
