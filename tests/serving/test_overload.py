"""More than it can answer, a store that is away, models that are missing: it says so at once, and recovers."""

import json
import sqlite3
from concurrent.futures import Future

import httpx
import market
import pytest
import stores
from awaited import NEVER, until
from flood import flooding
from mounted import KEY, mounted
from running import running
from starlette.testclient import TestClient

from features.workspace import Workspace
from serving.engine import Engine
from serving.store.protocol import Unavailable


@pytest.fixture(scope="module")
def engine(shop_template, tmp_path_factory):
    found = Engine.open(market.copy(shop_template, tmp_path_factory.mktemp("overload") / "shop"))
    found.warm()
    yield found
    found.close()


@pytest.fixture
def client(engine):
    with TestClient(mounted(engine), headers={"X-API-Key": KEY}, raise_server_exceptions=False) as client:
        yield client


CALLS = [
    ("/v1/decide", {"customer_id": "C1", "channel": "email"}),
    ("/v1/score", {"customer_id": "C1"}),
    ("/v1/interactions", {"interactions": [market.interaction("lost")]}),
    ("/v1/attributes", {"records": [{"customer_id": "C1", "attributes": {"a": 1}}]}),
    ("/v1/identifiers", {"identifiers": [{"identifier": "x", "kind": "email", "customer_id": "C1"}]}),
    ("/v1/outcomes", {"decision_id": "d-1", "outcome": "accepted"}),
    ("/v1/contacts/d-1.1/claim", None),
    ("/v1/contacts/d-1.1/sent", None),
    ("/v1/contacts/d-1.1/failed", None),
]


WRITES = frozenset({"record", "record_attributes", "record_links", "claim", "sent", "failed", "commit_decision"})


class Away:
    """A store that is not there, whatever is asked of it: reads raise, writes promise and break it."""

    def __init__(self, error):
        self.error = error

    def __getattr__(self, name):
        def lost(*_, **__):
            if name not in WRITES:
                raise self.error
            future = Future()
            future.set_exception(self.error)
            return future

        return lost

    def ready(self):
        return str(self.error)


@pytest.mark.parametrize("error", [Unavailable("connection refused"), sqlite3.OperationalError("disk I/O error")])
def test_a_lost_store_is_503_with_what_is_wrong_and_comes_back_by_itself(client, engine, monkeypatch, error):
    assert client.post("/v1/score", json={"customer_id": "C1"}).status_code == 200
    with monkeypatch.context() as patched:
        patched.setattr(engine, "store", Away(error))
        for path, body in CALLS:
            answer = client.post(path, json=body)
            assert answer.status_code == 503, (path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"]
            assert str(error) in answer.json()["detail"]
        assert engine.readiness()["ready"] is False
        assert any(str(error) in missing for missing in engine.readiness()["missing"])
    assert engine.readiness()["ready"] is True
    assert client.post("/v1/decide", json=CALLS[0][1]).status_code == 200
    row = market.interaction(f"after {error}")
    assert client.post("/v1/interactions", json={"interactions": [row]}).json()["accepted"] == 1


def without_propensity(shop):
    import mlflow

    store = mlflow.MlflowClient(tracking_uri=shop.tracking_uri, registry_uri=shop.tracking_uri)
    store.delete_registered_model_alias("propensity", "champion")
    return shop


def test_a_missing_model_is_not_ready_unless_the_policy_says_what_stands_in(shop):
    policy = without_propensity(shop).policy_file
    engine = Engine.open(shop)
    try:
        engine.warm()
        ask = lambda client: client.post("/v1/decide", json={"customer_id": "C1", "channel": "email"})  # noqa: E731
        with TestClient(mounted(engine), headers={"X-API-Key": KEY}) as client:
            assert not engine.readiness()["ready"]
            refused = ask(client)
            assert refused.status_code == 503
            assert "tactful train propensity" in refused.json()["detail"]
            policy.write_text(market.POLICY + "\nfallback: {propensity: 0.03}\n")
            engine.refresh()
            assert engine.readiness()["ready"]
            factors = [fate["factors"] for fate in ask(client).json()["candidates"] if fate.get("factors")]
            assert factors
            assert {each["p"] for each in factors} == {0.03}
    finally:
        engine.close()


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_postgresql_that_goes_away_and_comes_back(shop, postgres_server):
    """Over HTTP: 503 while it is away, with no restart afterwards, and nothing acknowledged is lost."""
    settings = shop.folder / "tactful.yaml"
    settings.write_text(settings.read_text() + f"\nstore: {{url: '{postgres_server.get_uri()}'}}\n")
    rows = lambda start: {"interactions": [market.interaction(f"pg-{start + n}", "pg") for n in range(20)]}  # noqa: E731
    with running(Workspace.open(shop.folder)) as service, service.client() as client:
        assert client.post("/v1/interactions", json=rows(0)).json()["accepted"] == 20
        postgres_server.stop()
        for path, body in CALLS[:3]:
            answer = client.post(path, json=body)  # whoever waited for the database would be told 504
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"]
            assert "the store is not available" in answer.json()["detail"]
        assert httpx.get(f"{service.url}/livez", timeout=NEVER).status_code == 200
        until(lambda: readiness(service) == 503)
        stores.again(postgres_server)
        until(lambda: client.post("/v1/decide", json=CALLS[0][1]).status_code == 200)  # it recovers by itself
        again = client.post("/v1/interactions", json=rows(10)).json()
        assert (again["accepted"], again["duplicates"]) == (10, 10), "what was acknowledged is still there"
        until(lambda: readiness(service) == 200)


def readiness(service):
    """Its status; None while a busy machine keeps it from answering."""
    return getattr(service.readiness(), "status_code", None)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_flood_is_shed_and_leaves_no_trace(shop):
    """Four hundred connections that never wait. How quick what is let in stays is measured in tests/benchmarks."""
    with running(shop) as service:

        def asked(connections, seconds):
            return flooding(service.port, service.key, connections, seconds)

        def told(process):
            return set(json.loads(process.communicate()[0]))

        assert told(asked(16, 2)) == {"200"}, "sixteen connections are no flood"
        wild = asked(400, 8)
        assert {httpx.get(f"{service.url}/livez", timeout=NEVER).status_code for _ in range(20)} == {200}
        assert told(wild) == {"200", "429"}, "it sheds, and every refusal says when to ask again"
        assert told(asked(16, 2)) == {"200"}, "and it is as before"
