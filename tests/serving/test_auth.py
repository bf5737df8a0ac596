"""API keys: random, stored hashed, noticed when made or revoked, never worked out by asking."""

import asyncio
import json
import re
import stat
import threading
import time

import market
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from serving import auth, client
from serving.auth import Client, Keyring, RequireKey, hashed, new_key
from serving.commands import app
from serving.problems import Problem
from serving.store import open_store
from serving.store.protocol import Key


def key(name, text, scope="decide", revoked_at=None):
    return Key(name, hashed(text), scope, 0, revoked_at)


def test_keys_are_random_and_only_their_hash_says_anything():
    keys = {new_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(re.fullmatch(r"tactful_[\w-]{43}", key) for key in keys)
    assert all(re.fullmatch(r"[0-9a-f]{64}", hashed(key)) for key in keys)


def ask(ring, *keys):
    """Whose keys these are, asked at once."""

    async def all_of_them():
        return await asyncio.gather(*(ring.client(each) for each in keys))

    return asyncio.run(all_of_them())


def whose(ring, text):
    return ask(ring, text)[0]


def test_a_new_key_works_at_once_and_a_revoked_one_for_seconds_at_most(monkeypatch):
    stored = []
    ring = Keyring(lambda: list(stored))
    monkeypatch.setattr(auth, "STALE", 3_600.0)
    assert whose(ring, "tactful_a") is None
    stored.append(key("mailer", "tactful_a"))
    assert whose(ring, "tactful_a") == Client("mailer", frozenset({"decide"})), "in the moment after a read without it"
    stored[0] = key("mailer", "tactful_a", revoked_at=1)
    assert not whose(ring, "tactful_a").revoked, "a revoked key may work for a few seconds more"
    monkeypatch.setattr(auth, "STALE", 0.0)
    assert whose(ring, "tactful_a").revoked


def test_a_key_made_while_the_keys_are_read_is_not_refused():
    stored, reading, go_on = [key("mailer", "tactful_a")], threading.Event(), threading.Event()

    def load():
        found = list(stored)
        reading.set()
        assert go_on.wait(60)
        return found

    ring = Keyring(load)
    go_on.set()
    ring.refresh()
    reading.clear()
    go_on.clear()
    keeper = threading.Thread(target=ring.refresh)
    keeper.start()
    assert reading.wait(60)
    stored.append(key("late", "tactful_b"))
    threading.Timer(0.2, go_on.set).start()
    assert whose(ring, "tactful_b").name == "late"
    keeper.join()


def test_guessing_keys_does_not_read_the_store_each_time(monkeypatch):
    reads, asked = [], threading.Event()

    def load():
        reads.append(1)
        assert asked.wait(60)
        return [key("mailer", "tactful_a")]

    async def crowd():
        async def are_all_there():
            asked.set()

        asked.clear()
        tried = (ring.client(f"tactful_{each}") for each in range(200))
        return await asyncio.gather(*tried, are_all_there(), ring.client("tactful_a"), return_exceptions=True)

    ring = Keyring(load)
    began = time.monotonic()
    asked.set()
    ring.refresh()
    monkeypatch.setattr(auth, "STALE", 3_600.0)
    for _ in range(5):
        *tried, _, known = asyncio.run(crowd())
        assert known.name == "mailer"
        assert tried[: auth.WAITING] == [None] * auth.WAITING
        assert {each.status for each in tried[auth.WAITING :]} == {429}, "they hold no place that others need"
    assert len(reads) <= 2 + (time.monotonic() - began) / auth.GUESSES
    assert len(reads) <= 1 + 5 * 2, "those that wait share what is read"


def test_known_keys_work_while_the_store_is_away_and_of_others_nothing_is_told(monkeypatch):
    away = []

    def load():
        if away:
            raise Problem("not-ready", "the store is not available")
        return [key("mailer", "tactful_a")]

    ring = Keyring(load)
    assert whose(ring, "tactful_a").name == "mailer"
    away.append(True)
    monkeypatch.setattr(auth, "STALE", 0.0)
    assert whose(ring, "tactful_a").name == "mailer"
    with pytest.raises(Problem, match="not available"):
        whose(ring, "tactful_made_meanwhile")
    http = TestClient(RequireKey(_hello, lambda: Keyring(load)))
    assert http.post("/v1/decide", headers={"X-API-Key": "tactful_a"}).status_code == 503


def test_no_known_key_waits_while_another_thread_reads_from_a_store_that_hangs(monkeypatch):
    answers, asked, hangs = threading.Event(), threading.Event(), []
    stored = [key("mailer", "tactful_a")]

    def load():
        if hangs:
            assert not asked.is_set(), "asked twice at once"
            asked.set()
            assert answers.wait(60)
        return stored

    ring = Keyring(load)
    ring.refresh()
    hangs.append(True)
    monkeypatch.setattr(auth, "STALE", 0.0)
    monkeypatch.setattr(auth, "PATIENCE", 0.2)
    keeper = threading.Thread(target=ring.refresh)
    keeper.start()
    assert asked.wait(60)
    assert whose(ring, "tactful_a").name == "mailer"
    with pytest.raises(Problem, match="does not answer"):
        whose(ring, "tactful_guessed")
    hangs.clear()
    answers.set()
    keeper.join()
    monkeypatch.setattr(auth, "PATIENCE", 60.0)
    assert whose(ring, "tactful_guessed") is None


def test_the_loop_does_not_wait_for_a_store_that_hangs(monkeypatch):
    """Nobody has called `refresh` for long, and whoever comes asks a store that says nothing."""
    go_on, hangs = threading.Event(), []

    def load():
        assert not hangs or go_on.wait(60)
        return [key("mailer", "tactful_a")]

    ring = Keyring(load)
    ring.refresh()
    hangs.append(True)
    monkeypatch.setattr(auth, "STALE", 0.0)

    async def both():
        asked = asyncio.ensure_future(ring.client("tactful_a"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not asked.done(), "it looks whether the key was revoked"
        return await asked

    assert asyncio.run(both()).name == "mailer"
    go_on.set()


def test_all_of_the_first_to_come_wait_for_the_first_read():
    stored = [key(f"client {each}", f"tactful_{each}") for each in range(50)]
    ring = Keyring(lambda: stored)
    assert None not in ask(ring, *(f"tactful_{each}" for each in range(50)))


def test_a_scope_opens_its_calls_and_admin_all():
    assert Client("a", frozenset({"decide"})).may({"decide", "marketer"})
    assert not Client("a", frozenset({"decide", "record"})).may({"marketer"})
    assert Client("a", frozenset({"admin"})).may({"record"})
    assert not Client("a", frozenset({"admin"})).may(()), "a call that names no scope is nobody's"
    assert auth.client_of(key("first", "k", scope="all")).scopes == {"admin"}
    assert auth.client_of(key("till", "k", scope="decide,record")).scopes == {"decide", "record"}


def test_every_stored_key_is_compared_whatever_is_found(monkeypatch):
    compared = []
    monkeypatch.setattr(auth.hmac, "compare_digest", lambda a, b: compared.append(a) or a == b)
    ring = Keyring(lambda: [key(name, name) for name in ("a", "b", "c")])
    assert whose(ring, "a").name == "a"
    assert len(compared) == 3


async def _hello(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def test_only_health_and_documentation_are_open():
    http = TestClient(RequireKey(_hello, lambda: Keyring(list)))
    for path in (
        "/livez",
        "/readyz",
        "/healthz",
        "/",
        "/v1/docs",
        "/v1/openapi.json",
        "/static_content/swagger-ui.css",
    ):
        assert http.get(path).status_code == 200
    for path in (
        "/v1/decide",
        "/v1/docs/",
        "/v1//docs",
        "/livez/x",
        "/schema.json",
        "/docs.json",
        "/V1/docs",
        "/metrics",
    ):
        answer = http.get(path)
        assert answer.status_code == 401
        assert "tactful keys create" in answer.json()["detail"]


def test_before_the_store_is_open_a_key_cannot_be_judged():
    http = TestClient(RequireKey(_hello, lambda: None))
    assert http.post("/v1/decide").status_code == 401
    assert http.post("/v1/decide", headers={"X-API-Key": "x"}).status_code == 503


@pytest.fixture
def bare(tmp_path):
    """A workspace without history or models."""
    return market.found(tmp_path / "shop")


def invoke(workspace, *words):
    return CliRunner().invoke(app, [*words, "--workspace", str(workspace.folder)])


def test_the_command_prints_a_key_once_and_stores_its_hash(bare):
    result = invoke(bare, "keys", "create", "mailer")
    assert result.exit_code == 0
    key = result.stdout.strip()
    assert key.startswith("tactful_")
    store = open_store(bare)
    stored = store.keys()
    assert {found.name: (found.hash, found.scope) for found in stored} == {"mailer": (hashed(key), "decide,record")}
    store.close()
    raw = b"".join(file.read_bytes() for file in bare.store_path.parent.iterdir() if file.is_file())
    assert key.encode() not in raw
    again = invoke(bare, "keys", "create", "mailer")
    assert again.exit_code == 2
    assert "mailer" in again.output
    assert invoke(bare, "keys", "revoke", "mailer").exit_code == 0
    assert invoke(bare, "keys", "revoke", "mailer").exit_code == 2
    assert invoke(bare, "keys", "create", "mailer").exit_code == 0, "a revoked name is free again"


def test_a_key_is_made_for_what_it_may_do_and_listed_with_it(bare):
    assert "no keys yet" in invoke(bare, "keys", "list").output
    assert invoke(bare, "keys", "create", "board", "--scope", "marketer", "--scope", "metrics").exit_code == 0
    wrong = invoke(bare, "keys", "create", "other", "--scope", "root")
    assert wrong.exit_code == 2
    assert "'root' is none of decide, record, marketer, customers, metrics, admin" in wrong.output
    assert "board: marketer, metrics; made 2026-05-04T" in invoke(bare, "keys", "list").output
    invoke(bare, "keys", "revoke", "board")
    assert "revoked 2026-05-04T" in invoke(bare, "keys", "list").output


def test_the_command_line_keeps_a_key_of_its_own_that_others_cannot_read(bare, monkeypatch):
    monkeypatch.delenv("TACTFUL_API_KEY", raising=False)
    key = client.own_key(bare)
    assert client.own_key(bare) == key
    file = bare.folder / "state" / "command-line.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()
    assert client.own_key(bare) != key, "a lost file is replaced, and the old key revoked"
    monkeypatch.setenv("TACTFUL_API_KEY", "given")
    assert client.own_key(bare) == "given"


def test_deciding_without_a_service_is_one_clear_line(bare):
    client.write_address(bare, "0.0.0.0", 1)
    assert json.loads(client.address_file(bare).read_text()) == {"url": "http://127.0.0.1:1"}
    result = invoke(bare, "decide", "C1", "--channel", "email")
    assert result.exit_code == 2
    assert "start it with `tactful serve`" in result.output


def test_a_taken_port_is_one_clear_line(bare):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = invoke(bare, "serve", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert "choose another with --port" in result.output
