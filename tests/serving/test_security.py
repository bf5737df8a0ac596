"""Who may not is refused, what is meant to break us is refused or stored as the text it is, and the log says so.

Every call is found in the OpenAPI document, so a new one is held to the same.
"""

import asyncio
import itertools
import json
import logging
import re
import sqlite3

import httpx
import market
import pytest
from mounted import KEY, mounted
from quickness import quick
from starlette.testclient import TestClient

from serving import auth, pages
from serving.access import Refusals
from serving.api import create_api
from serving.auth import SCOPES, hashed, new_key
from serving.engine import Engine
from serving.limits import Shed
from serving.store.protocol import Key

DOCUMENT = pages.openapi(create_api(lambda: None))
CALLS = [
    pytest.param(method.upper(), path, call, id=f"{method} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, call in methods.items()
]
ONE_SCOPE = {scope: new_key() for scope in SCOPES}
REVOKED = new_key()
WHO = "Ms-Confidential-4711"


@pytest.fixture(scope="module")
def engine(shop_template, tmp_path_factory):
    found = Engine.open(market.copy(shop_template, tmp_path_factory.mktemp("security") / "shop"))
    found.warm()
    yield found
    found.close()


@pytest.fixture(scope="module")
def client(engine):
    keys = [Key(f"only {scope}", hashed(key), scope, 0) for scope, key in ONE_SCOPE.items()]
    app = mounted(engine, (*keys, Key("gone", hashed(REVOKED), "admin", 0, revoked_at=1)))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def lines(client, caplog, monkeypatch):
    """What was logged so far, from INFO on; the test's own client left out."""
    monkeypatch.setattr(logging.getLogger("tactful"), "propagate", True)
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(client.app, "refusals", Refusals())  # what earlier tests asked is not held back here
    return lambda: [record.getMessage() for record in caplog.records if record.name != "httpx"]


def filled(path):
    return "/v1" + re.sub(r"\{.*?\}", WHO, path)


def ask(client, method, path, key=None, **rest):
    headers = {"X-API-Key": key} if key else {}
    return client.request(method, path, headers=headers | rest.pop("headers", {}), **rest)


@pytest.mark.parametrize(("method", "path", "call"), CALLS)
def test_without_a_key_that_works_nothing_is_answered(client, lines, monkeypatch, method, path, call):
    monkeypatch.setattr(auth, "GUESSES", 0.0)
    for key in (None, "tactful_" + "x" * 43, "x" * 10_000, "'; DROP TABLE keys; --", REVOKED):
        answer = ask(client, method, filled(path), key)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    refused = [line for line in lines() if line.startswith(f"refused with 401: {method} /v1{path}")]
    assert any("no known key" in line for line in refused)
    assert any("key 'gone' (revoked)" in line for line in refused)


@pytest.mark.parametrize(("method", "path", "call"), CALLS)
def test_a_key_opens_what_it_was_made_for_and_nothing_else(client, lines, method, path, call):
    needed = set(call["x-scopes"])
    assert needed <= set(SCOPES)
    assert needed, "a call that needs no scope would be everybody's"
    for scope, key in ONE_SCOPE.items():
        answer = ask(client, method, filled(path), key)
        if scope in needed or scope == "admin":
            assert answer.status_code not in (401, 403), answer.text
        else:
            assert answer.status_code == 403
            assert answer.json()["scopes"] == sorted(needed)
            assert f"key 'only {scope}'" in " ".join(line for line in lines() if line.startswith("refused with 403"))


@pytest.mark.parametrize(("method", "path", "call"), CALLS)
def test_a_scope_is_judged_before_the_body_is_read(client, method, path, call):
    wrong = next((scope for scope in ("metrics", "decide") if scope not in call["x-scopes"]), None)
    assert wrong is not None
    answer = ask(client, method, filled(path), ONE_SCOPE[wrong], content=b"[" * 1000)
    assert answer.status_code == 403


BODIES = [
    ("oversized", b'{"customer_id": "' + b"x" * (5 << 20) + b'"}', 413),
    ("deep", b"[" * 200_000, 400),
    ("deep objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    ("NaN", b'{"customer_id": "a", "x": NaN}', 400),
    ("Infinity", b'{"interactions": [{"value": Infinity}]}', 400),
    ("a huge number", b'{"customer_id": ' + b"9" * 100_000 + b"}", 400),
    ("not UTF-8", b'{"customer_id": "\xff\xfe"}', 400),
    ("a lone surrogate", b'{"customer_id": "\\udc00"}', 400),
    ("many fields", b"{" + b",".join(b'"k%d":1' % i for i in range(300_000)) + b"}", 422),
]


@pytest.mark.parametrize(("method", "path", "call"), [each for each in CALLS if "requestBody" in each.values[2]])
@pytest.mark.parametrize(("what", "body", "status"), BODIES, ids=[each[0] for each in BODIES])
def test_a_body_made_to_hurt_is_refused_quickly(client, method, path, call, what, body, status):
    headers = {"Content-Type": "application/json"}
    answer = quick(lambda: ask(client, method, filled(path), KEY, content=body, headers=headers), 10)
    assert answer.status_code == status, answer.text[:200]
    assert len(answer.content) < 50_000, "what was sent is not sent back"
    assert answer.headers["content-type"] == "application/problem+json"


def test_refused_bodies_are_logged(client, lines):
    for what, body, status in BODIES:
        del what
        ask(client, "POST", "/v1/score", KEY, content=body, headers={"Content-Type": "application/json", "X-Key": "x"})
        assert f"refused with {status}: POST /v1/score" in " ".join(lines())


def test_rows_with_too_many_fields_are_kept_in_quarantine_quickly(client):
    row = {f"k{n}": 1 for n in range(500)}
    for path, batch in (("interactions",) * 2, ("attributes", "records"), ("identifiers",) * 2):
        body = {batch: [row] * 600}
        answer = quick(lambda path=path, body=body: ask(client, "POST", f"/v1/{path}", KEY, json=body), 15).json()
        assert answer["quarantined"] == 600
        assert answer["quarantine"][0]["errors"][0]["what"] == "has 500 fields"


SQL = "'; DROP TABLE interactions; UPDATE customers SET version = 0; --"


def strings(schema, document, holder=()):
    """Paths of every string in a request's schema."""
    if "$ref" in schema:
        yield from strings(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]], document, holder)
    for option in schema.get("anyOf", []):
        yield from strings(option, document, holder)
    if schema.get("type") == "string":
        yield holder
    for name, each in schema.get("properties", {}).items():
        yield from strings(each, document, (*holder, name))


def tables(engine):
    """{table: rows} as another process reads them."""
    with sqlite3.connect(f"file:{engine.workspace.store_path}?mode=ro", uri=True) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    database.close()
    return found


def test_sql_in_any_string_is_text(client, engine):
    before = tables(engine)
    asked = 0
    for method, path, call in (each.values for each in CALLS):
        schema = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        example = pages._example(DOCUMENT, call.get("requestBody", {})) or {}
        for where in sorted(set(strings(schema, DOCUMENT))):
            body = json.loads(json.dumps(example))
            holder = body
            for name in where[:-1]:
                holder = holder.setdefault(name, {})
            holder[where[-1]] = SQL
            answer = ask(client, method, filled(path), KEY, json=body)
            assert answer.status_code < 500, (path, where, answer.text)
            asked += 1
        answer = ask(client, method, "/v1" + re.sub(r"\{.*?\}", "' OR 1=1 --", path), KEY, json=example)
        assert answer.status_code < 500
        answer = ask(client, method, filled(path), KEY, json=example, params={"q": SQL, "customer_id": SQL})
        assert answer.status_code < 500
    assert asked > 10
    rows = [market.interaction(f"sql-{n}", **{field: f"{SQL} {n}"}) for n, field in enumerate(ROW_STRINGS)]
    receipt = ask(client, "POST", "/v1/interactions", KEY, json={"interactions": rows}).json()
    assert receipt["accepted"] + receipt["quarantined"] == len(rows)
    assert receipt["accepted"] >= 4, "where any text may stand, this is text"
    after = tables(engine)
    assert set(after) == set(before)
    assert all(after[name] >= before[name] for name in before if "log" in name or name == "interactions")
    kept = engine.store.export("interactions", 0)
    assert f"{SQL} {ROW_STRINGS.index('customer_id')}" in {row["customer_id"] for row in kept}
    assert f"{SQL} {ROW_STRINGS.index('topic')}" in {row["topic"] for row in kept}


ROW_STRINGS = ("customer_id", "interaction_id", "topic", "case_id", "decision_id", "action", "type", "channel")


BOMBS = (
    "context.a.map(x, context.a.map(y, context.b))",
    "context.a.all(x, context.a.all(y, context.a.all(z, x == y && y == z)))",
    "context.b.matches('(a?){1000}a{1000}')",
    "(" * 500 + "true" + ")" * 500,
    "true" + " && true" * 5_000,
)


def test_rules_and_contexts_made_to_hurt(shop):
    """A rule that could run for seconds is no policy; one that is, meets the worst context in a moment."""
    engine = Engine.open(shop)
    file = shop.actions_file
    ruled = lambda rule: json.dumps(  # noqa: E731
        {"actions": [{"name": "a", "issue": "i", "group": "g", "channels": ["email"], "eligible": rule}]}
    )
    try:
        engine.warm()
        before = engine.playbook.version
        for bomb in BOMBS:

            def taken_up(bomb=bomb):
                file.write_text(ruled(bomb))
                engine.refresh()

            quick(taken_up, 10)
            assert engine.playbook.version == before, "the old policy stays in use"
            assert "eligible" in str(engine.policy_problem)
        file.write_text(ruled("context.a.exists(x, x == context.b) || size(context.c) < 0"))
        engine.refresh()
        assert engine.playbook.version != before
        contexts = [
            {"a": ["x" * 10] * 1200, "b": "y", "c": {}},
            {"a": ["x"] * 100, "b": "y" * 15_000, "c": {}},
            {"a": [[[]] * 50] * 25, "b": {}, "c": {str(n): n for n in range(1000)}},
        ]
        with TestClient(mounted(engine)) as client:
            for context in contexts:
                body = {"customer_id": "C1", "channel": "email", "context": context}
                answer = quick(lambda body=body: ask(client, "POST", "/v1/decide", KEY, json=body), 5)
                assert answer.status_code == 200
                assert answer.json()["action"] is None
    finally:
        engine.close()


def test_no_line_of_the_log_names_a_customer(client, lines, engine):
    """A whole circle, and every way to be refused, with an id that would be seen."""
    post = lambda path, body: ask(client, "POST", path, KEY, json=body)  # noqa: E731
    rows = [market.interaction(f"of-{WHO}", WHO), market.interaction("bad", WHO, value="ten"), 7]
    post("/v1/interactions", {"interactions": rows})
    post("/v1/attributes", {"records": [{"customer_id": WHO, "attributes": {"note": WHO}}]})
    post("/v1/identifiers", {"identifiers": [{"identifier": WHO, "kind": "email", "customer_id": f"{WHO}-2"}]})
    decision = post("/v1/decide", {"customer_id": WHO, "channel": "email", "request_id": f"r-{WHO}"}).json()
    contact = decision["contact_id"]
    for step in ("claim", "claim", "sent"):
        post(f"/v1/contacts/{contact}/{step}", {})
    post("/v1/outcomes", {"decision_id": decision["decision_id"], "outcome": "complained"})
    post("/v1/decide", {"customer_id": WHO, "channel": WHO})
    post("/v1/decide", {"customer_id": WHO, WHO: WHO})
    post("/v1/decide", {"customer_id": f"{WHO}-3", "request_id": f"r-{WHO}"})
    for path in (f"/v1/{WHO}", f"/{WHO}", f"/v1/contacts/{WHO}/claim", f"/v1/contacts/{WHO}/{WHO}"):
        post(path, {})
        ask(client, "POST", path, "wrong")
    for method, path, _ in (each.values for each in CALLS):
        ask(client, method, filled(path), KEY, json={"customer_id": WHO}, params={"customer_id": WHO})
    engine.refresh()
    assert len(lines()) > 3
    assert not [line for line in lines() if WHO in line]


def test_a_mistake_of_ours_is_logged_without_the_path(client, engine, lines, monkeypatch):
    async def broken(*_):
        raise RuntimeError("oops")

    monkeypatch.setattr(engine, "claim", broken)
    assert ask(client, "POST", f"/v1/contacts/{WHO}/claim", KEY).status_code == 500
    assert "POST /contacts/{contact_id}/claim failed" in lines()
    assert not [line for line in lines() if WHO in line]


def test_above_its_bound_it_answers_429_before_anything_is_read():
    async def many():
        gate = asyncio.Event()

        async def held(scope, receive, send):
            await gate.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})

        shed = Shed(held, most=10, exempt={"/livez"})
        transport = httpx.ASGITransport(shed)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            asked = [asyncio.create_task(http.post("/v1/decide", content=b"{")) for _ in range(50)]
            live = asyncio.gather(*(http.get("/livez") for _ in range(20)))
            refused = [await each for each in itertools.islice(asyncio.as_completed(asked, timeout=60), 40)]
            let_in = [each for each in asked if not each.done()]
            gate.set()
            heavy = http.post("/v1/interactions", content=b"x" * 1_000_000)
            return refused, await asyncio.gather(*let_in), await live, await heavy, shed.weight

    refused, let_in, live, heavy, weight = asyncio.run(many())
    assert [answer.status_code for answer in refused] == [429] * 40
    assert [answer.status_code for answer in let_in] == [200] * 10
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert refused[0].json()["type"] == "/v1/docs#overloaded"
    assert {answer.status_code for answer in live} == {200}, "liveness is never shed"
    assert heavy.status_code == 200, "what is alone is let in, however much it weighs"
    assert weight == 0
