"""Two workers on one PostgreSQL, over HTTP: caps hold across them, and one that is killed loses nothing."""

import threading
from collections import Counter
from contextlib import suppress

import httpx
import psutil
import pytest
import stores
from awaited import until
from running import Running

from features.workspace import Workspace

CUSTOMERS = [f"C{i}" for i in range(12)]  # few, so that both workers decide about the same ones at once
CAP = 2  # contacts a week in market.POLICY
CLIENTS = 8
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]


def workers(service: Running) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(service.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # one that was there for a moment
            if "_bentoml_impl.worker.service" in process.cmdline():
                found.append(process)
    return found


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def ask(service: Running, number: int, rounds: int, answered: list[dict]) -> None:
    """Decisions about everyone, each over a connection of its own, so that either worker may take it."""
    for turn in range(rounds):
        for customer in CUSTOMERS:
            body = {"customer_id": customer, "channel": "email", "request_id": f"{number}-{turn}-{customer}"}
            answered.append(until(lambda body=body: decided(service, body)))


def decided(service: Running, body: dict) -> dict | None:
    """The answer; None where it is to be asked again: its worker was killed, or is not ready, or has much to do."""
    try:
        with service.client() as client:
            answer = client.post("/v1/decide", json=body)
    except httpx.TransportError:
        return None
    assert answer.status_code in (200, 429, 503, 504), answer.text
    return answer.json() if answer.status_code == 200 else None


def all_ask(service: Running, first: int, rounds: int, meanwhile=lambda: None) -> list[dict]:
    answered: list[dict] = []
    threads = [threading.Thread(target=ask, args=(service, first + n, rounds, answered)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    meanwhile()
    for thread in threads:
        thread.join()
    assert len(answered) == CLIENTS * rounds * len(CUSTOMERS)
    return answered


def test_two_workers_decide_as_one(shop, tmp_path):
    place = stores.place("postgres", tmp_path)
    with (shop.folder / "tactful.yaml").open("a") as file:
        file.write(f"store: {{url: '{place.url}'}}\n")
    service = Running(Workspace.open(shop.folder), workers=2)
    try:
        service.wait()
        two = until(lambda: len(found := workers(service)) == 2 and found)
        before = [cpu(each) for each in two]
        answered = all_ask(service, 0, 2)
        assert all(cpu(each) - earlier > 0.05 for each, earlier in zip(two, before, strict=True)), "both answer"
        answered += all_ask(service, 100, 1, meanwhile=two[0].kill)
        reserved = Counter(each["customer_id"] for each in answered if each["contact_id"] is not None)
        assert set(reserved.values()) == {CAP}
        assert len(reserved) > len(CUSTOMERS) / 2, "the others have an open complaint"
        on_disk = {row[0] for row in place.query("SELECT decision_id FROM decisions")}
        assert {each["decision_id"] for each in answered} <= on_disk
        holding = "SELECT customer_id, count(*) FROM contacts WHERE state = 'reserved' GROUP BY 1"
        assert dict(place.query(holding)) == reserved
    finally:
        service.kill()
        place.close()
