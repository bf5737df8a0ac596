"""Bodies of plain JSON take a shorter way through the API; whoever takes the longer one gets the same answer."""

from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from starlette.responses import Response
from starlette.testclient import TestClient

from serving.answers import SCOPES_OF_CALL
from serving.api.direct import Direct, plain_calls
from serving.api.errors import answer_errors
from serving.api.routes import Route, reply
from serving.auth import Client
from serving.schemas import DecideRequest

BODIES = [
    b'{"customer_id": "C1", "channel": "web"}',
    b'{"customer_id": "C1", "limit": 3, "context": {"a": 1}, "placements": []}',
    b'{"customer_id": ""}',
    b'{"customer_id": "C1", "direction": "sideways"}',
    b'{"customer_id": "C1", "unknown": 1}',
    b'{"customer_id": "C1", "context": {"a": NaN}}',
    b'{"customer_id": 7}',
    b"{",
    b"[]",
    b"null",
    b"",
    b"\xff",
    b"[" * 2_000,
    orjson.dumps({f"f{i}": i for i in range(10_000)}),
]


def client() -> TestClient:
    app = FastAPI()
    app.router.route_class = Route
    answer_errors(app)

    @app.post("/decide", openapi_extra={SCOPES_OF_CALL: ["decide"]})
    async def decide(body: DecideRequest) -> Response:
        return reply(body.model_dump())

    direct = Direct(app, plain_calls(app, below=""))

    async def known(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["client"] = Client("test", frozenset({"decide"}))
        await direct(scope, receive, send)

    return TestClient(known, raise_server_exceptions=False)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:40]))
def test_the_answer_does_not_depend_on_the_way(body: bytes) -> None:
    asking = client()
    plain, longer = (
        asking.post("/decide", content=body, headers={"Content-Type": media})
        for media in ("application/json", "application/json; charset=utf-8")
    )
    assert (plain.status_code, plain.content) == (longer.status_code, longer.content)
    assert plain.status_code == 200 if body in BODIES[:2] else plain.status_code in (400, 422)


def test_what_is_not_json_is_said_to_be_so() -> None:
    answer = client().post("/decide", content=BODIES[0], headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_plain_json_needs_none_of_the_machinery(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: Any) -> None:
        raise AssertionError("it was used")

    monkeypatch.setattr("fastapi.routing.solve_dependencies", fails)
    asking = client()
    media = ("application/json", "application/json; charset=utf-8")
    found = [asking.post("/decide", content=BODIES[0], headers={"Content-Type": each}).status_code for each in media]
    assert found == [200, 500]
