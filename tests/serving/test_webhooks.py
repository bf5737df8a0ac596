"""Webhooks: signed so that nobody else can, fresh so that nobody can play them again, never into our own network."""

import hashlib
import hmac
import http.server
import json
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.clock import HOUR, SECOND
from features.workspace import Settings, Webhook, WorkspaceError
from serving.nudges import signing, webhooks
from serving.nudges.webhooks import Receiver, Undelivered, allowed_address, public

SECRET = b"a secret of enough length"
NOW = 1_777_896_000
BODY = b'{"contact_id": "d-1.1"}'


def sent(body=BODY, at=NOW, secret=SECRET):
    return signing.headers(secret, at, "d-1.1", body)


def test_the_signature_is_an_hmac_over_timestamp_and_body():
    """Fixed bytes, so that receivers in other languages can check theirs."""
    expected = hmac.new(SECRET, b"1777896000." + BODY, hashlib.sha256).hexdigest()
    assert sent()["Tactful-Signature"] == f"v1={expected}"


def test_a_receiver_takes_what_is_ours_and_fresh():
    assert signing.verify(SECRET, sent(), BODY, NOW) is None
    assert signing.verify(SECRET, sent(), BODY, NOW + 300) is None
    lower = {name.lower(): value for name, value in sent().items()}
    assert signing.verify(SECRET, lower, BODY, NOW - 300) is None


@pytest.mark.parametrize(
    ("changed", "body", "now", "what"),
    [
        ({}, BODY + b" ", NOW, "does not fit"),
        ({"Tactful-Timestamp": str(NOW + 1)}, BODY, NOW, "does not fit"),
        ({"Tactful-Signature": ""}, BODY, NOW, "does not fit"),
        ({"Tactful-Signature": "v1=é\udcff"}, BODY, NOW, "does not fit"),
        ({"Tactful-Signature": sent()["Tactful-Signature"].upper()}, BODY, NOW, "does not fit"),
        ({"Tactful-Timestamp": ""}, BODY, NOW, "no number"),
        ({"Tactful-Timestamp": "1777896000.0"}, BODY, NOW, "no number"),
        ({"Tactful-Timestamp": "-1"}, BODY, NOW, "no number"),
        ({"Tactful-Timestamp": "9" * 5000}, BODY, NOW, "no number"),
        ({}, BODY, NOW + 301, "away from now"),
        ({}, BODY, NOW - 301, "away from now"),
    ],
)
def test_what_is_not_is_refused_with_the_reason(changed, body, now, what):
    assert what in signing.verify(SECRET, sent() | changed, body, now)
    assert signing.verify(b"another secret, as long", sent(), BODY, NOW) is not None
    assert signing.verify(SECRET, {}, BODY, NOW) is not None


@given(st.binary(max_size=200), st.integers(0, 10**11), st.binary(min_size=1, max_size=64))
def test_every_body_verifies_and_no_other(body, at, secret):
    assert signing.verify(secret, sent(body, at, secret), body, at) is None
    assert signing.verify(secret, sent(body, at, secret), body + b"x", at) is not None
    assert signing.verify(secret + b"x", sent(body, at, secret), body, at) is not None


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "ff02::1"),
        *("2002:7f00:1::", "64:ff9b::7f00:1", "255.255.255.255"),
    ],
)
def test_addresses_of_our_own_network_are_told(address):
    assert not public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_addresses_of_the_open_internet_are_told(address):
    assert public(address)


def test_a_name_that_leads_inside_is_not_called_unless_the_setting_says_so(monkeypatch):
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.7", 443))],
    )
    with pytest.raises(Undelivered, match=r"10\.0\.0\.7, a private address"):
        allowed_address("innocent.example", 443, private=False)
    assert allowed_address("innocent.example", 443, private=True) == "93.184.216.34"


def test_an_unknown_name_is_a_failure_not_a_crash(monkeypatch):
    with pytest.raises(Undelivered, match="is not known"):
        allowed_address("x" * 300, 443, private=True)

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # some networks know every name
    with pytest.raises(Undelivered, match="is not known"):
        allowed_address("no-such-host.invalid", 443, private=True)


def test_the_settings_are_checked(monkeypatch):
    hook = {"url": "https://mail.example/hook", "channels": ["email"], "secret_env": "HOOK"}
    assert Settings(webhooks=[hook]).webhooks[0].private is False
    for wrong in (
        {"url": "ftp://x"},
        {"url": "https://a@b/"},
        {"channels": ["emial"]},
        {"secret_env": "a b"},
        {"x": 1},
    ):
        with pytest.raises(ValueError):
            Settings(webhooks=[hook | wrong])
    monkeypatch.setenv("HOOK", "short")
    with pytest.raises(WorkspaceError, match="environment variable HOOK"):
        Receiver.of(Webhook(**hook))
    monkeypatch.setenv("HOOK", SECRET.decode())
    receiver = Receiver.of(Webhook(**hook))
    assert receiver.takes("email")
    assert not receiver.takes("phone")
    assert SECRET.decode() not in repr(receiver)


class Site(http.server.BaseHTTPRequestHandler):
    """Answers with `status`, keeps what came."""

    status, came = 200, []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).came.append((self.path, dict(self.headers), body))
        self.send_response(self.status)
        self.send_header("Location", "http://169.254.169.254/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    handler = type("Handler", (Site,), {"came": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        handler.url = f"http://127.0.0.1:{server.server_port}/hook?a=1"
        yield handler
        server.shutdown()
        thread.join()


def receiver(site, **changes):
    return Receiver(Webhook(**({"url": site.url, "secret_env": "HOOK", "private": True} | changes)), SECRET)


def test_a_call_arrives_signed(site):
    receiver(site).call("d-1.1", BODY)
    ((path, headers, body),) = site.came
    assert path == "/hook?a=1"
    assert json.loads(body) == {"contact_id": "d-1.1"}
    assert headers["Tactful-Delivery"] == "d-1.1"
    assert signing.verify(SECRET, headers, body, int(headers["Tactful-Timestamp"])) is None


@pytest.mark.parametrize("status", [302, 400, 404, 500])
def test_any_other_answer_is_a_failure_and_redirects_are_not_followed(site, status):
    site.status = status
    with pytest.raises(Undelivered, match=f"answered {status}"):
        receiver(site).call("d-1.1", BODY)
    assert len(site.came) == 1


def test_a_private_address_is_not_even_connected_to(site):
    with pytest.raises(Undelivered, match="private address"):
        receiver(site, private=False).call("d-1.1", BODY)
    assert site.came == []


def test_a_dead_receiver_is_a_failure(site):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"  # where nobody listens, nor will anyone else
        with pytest.raises(Undelivered, match="ConnectionRefused"):
            receiver(site, url=url).call("d-1.1", BODY)


def test_tries_are_spaced_further_and_further_up_to_an_hour():
    waits = [webhooks.wait(tries, 1.0) for tries in range(1, 12)]
    assert waits[:3] == [30 * SECOND, 60 * SECOND, 120 * SECOND]
    assert waits[-1] == HOUR == webhooks.wait(10_000, 1.0)
    assert waits == sorted(waits)
    assert all(24 * SECOND <= webhooks.wait(1) <= 36 * SECOND for _ in range(50))
