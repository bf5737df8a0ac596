"""Signing in and out, as a browser does it and as somebody does who means harm; sessions, throttle and cookies."""

import re
import time
from urllib.parse import quote

import market
import pytest
from mounted import mounted
from starlette.testclient import TestClient

from features import clock
from serving import auth
from serving.auth import hashed, new_key
from serving.console import routes, session, throttle
from serving.engine import Engine
from serving.store.protocol import Key

MARKETER, PEOPLE, DECIDER, GONE = (new_key() for _ in range(4))
START = "/console/"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Without models: nobody decides here."""
    found = Engine.open(market.found(tmp_path_factory.mktemp("signin") / "shop"))
    yield found
    found.close()


@pytest.fixture
def keys():
    """Keys besides `test`, which may everything; a test may add and revoke."""
    return [
        Key("marketing", hashed(MARKETER), "marketer", 0),
        Key("service desk", hashed(PEOPLE), "customers", 0),
        Key("mailer", hashed(DECIDER), "decide,record", 0),
        Key("gone", hashed(GONE), "admin", 0, revoked_at=1),
    ]


@pytest.fixture
def browser(engine, keys, monkeypatch):
    """A function that makes a client with cookies of its own, none of which follows redirects."""
    monkeypatch.setattr(throttle, "BY_ADDRESS", 1_000)
    monkeypatch.setattr(throttle, "IN_ALL", 1_000)
    monkeypatch.setattr(auth, "STALE", -1.0)  # keys are read for each request
    app = mounted(engine, keys)

    def made(url="http://console.example", address="192.0.2.1"):
        return TestClient(app, base_url=url, follow_redirects=False, client=(address, 1), raise_server_exceptions=False)

    return made


def token_of(answer):
    return re.search(r'name="token" value="([^"]*)"', answer.text)[1]


def sign_in(client, key=MARKETER, back=START, **headers):
    form = client.get("/console/sign-in", params={"next": back})
    assert form.status_code == 200
    told = {"token": token_of(form), "next": back, "key": key}
    return client.post("/console/sign-in", data=told, headers=headers)


def test_a_key_is_exchanged_for_a_session_that_opens_pages_and_not_the_api(browser, engine):
    client = browser()
    answer = sign_in(client, f"  {MARKETER}\n")
    assert (answer.status_code, answer.headers["location"]) == (303, START)
    [cookie] = [each for each in answer.headers.get_list("set-cookie") if each.startswith(session.COOKIE)]
    assert {"HttpOnly", "Path=/console", "SameSite=lax", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie, "this browser came by http"
    assert MARKETER not in str(client.cookies)
    page = client.get(START)
    assert page.status_code == 200
    assert "Signed in as marketing" in page.text
    assert client.get("/v1/outbox").status_code == 401
    secret = client.cookies[session.COOKIE]
    assert engine.store.session(hashed(secret), clock.Clock().now()) == hashed(MARKETER)
    assert engine.store.session(secret, clock.Clock().now()) is None, "what is stored cannot be used"


def test_over_https_cookies_are_secure(browser):
    answer = sign_in(browser("https://console.example"))
    for cookie in answer.headers.get_list("set-cookie"):
        assert "Secure" in cookie


STRANGE = {"nothing": "", "shape": "tactful_" + "x" * 43, "long": "x" * 10_000, "sql": "'; DROP TABLE sessions; --",
           "gone": GONE, "cyrillic": "ключ"}  # fmt: skip


@pytest.mark.parametrize("key", STRANGE.values(), ids=STRANGE)
def test_a_key_that_is_not_known_opens_nothing(browser, key):
    client = browser()
    answer = sign_in(client, key)
    assert answer.status_code == 401
    assert "not known here, or was revoked" in answer.text
    assert session.COOKIE not in client.cookies
    assert key not in answer.text or not key
    assert client.get(START).status_code == 303


def test_a_key_that_is_not_for_looking_is_told_so(browser):
    client = browser()
    answer = sign_in(client, DECIDER)
    assert answer.status_code == 403
    assert "--scope marketer" in answer.text
    assert session.COOKIE not in client.cookies


def test_a_page_needs_its_scope(browser):
    client = browser()
    sign_in(client, MARKETER)
    refused = client.get("/console/customers/C1")
    assert refused.status_code == 403
    assert "tactful keys create NAME --scope customers" in refused.text
    assert ">Customers<" not in refused.text, "nor does the menu offer it"
    client = browser()
    assert sign_in(client, PEOPLE, "/console/customers").headers["location"] == "/console/customers"
    assert client.get("/console/uplift").status_code == 403


@pytest.mark.parametrize(
    "address",
    ["/console/uplift", "/console/customers/a%2Fb%20c?kind=ours&channel=e-mail", "/console/journeys?x=1&x=2", START],
)
def test_a_deep_link_comes_back_to_itself(browser, address):
    client = browser()
    asked = client.get(address)
    assert asked.status_code == 303
    assert asked.headers["location"] == "/console/sign-in?next=" + quote(address, safe="")
    form = client.get(asked.headers["location"])
    assert ("to go on where you were; a session lasts 12 hours" in form.text) == (address != START)
    back = re.search(r'name="next" value="([^"]*)"', form.text)[1].replace("&amp;", "&")
    told = {"token": token_of(form), "next": back, "key": MARKETER}
    assert client.post("/console/sign-in", data=told).headers["location"] == address


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/console/",
        "//evil.example/console",
        "/\\evil.example",
        "/console\\@evil.example",
        "/consoles",
        "/console/../v1/docs",
        "/console/%2e%2e/v1/docs",
        "/console/..%2fv1",
        "javascript:alert(1)",
        "/console/\r\nSet-Cookie: a=b",
        "/console/\x00",
        "/console/" + "x" * 3_000,
        "/console/sign-out",
        "/console/sign-in?next=/console/sign-in",
        "\t/console/",
        "",
    ],
)
def test_nobody_is_led_elsewhere(browser, address):
    client = browser()
    answer = sign_in(client, back=address)
    assert answer.status_code == 303
    assert answer.headers["location"].split("?")[0] in (START, "/console/..%2fv1")
    if address:
        assert client.get("/console/sign-in", params={"next": address}).headers["location"] == routes.back(address)


def test_a_form_from_elsewhere_signs_nobody_in(browser):
    client = browser()
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
    ):
        answer = sign_in(client, **headers)
        assert answer.status_code == 403
        assert session.COOKIE not in client.cookies
    assert sign_in(client, Origin="null").status_code == 403
    form = client.get("/console/sign-in")
    for token in ("", "x", ".", token_of(form)[:-1], token_of(browser().get("/console/sign-in"))):
        answer = client.post("/console/sign-in", data={"token": token, "key": MARKETER})
        assert answer.status_code == 403, token
    no_cookie = browser().post("/console/sign-in", data={"token": token_of(form), "key": MARKETER})
    assert no_cookie.status_code == 403
    assert session.COOKIE not in client.cookies
    assert sign_in(client, Origin="http://console.example").status_code == 303


def test_signing_out_ends_the_session_everywhere(browser, engine):
    client = browser()
    sign_in(client)
    stolen = client.cookies[session.COOKIE]
    page = client.get(START)
    for token in ("", "x.y", token_of(browser().get("/console/sign-in"))):
        assert client.post("/console/sign-out", data={"token": token}).status_code == 403
    told = {"token": token_of(page)}
    assert client.post("/console/sign-out", data=told, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get(START).status_code == 200, "nobody else signs me out"
    assert client.get("/console/sign-out").status_code == 405, "nor does a link"
    done = client.post("/console/sign-out", data=told)
    assert done.status_code == 200
    assert session.COOKIE not in client.cookies
    thief = browser()
    thief.cookies.set(session.COOKIE, stolen, path="/console")
    assert thief.get(START).status_code == 303
    assert engine.store.session(hashed(stolen), 0) is None


def test_signing_in_again_ends_the_session_before(browser):
    client = browser()
    sign_in(client)
    before, old = client.cookies[session.COOKIE], browser()
    old.cookies.set(session.COOKIE, before, path="/console")
    assert old.get(START).status_code == 200
    form = browser().get("/console/sign-in")
    client.cookies.set(
        "tactful_form", re.search("tactful_form=([^;]+)", form.headers["set-cookie"])[1], path="/console"
    )
    assert client.post("/console/sign-in", data={"token": token_of(form), "key": PEOPLE}).status_code == 303
    assert client.cookies[session.COOKIE] != before
    assert old.get(START).status_code == 303


def test_a_session_dies_with_its_key(browser, keys):
    client = browser()
    sign_in(client)
    assert client.get(START).status_code == 200
    keys[0] = Key("marketing", hashed(MARKETER), "marketer", 0, revoked_at=1)
    assert client.get(START).status_code == 303
    keys[0] = Key("marketing", hashed(MARKETER), "customers", 0)
    assert client.get(START).status_code == 403, "and may no more than it"


def test_a_session_ends_with_the_working_day(browser, monkeypatch):
    monkeypatch.setattr(session, "LASTS", 200_000)  # 0.2 s
    client, late = browser(), browser()
    answer = sign_in(client)
    secret = re.search(f"{session.COOKIE}=([^;]+)", str(answer.headers))[1]
    late.cookies.set(session.COOKIE, secret, path="/console")  # a browser that keeps it for ever
    time.sleep(0.2)
    assert late.get(START).status_code == 303


@pytest.mark.parametrize("secret", ["", "x", "x" * 43, "x" * 5_000, "';--" * 10])
def test_an_invented_session_is_none(browser, secret):
    client = browser()
    client.cookies.set(session.COOKIE, secret, path="/console")
    assert client.get(START).status_code == 303


def test_tries_are_limited_by_address_and_in_all_over_several_workers(browser, engine, keys, monkeypatch):
    """Each `mounted` is another worker, with a memory of its own; they share the store."""
    monkeypatch.setattr(throttle, "BY_ADDRESS", 3)
    monkeypatch.setattr(throttle, "IN_ALL", 7)
    monkeypatch.setattr(throttle, "MINUTE", 10**9)  # one minute for the whole test
    engine.store._write(lambda tx: tx.execute("DELETE FROM sign_ins")).result()
    workers = [mounted(engine, keys) for _ in range(2)]

    def tried(number, address, key="wrong"):
        client = TestClient(workers[number % 2], base_url="http://x", client=(address, 1), follow_redirects=False)
        return sign_in(client, key)

    assert [tried(k, "192.0.2.7").status_code for k in range(3)] == [401, 401, 401]
    refused = tried(0, "192.0.2.7", MARKETER)
    assert refused.status_code == 429, "also with a key that is good"
    assert int(refused.headers["retry-after"]) > 0
    assert "Too much at once" in refused.text
    assert tried(1, "192.0.2.8", MARKETER).status_code == 303, "others may"
    assert [tried(k, "2001:db8:0:1::5").status_code for k in range(2)] == [401, 401]
    assert tried(0, "2001:db8:0:1::77").status_code == 429, "7 were let in by now, from wherever"
    assert tried(1, "192.0.2.9", MARKETER).status_code == 429


def test_places_are_addresses_or_networks():
    assert throttle.place("192.0.2.1") == "192.0.2.1"
    assert throttle.place("::ffff:192.0.2.1") == "192.0.2.1"
    assert (
        throttle.place("2001:db8:0:1::5") == throttle.place("2001:db8:0:1:ffff::%eth0") != throttle.place("2001:db8::")
    )
    assert throttle.place("testclient") == "elsewhere"


def test_a_form_that_is_too_long_is_not_read_to_its_end(browser):
    answer = browser().post("/console/sign-in", content=b"key=" + b"x" * 100_000)
    assert answer.status_code == 413
    odd = browser().post("/console/sign-in", content=b"\xff\xfe" + b"&a=b" * 100)
    assert odd.status_code == 403


def test_scripts_bring_their_key_along(browser):
    client = browser()
    page = client.get(START, headers={"Authorization": f"Bearer {MARKETER}"})
    assert page.status_code == 200
    assert not client.cookies
    for key in (GONE, "wrong"):
        assert client.get(START, headers={"X-API-Key": key}).status_code == 401
    assert client.get(START, headers={"X-API-Key": DECIDER}).status_code == 403
