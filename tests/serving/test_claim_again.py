"""The whole way over HTTP on each store: decided, claimed, the answer lost, claimed again by the same id."""

import pytest
import stores
from mounted import KEY, mounted
from starlette.testclient import TestClient

from features.workspace import Workspace
from serving.engine import Engine


@pytest.mark.parametrize("kind", stores.KINDS)
def test_a_claim_whose_answer_got_lost(kind, shop, tmp_path):
    url = stores.place(kind, tmp_path).url
    settings = shop.folder / "tactful.yaml"
    settings.write_text(settings.read_text() + f"\nstore: {{url: '{url}'}}\n")
    engine = Engine.open(Workspace.open(shop.folder))
    engine.warm()
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(mounted(engine), headers=headers, raise_server_exceptions=False) as client:
        decision = client.post("/v1/decide", json={"customer_id": "someone", "channel": "email"}).json()
        claim = f"/v1/contacts/{decision['contact_id']}/claim"
        first = client.post(claim, json={"claim_id": "batch-31"})
        assert first.status_code == 200
        assert client.post(claim, json={"claim_id": "batch-31"}).json() == first.json()
        assert client.post(claim, json={"claim_id": "batch-32"}).status_code == 409
        assert client.post(claim).status_code == 409
        assert client.post(claim, json={"claim_id": "no\x00"}).status_code == 422
    engine.close()
