"""SIGTERM under load: whoever was let in is answered, whoever comes later is refused; nothing hangs or is cut off."""

import socket
import threading
import time

import httpx
import market
import pytest
from running import Running

CLIENTS = 8
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def ask(service, number, started, answered, cut_off):
    with service.client() as client:
        for turn in range(100_000):
            rows = [market.interaction(f"{number}-{turn}", f"c-{number}-{turn % 50}")]
            try:
                answered.append((rows, client.post("/v1/interactions", json={"interactions": rows}).status_code))
            except httpx.ConnectError:
                return  # refused: the service is gone
            except httpx.TransportError as error:
                cut_off.append(repr(error))
                return
            if turn == 20:
                started.release()


def let_in(port):
    with socket.socket() as late:
        return late.connect_ex(("127.0.0.1", port)) == 0


def test_a_service_told_to_stop_answers_everyone_it_let_in(shop):
    service = Running(shop).wait()
    started, answered, cut_off = threading.Semaphore(0), [], []
    clients = [
        threading.Thread(target=ask, args=(service, n, started, answered, cut_off), daemon=True) for n in range(CLIENTS)
    ]
    try:
        for client in clients:
            client.start()
        for _ in clients:
            assert started.acquire(timeout=60)
        assert service.stop() == 0
        for client in clients:
            client.join(timeout=60)
        assert not cut_off
        assert {status for _, status in answered} == {200}
        again = Running(shop, service.key).wait()
        try:
            with again.client() as client:
                for rows, _ in answered[-200:]:
                    assert client.post("/v1/interactions", json={"interactions": rows}).json()["duplicates"] == 1
        finally:
            again.kill()
    finally:
        service.kill()


def test_who_was_let_in_and_is_slow_to_ask_is_answered_too(shop):
    """On a machine with much else to do a caller may stand between connecting and asking for seconds."""
    service = Running(shop).wait()
    try:
        service.process.terminate()
        with socket.create_connection(("127.0.0.1", service.port)) as slow:
            deadline = time.monotonic() + 60
            while let_in(service.port):  # the door is shut half a second after the signal
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(1.0)
            slow.sendall(b"GET /livez HTTP/1.1\r\nHost: us\r\n\r\n")
            answer = slow.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer
        assert service.stop() == 0
    finally:
        service.kill()
