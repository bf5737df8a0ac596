"""Plain calls take the direct way; whatever is unusual about one gets the answer that routing would give it."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from starlette.responses import Response

from serving.answers import SCOPES_OF_CALL
from serving.api.direct import Direct, plain_calls
from serving.api.errors import answer_errors
from serving.api.routes import Json, Route, reply
from serving.auth import Client
from serving.limits import BodyLimit
from serving.problems import Problem
from serving.schemas import DecideRequest

BODY = b'{"customer_id": "C1"}'
Messages = list[dict[str, Any]]


class Asked:
    """An app with one call behind the direct way, and whether FastAPI was asked."""

    def __init__(self, fails: Exception | None = None, limit: int = 1_000) -> None:
        app = FastAPI()
        app.router.route_class = Route
        answer_errors(app)
        self.answered = 0
        self.routed = 0
        self.sent: Messages = []

        @app.post("/decide", openapi_extra={SCOPES_OF_CALL: ["decide"]})
        async def decide(body: DecideRequest) -> Response:
            self.answered += 1
            if fails is not None:
                raise fails
            return reply({"customer_id": body.customer_id})

        async def routed(scope: Any, receive: Any, send: Any) -> None:
            self.routed += 1
            await app(scope, receive, send)

        self._direct = BodyLimit(Direct(routed, plain_calls(app, below="")), limit)

    def __call__(self, messages: Messages, scopes: frozenset[str] = frozenset({"decide"}), **more: Any) -> Messages:
        """What is sent for a request whose body comes in `messages`; to read on behind them is to wait for ever."""
        sent = self.sent = Messages()
        waiting = iter(messages)

        async def receive() -> Any:
            return next(waiting)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/decide",
            "raw_path": b"/decide",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
            "state": {"client": Client("test", scopes)},
            **more,
        }
        asyncio.run(self._direct(scope, receive, send))
        return sent


def parts(*bodies: bytes) -> Messages:
    last = len(bodies) - 1
    return [{"type": "http.request", "body": body, "more_body": i < last} for i, body in enumerate(bodies)]


def told(sent: Messages) -> tuple[int, Any]:
    return sent[0]["status"], orjson.loads(sent[1]["body"])


@pytest.mark.parametrize("bodies", [(BODY,), (BODY[:7], BODY[7:]), (b"", BODY, b"")], ids=["one", "two", "three"])
def test_a_plain_call_is_answered_without_routing(bodies: tuple[bytes, ...]) -> None:
    ask = Asked()
    assert told(ask(parts(*bodies))) == (200, {"customer_id": "C1"})
    assert (ask.answered, ask.routed) == (1, 0)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"path": "/nowhere", "raw_path": b"/nowhere"}, 404),
        ({"method": "GET"}, 405),
        ({"headers": [(b"content-type", b"text/plain")]}, 415),
        ({"headers": []}, 415),
    ],
    ids=["address", "method", "media", "none"],
)
def test_what_is_no_plain_call_is_routed(more: dict[str, Any], status: int) -> None:
    ask = Asked()
    assert told(ask(parts(BODY), **more))[0] == status
    assert (ask.answered, ask.routed) == (0, 1)


def test_what_breaks_the_contract_is_read_again_by_who_explains_it() -> None:
    ask = Asked()
    status, problem = told(ask(parts(b'{"customer_', b'id": 7}')))
    assert (status, problem["errors"][0]["field"]) == (422, "customer_id")
    assert (ask.answered, ask.routed) == (0, 1)


def test_a_body_over_the_limit_is_refused_and_not_read_on() -> None:
    ask = Asked(limit=20)
    status, problem = told(ask(parts(BODY)))
    assert (status, problem["title"]) == (413, "The body is too large")
    assert ask.answered == 0


def test_a_key_without_the_scope_is_refused_before_anything_is_read() -> None:
    ask = Asked()
    status, problem = told(ask([], scopes=frozenset({"record"})))
    assert (status, problem["scopes"]) == (403, ["decide"])


def test_a_client_that_hangs_up_in_the_middle_is_not_decided_about() -> None:
    ask = Asked()
    ask([*parts(BODY[:5], b"")[:1], {"type": "http.disconnect"}])
    assert ask.answered == 0


def test_a_problem_is_told_as_it_is() -> None:
    ask = Asked(Problem("not-ready", "the store is away", headers={"Retry-After": "1"}))
    sent = ask(parts(BODY))
    status, problem = told(sent)
    assert (status, problem["detail"], problem["instance"]) == (503, "the store is away", "/decide")
    assert (b"retry-after", b"1") in sent[0]["headers"]


@pytest.mark.parametrize("failure", [ValueError("a bug"), KeyError("C1042")], ids=["value", "key"])
def test_what_nobody_foresaw_is_our_mistake_and_is_not_tried_again(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    ask = Asked(failure)
    with pytest.raises(type(failure)):  # on to the server, as Starlette does
        ask(parts(BODY))
    assert (ask.answered, ask.routed) == (1, 0)
    assert told(ask.sent)[0] == 500
    assert "POST /decide failed" in caplog.text


def test_json_that_is_there_already_is_sent_with_the_headers_of_any_answer() -> None:
    def sent(response: Response) -> Messages:
        found: Messages = []

        async def send(message: Any) -> None:
            found.append(message)

        asyncio.run(response({"type": "http"}, _never, send))
        return found

    assert sent(Json(b'{"a":1}', 201)) == sent(Response(b'{"a":1}', 201, media_type="application/json"))


async def _never() -> Any:
    raise AssertionError("nothing is to be read")


def test_decisions_let_go_of_what_they_were_made_from_before_the_disk_is_waited_for(
    shop_template: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gc
    import weakref

    import market

    from serving.decisions.decision import Decision
    from serving.engine import Engine, deciding, waiting

    engine = Engine.open(market.copy(shop_template, tmp_path / "shop"))
    engine.warm()
    made: list[weakref.ref[Decision]] = []
    alive: list[bool] = []
    judge: Callable[..., Decision] = deciding._decided

    def watched(*arguments: Any) -> Decision:
        decision = judge(*arguments)
        made.append(weakref.ref(decision))
        return decision

    async def done(future: Any) -> Any:
        if made:
            alive.append(made[0]() is not None)
        return await waiting.done(future)

    monkeypatch.setattr(deciding, "_decided", watched)
    monkeypatch.setattr(deciding, "done", done)
    gc.disable()
    try:
        answers = [asyncio.run(engine.decide(DecideRequest(customer_id="C1", channel="email"))) for _ in range(3)]
    finally:
        gc.enable()
        engine.close()
    assert alive[:1] == [False]
    ids = [answer["decision_id"] for answer in answers]
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {34}
